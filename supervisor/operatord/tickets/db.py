"""Where tickets lie: SQLAlchemy on SQLite in WAL mode.

Importing this module costs a quarter of a second (SQLAlchemy); nothing on the path of a start may import it eagerly.
Calls block, for well under a millisecond each: one writer, WAL, no fsync per commit. SQLite's own promise for
``synchronous=NORMAL`` in WAL mode is that a crash of the program loses nothing and a power failure may lose the last
commits, never the file (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

from sqlalchemy import Engine, Select, create_engine, event, func, inspect, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from operator_protocol.errors import Conflict, NotFound, Unavailable
from operator_protocol.models import Ticket, TicketStatus
from operator_protocol.records import from_body, to_body
from operatord.clock import Clock
from operatord.tickets.schema import SCHEMA_VERSION, Base, SchemaRow, TicketRow

FILE_NAME = "tickets.sqlite"
_COMPANIONS = ("-wal", "-shm")
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CHECKED_BYTES = 32 << 20
"""Files up to this size are checked page by page at open (32 MiB: 0.1 s); of larger ones only what a query touches."""
_BUSY_TIMEOUT_MS = 250
"""The daemon is the only writer; whoever else holds the lock must not hold up its loop for longer."""
RESOLVED: TicketStatus = "resolved"

Tickets: TypeAlias = list[Ticket]


class NewerSchema(Conflict):
    """The database was written by a newer version of this program."""


class StoreUnwritable(Unavailable):
    """The directory or the file of the database cannot be written."""


class StoredTicket(NamedTuple):
    """A ticket, and the id of the violation that it last heard of."""

    ticket: Ticket
    violation_id: str


class TicketDB:
    """The tickets on disk. ``message`` is a line to show when a damaged file had to be moved aside, else empty."""

    def __init__(self, path: Path, *, wall: Clock = time.time) -> None:
        """Open or make the database at ``path``.

        Raises ``NewerSchema`` for one that a newer version wrote and ``StoreUnwritable`` where nothing can be written.
        A damaged file is moved aside, never deleted, and a fresh one made.
        """
        self.path = path
        self.message = ""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error.strerror or str(error)) from error
        try:
            self._engine = _open(path)
        except DBAPIError as error:
            if not _is_damage(error):
                raise _unwritable(path, str(error.orig)) from error
            aside = _move_aside(path, wall())
            self.message = (
                f"the ticket database was damaged ({error.orig}); it is kept as {aside.name}, a fresh one was made"
            )
            self._engine = _open(path)

    def add(self, ticket: Ticket, violation_id: str) -> Ticket:
        """Store a new ticket; the result is ``ticket`` with the id that it was given."""
        with self._session() as session:
            row = TicketRow()
            _fill(row, ticket, violation_id)
            session.add(row)
            session.flush()
            return _ticket(row)

    def save(self, ticket: Ticket, violation_id: str) -> None:
        """Store every field of a ticket that exists. Raises ``NotFound`` if it does not."""
        with self._session() as session:
            row = session.get(TicketRow, ticket.id)
            if row is None:
                raise NotFound(f"there is no ticket {ticket.id}", "operatorctl tickets lists them")
            _fill(row, ticket, violation_id)

    def get(self, ticket_id: int) -> StoredTicket:
        """One ticket. Raises ``NotFound``."""
        with self._session() as session:
            # SQLite has no larger integers, and fails instead of finding nothing.
            row = session.get(TicketRow, ticket_id) if 0 < ticket_id < 1 << 63 else None
            if row is None:
                raise NotFound(f"there is no ticket {ticket_id}", "operatorctl tickets lists them")
            return StoredTicket(_ticket(row), row.violation_id)

    def unresolved(self) -> list[StoredTicket]:
        """Every ticket that is not resolved, oldest first."""
        query = select(TicketRow).where(TicketRow.status != RESOLVED).order_by(TicketRow.id)
        with self._session() as session:
            return [StoredTicket(_ticket(row), row.violation_id) for row in session.scalars(query)]

    def list(self, status: TicketStatus | None = None, limit: int = 50) -> Tickets:
        """The newest ``limit`` tickets, newest first; of one ``status``, or of all."""
        query = select(TicketRow).order_by(TicketRow.id.desc()).limit(limit)
        if status is not None:
            query = query.where(TicketRow.status == status)
        return self._tickets(query)

    def alike(self, ticket: Ticket, limit: int = 3) -> Tickets:
        """Resolved tickets of the same invariant and node that came before ``ticket``, newest first."""
        query = (
            select(TicketRow)
            .where(TicketRow.invariant == ticket.invariant, TicketRow.node.is_(ticket.node))
            .where(TicketRow.status == RESOLVED, TicketRow.id < ticket.id)
            .order_by(TicketRow.id.desc())
            .limit(limit)
        )
        return self._tickets(query)

    def count(self) -> int:
        """How many tickets there are in all."""
        with self._session() as session:
            return session.scalar(select(func.count()).select_from(TicketRow)) or 0

    def close(self) -> None:
        """Give the file back; the write-ahead log is folded into it."""
        self._engine.dispose()

    def _tickets(self, query: Select[TicketRow]) -> Tickets:
        with self._session() as session:
            return [_ticket(row) for row in session.scalars(query)]

    @contextlib.contextmanager
    def _session(self) -> Iterator[Session]:
        """One transaction; what SQLAlchemy raises becomes ``Unavailable`` with the database's own words."""
        try:
            with Session(self._engine) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise Unavailable(
                f"the ticket database {self.path} failed: {reason}", "check the free space and the rights of its folder"
            ) from error


def _open(path: Path) -> Engine:
    """An engine on a file that is sound and has our tables. Raises ``DBAPIError`` if it is neither and cannot be."""
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _configure)
    try:
        with engine.connect() as connection:
            if path.stat().st_size <= _CHECKED_BYTES:
                verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar()
                if verdict != "ok":
                    raise _damage(str(verdict))
            if inspect(connection).has_table(SchemaRow.__tablename__):
                version = connection.scalar(select(SchemaRow.version)) or SCHEMA_VERSION
                if version > SCHEMA_VERSION:
                    raise NewerSchema(
                        f"the ticket database {path} has schema {version}, this version knows {SCHEMA_VERSION}",
                        "run the version that wrote it, or choose another --state-dir",
                    )
        Base.metadata.create_all(engine)
        with Session(engine) as session, session.begin():
            if session.scalar(select(SchemaRow.version)) is None:
                session.add(SchemaRow(version=SCHEMA_VERSION))
    except BaseException:
        engine.dispose()
        raise
    return engine


def _configure(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={_BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _damage(verdict: str) -> DBAPIError:
    """What SQLite itself raises when it runs into the damage that ``quick_check`` found."""
    cause = sqlite3.DatabaseError(verdict.strip().splitlines()[-1] if verdict.strip() else "malformed")
    cause.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return DBAPIError("PRAGMA quick_check", None, cause)


def _is_damage(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    # The low byte is the primary code (https://www.sqlite.org/rescode.html).
    return isinstance(code, int) and code & 0xFF in _DAMAGED


def _move_aside(path: Path, wall_s: float) -> Path:
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
        raise _unwritable(path, error.strerror or str(error)) from error
    return aside


def _unwritable(path: Path, reason: str) -> StoreUnwritable:
    return StoreUnwritable(
        f"the ticket database {path} cannot be opened: {reason}",
        "make its directory writable or choose another with --state-dir",
    )


def _fill(row: TicketRow, ticket: Ticket, violation_id: str) -> None:
    row.invariant, row.node, row.severity = ticket.invariant, ticket.node, ticket.severity
    row.status, row.message = ticket.status, ticket.message
    row.opened_at, row.updated_at, row.resolved_at = ticket.opened_at, ticket.updated_at, ticket.resolved_at
    row.occurrences = ticket.occurrences
    row.diagnosis = to_body(ticket.diagnosis) if ticket.diagnosis is not None else None
    row.notes = list(ticket.notes)
    row.violation_id = violation_id


def _ticket(row: TicketRow) -> Ticket:
    fields: Sequence[str] = Ticket.__slots__
    return from_body(Ticket, {name: getattr(row, name) for name in fields})
