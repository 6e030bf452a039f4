"""The SQLite file of the tickets: opened sound and up to date, or moved aside, or refused with what to do."""

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from operator_protocol.errors import Unavailable
from operatord.tickets.migrating import migrate
from operatord.tickets.sessions import WRITES

_COMPANIONS = ("-wal", "-shm")
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CHECKED_BYTES = 32 << 20
"""Files up to this size are checked page by page at open (32 MiB: 0.1 s); of larger ones only what a query touches."""
_BUSY_TIMEOUT_MS = 250
"""The daemon is the only writer; whoever else holds the lock must not hold up its loop for longer."""


class StoreUnwritable(Unavailable):
    """The directory or the file of the database cannot be written."""


def open_engine(path: Path) -> Engine:
    """An engine on a file that is sound and has our tables. Raises ``DBAPIError`` if it is neither and cannot be."""
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            if path.stat().st_size <= _CHECKED_BYTES:
                verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar()
                if verdict != "ok":
                    raise _damage(str(verdict))
        with engine.execution_options(**{WRITES: True}).begin() as connection:
            migrate(connection, str(path), "run the version that wrote it, or choose another --state-dir")
    except BaseException:
        engine.dispose()
        raise
    return engine


def _configure(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The module begins transactions by itself, and not before a change of tables: a migration that dies would be half
    # done. So it is told not to, and ``_begin`` does (docs.sqlalchemy.org, "Serializable isolation / Savepoints").
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - for the type; there is no other driver here
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={_BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def is_damage(error: DBAPIError) -> bool:
    """Whether SQLite says that the file is none of its own, or not a whole one."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    # The low byte is the primary code (https://www.sqlite.org/rescode.html).
    return isinstance(code, int) and code & 0xFF in _DAMAGED


def move_aside(path: Path, wall_s: float) -> Path:
    """Rename the database and its companions to ``<name>.corrupt-<UTC time>``; a name that is taken is never reused."""
    stamp = datetime.fromtimestamp(wall_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    number = 1
    while aside.exists():
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
        number += 1
    try:
        path.rename(aside)
        for suffix in _COMPANIONS:
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise unwritable(path, error.strerror or str(error)) from error
    return aside


def unwritable(path: Path, reason: str) -> StoreUnwritable:
    """The error for a place that cannot be written."""
    return StoreUnwritable(
        f"the ticket database {path} cannot be opened: {reason}",
        "make its directory writable or choose another with --state-dir",
    )


def _damage(verdict: str) -> DBAPIError:
    """What SQLite itself raises when it runs into the damage that ``quick_check`` found."""
    cause = sqlite3.DatabaseError(verdict.strip().splitlines()[-1] if verdict.strip() else "malformed")
    cause.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return DBAPIError("PRAGMA quick_check", None, cause)
