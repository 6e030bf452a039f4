"""A database of tickets that several hosts share: PostgreSQL.

Each daemon keeps its tickets in its own file, and works with nothing else. What is said of them is sent from there to
the shared database, in order, by a thread: when that database is away, slow or frozen, the daemon does not notice, what
is to be sent is in the file, and a restart loses none of it. How far a file was sent stands in the shared database and
changes in the same transaction, so everything arrives once.

The thread is a daemon thread and not one of a pool: an interpreter that ends waits for those of a pool, and a server
that is frozen answers never.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Engine, create_engine, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from operator_protocol.errors import BadRequest, Conflict, OperatorError, Unavailable
from operator_protocol.models import TicketStatus
from operatord.tickets.changes import Origin
from operatord.tickets.db import TicketDB
from operatord.tickets.migrating import migrate
from operatord.tickets.queries import Page, TicketQueries
from operatord.tickets.rows import ticket_values
from operatord.tickets.schema import EventRow, StoreRow, TicketRow
from operatord.tickets.sessions import reason

T = TypeVar("T")

_CONNECT_S = 5
_ANSWER_S = 10
"""The server's own bound on a statement; also how long sent data may stay unacknowledged."""
_BATCH = 200
"""Events in one transaction."""
_IDLE_S = 2.0
"""How often it is looked whether there is something to send that nobody told of."""
_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_SILENCE_S = 15.0
"""An attempt that takes longer is told of."""
_CLOSE_S = 2.0
"""What is not sent by then is sent at the next start."""
_READS = 2
"""At once; a server that is frozen holds as many threads."""


class SharedTickets:
    """Sends the tickets of one file, and reads those of all."""

    def __init__(
        self, url: str, local: TicketDB, origin: Origin, log: Callable[[str], None], *, read_s: float = _CONNECT_S
    ) -> None:
        """``log`` is called from other threads; who reads waits at most ``read_s``.

        Raises ``BadRequest`` for what is no address of a database.
        """
        self.shown = shown(url)
        self._engine = _engine(url)
        self._local = local
        self._origin = origin
        self._log = log
        self._read_s = read_s
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shared-tickets", daemon=True)
        self._sent: int | None = None
        """None before the shared database has told."""
        self._failing = False
        self._why = ""
        """Why nothing is sent; empty while it is."""
        self._arrived: int | None = None
        """The last event that is there for sure, also while the database is away."""
        self._trying_since: float | None = None
        self._reads = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to send."""
        self._wake.set()
        self._thread.start()

    @property
    def in_step(self) -> bool:
        """Whether everything that is in the file was sent."""
        return self._sent is not None and self._sent == self._local.last_event()

    def status(self) -> dict[str, str | int | None]:
        """For people: how many entries are not sent yet, None while that is not known, and what keeps them."""
        unsent = None if self._arrived is None else max(0, self._local.last_event() - self._arrived)
        return {"database": self.shown, "unsent": unsent, "error": self._why}

    def nudge(self) -> None:
        """There is something to send."""
        self._wake.set()

    def tick(self) -> None:
        """Tell of an attempt that gets no answer at all; due about once a second."""
        began = self._trying_since
        if began is not None and time.monotonic() - began > _SILENCE_S:
            self._fails(f"no answer for {_SILENCE_S:g} s")

    def close(self) -> None:
        """Send what is left if that is quick, and stop."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    # sending, in the thread

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            self._wake.wait(_IDLE_S)
            self._wake.clear()
            while not self._attempt():
                if self._closing.wait(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]):
                    break
                failures += 1
            failures = 0
        self._engine.dispose()

    def _attempt(self) -> bool:
        self._trying_since = time.monotonic()
        try:
            self.send()
        except SQLAlchemyError as error:
            self._fails(reason(error))
        except OperatorError as error:
            self._fails(str(error))
        except Exception as error:  # a defect must not end the thread without a word
            self._fails(f"{type(error).__name__}: {error}")
        else:
            if self._failing:
                self._failing, self._why = False, ""
                self._log(f"tickets are sent to {self.shown} again")
            return True
        finally:
            self._trying_since = None
        return False

    def _fails(self, why: str) -> None:
        self._sent, self._why = None, why
        if not self._failing:
            self._failing = True
            self._log(f"tickets are kept here and sent later: the database {self.shown} failed: {why}")

    def send(self) -> int:
        """Send everything that is not sent yet; how many events that were. Raises whatever the database does."""
        if self._sent is None:
            self._sent = self._arrived = self._enrol()
        total = 0
        while batch := self._local.events_after(self._sent, _BATCH):
            with Session(self._engine) as session, session.begin():
                total += self._put(session, batch)
            self._sent = self._arrived = batch[-1].id
        return total

    def _enrol(self) -> int:
        """Bring the schema up to date and say who we are; how far our file was sent."""
        with self._engine.begin() as connection:
            migrate(connection, self.shown, "update operatord on this host; its tickets are kept here until then")
            me = {"host": self._origin.host, "cluster": self._origin.cluster}
            row = insert(StoreRow).values(id=self._local.store, sent=0, **me)
            connection.execute(row.on_conflict_do_update(index_elements=["id"], set_=me))
            sent = connection.scalar(select(StoreRow.sent).where(StoreRow.id == self._local.store)) or 0
        if sent > self._local.last_event():
            raise Conflict(
                f"it has {sent} events of {self._local.path}, which has only {self._local.last_event()} itself",
                "that file is an older copy; put the newer one back, or move it away for a fresh one",
            )
        return sent

    def _put(self, session: Session, batch: Sequence[EventRow]) -> int:
        mine = select(StoreRow.sent).where(StoreRow.id == self._local.store).with_for_update()
        sent = session.scalar(mine) or 0
        # A daemon that was killed may have sent the beginning in a transaction that ended after it.
        fresh = [event for event in batch if event.id > sent]
        ids = {number: self._upsert(session, number) for number in sorted({event.ticket for event in fresh})}
        if fresh:
            session.execute(
                insert(EventRow),
                [
                    {
                        "ticket": ids[event.ticket],
                        "at": event.at,
                        "who": _text(event.who),
                        "what": _text(event.what),
                        "data": event.data,
                        "store": self._local.store,
                        "number": event.id,
                    }
                    for event in fresh
                ],
            )
        session.execute(update(StoreRow).where(StoreRow.id == self._local.store).values(sent=batch[-1].id))
        return len(fresh)

    def _upsert(self, session: Session, number: int) -> int:
        ticket, violation_id = self._local.get(number)
        values = {name: _text(value) for name, value in ticket_values(ticket, violation_id).items()}
        row = insert(TicketRow).values(**values, store=self._local.store, number=number)
        row = row.on_conflict_do_update(index_elements=["store", "number"], set_=values)
        return session.execute(row.returning(TicketRow.id)).scalar_one()

    # reading, for a command

    async def page(
        self,
        status: TicketStatus | None,
        limit: int,
        *,
        since: float | None = None,
        before: int | None = None,
        reopened: bool = False,
    ) -> Page:
        """As ``TicketQueries.page``, of all hosts. Raises ``Unavailable`` if there is no answer in time."""
        queries = TicketQueries(self._engine, self.shown, "tickets without --everywhere are those of this daemon")
        return await self._read(lambda: queries.page(status, limit, since=since, before=before, reopened=reopened))

    async def _read(self, work: Callable[[], T]) -> T:
        away = Unavailable(
            f"the ticket database {self.shown} does not answer", "tickets without --everywhere are those of this daemon"
        )
        with self._lock:
            if self._reads >= _READS:
                raise away
            self._reads += 1
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def settle(error: BaseException | None, found: Any) -> None:
            if outcome.done():
                return
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(found)

        def run() -> None:
            found, failure = None, None
            try:
                found = work()
            except Exception as error:  # handed to who asked
                failure = error
            finally:
                with self._lock:
                    self._reads -= 1
            try:
                loop.call_soon_threadsafe(settle, failure, found)
            except RuntimeError:
                return  # the daemon has ended

        threading.Thread(target=run, name="shared-tickets-read", daemon=True).start()
        try:
            return await asyncio.wait_for(outcome, self._read_s)
        except TimeoutError:
            raise away from None


def shown(url: str) -> str:
    """Where the database is, without user, password and options."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"postgresql://{parts.hostname or 'localhost'}{port}{parts.path}"


def _engine(url: str) -> Engine:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise BadRequest("[tickets] url is no address of a database") from error
    options = f"-c statement_timeout={_ANSWER_S * 1000} -c lock_timeout={_ANSWER_S * 1000} -c timezone=UTC"
    bounds = {
        "connect_timeout": _CONNECT_S,
        "options": options,
        "application_name": "operatord",
        # A peer that vanished without a word is given up; the kernel's own bounds are hours.
        "keepalives_idle": _ANSWER_S,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": _ANSWER_S * 1000,
    }
    # What the address itself says goes first.
    bounds = {name: value for name, value in bounds.items() if name not in address.query}
    return create_engine(
        address, connect_args=bounds, pool_size=1, max_overflow=_READS, pool_timeout=_CONNECT_S, pool_recycle=1800
    )


def _text(value: Any) -> Any:
    """PostgreSQL has no NUL in a text."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
