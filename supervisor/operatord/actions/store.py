"""The memory of actions across restarts: SQLite, one row an action.

Before an action begins, that it runs is on disk. So a daemon that comes after one that died knows which action may have
been done, and does none of them again.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from operator_protocol.errors import Conflict, NotFound, Unavailable
from operator_protocol.models import Action, ActionStatus
from operator_protocol.records import from_body, to_body

FILE_NAME = "actions.sqlite"
KEPT = 10_000
"""Actions that are remembered; the oldest go at a start."""
_NUMBERS = 1 << 63
"""SQLite has no larger ones."""
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS actions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    status TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS actions_by_status ON actions (status, id);
"""


class ActionStore:
    """All actions of one state directory."""

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        """Open or create it. A damaged file is moved aside, never deleted; ``notice`` says so.

        Raises ``Conflict`` for a file of a newer version, ``Unavailable`` when it cannot be opened.
        """
        self.path = path
        self.notice = ""
        try:
            self._db = _opened(path)
        except sqlite3.OperationalError as error:
            raise Unavailable(f"{path}: {error}", "mend it, or choose another --state-dir") from error
        except sqlite3.DatabaseError as error:
            kept = _set_aside(path, wall())
            self.notice = f"{path} is damaged ({error}); it is kept as {kept.name}, and a new one begins"
            self._db = _opened(path)

    def add(self, action: Action) -> Action:
        """Give it a number; no number is given twice. Raises ``Unavailable`` when it cannot be written."""
        with self._writing() as db:
            cursor = db.execute("INSERT INTO actions (status, body) VALUES (?, ?)", (action.status, "{}"))
            numbered = _numbered(action, int(cursor.lastrowid or 0))
            db.execute("UPDATE actions SET body = ? WHERE id = ?", (_body(numbered), numbered.id))
        return numbered

    def save(self, action: Action) -> None:
        """Write how it stands. Raises ``Unavailable`` when it cannot be written."""
        with self._writing() as db:
            db.execute(
                "UPDATE actions SET status = ?, body = ? WHERE id = ?", (action.status, _body(action), action.id)
            )

    def get(self, number: int) -> Action:
        """One action. Raises ``NotFound``."""
        known = 0 < number < _NUMBERS
        row = self._db.execute("SELECT body FROM actions WHERE id = ?", (number,)).fetchone() if known else None
        if row is None:
            raise NotFound(f"there is no action {number}", "operatorctl actions lists them")
        return _read(row[0])

    def newest(self, status: ActionStatus | None, limit: int) -> list[Action]:
        """The last ones (of that status), newest first."""
        where, values = ("WHERE status = ?", [status]) if status else ("", [])
        rows = self._db.execute(f"SELECT body FROM actions {where} ORDER BY id DESC LIMIT ?", [*values, limit])  # noqa: S608 - no text from outside
        return [_read(body) for (body,) in rows]

    def unfinished(self) -> list[Action]:
        """Those that an earlier run left proposed, approved or running, oldest first."""
        rows = self._db.execute(
            "SELECT body FROM actions WHERE status IN ('proposed', 'approved', 'running') ORDER BY id"
        )
        return [_read(body) for (body,) in rows]

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._db:
                yield self._db
        except sqlite3.Error as error:
            raise Unavailable(f"actions cannot be written to {self.path}: {error}", "is the disk full?") from error


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=2.0)
    try:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > _VERSION:
            raise Conflict(
                f"{path} is of a newer version ({version}, this one knows {_VERSION})",
                "run the version that wrote it, or choose another --state-dir",
            )
        problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version = {_VERSION}")
        with db:
            db.execute("DELETE FROM actions WHERE id <= (SELECT MAX(id) FROM actions) - ?", (KEPT,))
    except BaseException:
        db.close()
        raise
    return db


def _set_aside(path: Path, wall: float) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wall))
    kept = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        one = path.with_name(path.name + suffix)
        if one.exists():
            one.rename(kept.with_name(kept.name + suffix))
    return kept


def _numbered(action: Action, number: int) -> Action:
    return from_body(Action, {**to_body(action), "id": number})


def _body(action: Action) -> str:
    return json.dumps(to_body(action), separators=(",", ":"))


def _read(text: str) -> Action:
    return from_body(Action, json.loads(text))
