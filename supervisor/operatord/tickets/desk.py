"""The ticket desk: the one writer of tickets.

A violation opens one ticket, deduplicated by invariant and node; repeats update it; its end resolves it. What a change
makes of a ticket is in ``changes``; here it is kept and published. An observation that could not be made reaches nobody
here: it closes no violation, so it resolves no ticket. Every change is also said in the history of its ticket.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, Unavailable
from operator_protocol.models import Diagnosis, Ticket, TicketRecord, TicketStatus, Violation
from operator_protocol.records import to_body
from operator_protocol.topics import TICKET_OPENED, TICKET_RESOLVED, TICKET_UPDATED
from operatord.clock import Clock
from operatord.tickets import changes
from operatord.tickets.changes import AGENT, DAEMON, NOWHERE, Change, Origin, read_status
from operatord.tickets.lifecycle import Event

if TYPE_CHECKING:  # SQLAlchemy is behind it: a quarter of a second that a start cannot spare
    from operatord.tickets.db import Page, TicketDB
    from operatord.tickets.shared import SharedTickets

Publish = Callable[[str, Body], None]
Tickets: TypeAlias = list[Ticket]

_INTERRUPTED: tuple[TicketStatus, ...] = ("diagnosing", "acting")
"""What only a living daemon can be doing."""


class Key(NamedTuple):
    """What makes two violations the same trouble."""

    invariant: str
    node: str | None


class TicketDesk:
    """Tickets and their life. Every change is on disk before it is published."""

    def __init__(
        self,
        db: "TicketDB",
        publish: Publish,
        wall: Clock = time.time,
        *,
        origin: Origin = NOWHERE,
        shared: "SharedTickets | None" = None,
    ) -> None:
        self._db = db
        self._shared = shared
        self._publish = publish
        self._wall = wall
        self._origin = origin
        self._unresolved: dict[Key, Ticket] = {}
        self._heard: dict[int, str] = {}
        """Ticket id to the violation that it last heard of."""
        for ticket, violation_id in db.unresolved():
            # Two of one key cannot be made here; should a file hold them, the newer one counts.
            self._unresolved[_key(ticket)] = ticket
            self._heard[ticket.id] = violation_id

    def resume(self) -> list[Ticket]:
        """Take up the tickets that an earlier run left: publish them, those it was working on as open again.

        A daemon that is killed while it diagnoses leaves ``diagnosing`` behind; nobody would ever touch that again.
        """
        resumed = []
        for ticket in list(self._unresolved.values()):
            if ticket.status in _INTERRUPTED:
                kept = self._move(ticket, "interrupted", note=f"{ticket.status} was interrupted")
            else:
                kept = ticket
                self._publish(TICKET_UPDATED, to_body(ticket))
            resumed.append(kept)
        return resumed

    def reconcile(self, open_violations: Iterable[Violation], *, healthy: bool | None) -> list[Ticket]:
        """Resolve what ended while nobody was watching; returns the tickets that this resolved.

        Called once the subject has been observed after a start. Unless it is ``healthy``, nothing is resolved: that
        no violation is open yet proves nothing about a subject that is still coming up or cannot be seen.
        """
        if healthy is not True:
            return []
        still_open = {Key(violation.invariant, violation.node) for violation in open_violations}
        ended = [ticket for key, ticket in self._unresolved.items() if key not in still_open]
        settled = [self._end(ticket, "ended while it was not being watched") for ticket in ended]
        return [ticket for ticket in settled if ticket.status == "resolved"]

    # what the monitor tells

    def opened(self, violation: Violation) -> Ticket:
        """Open a ticket for ``violation``, or update the unresolved one of the same invariant and node."""
        ticket = self._unresolved.get(Key(violation.invariant, violation.node))
        now = self._wall()
        if ticket is None:
            return self._open(violation, now)
        told_before = self._heard.get(ticket.id) == violation.id
        change = changes.repeated(ticket, violation, now, told_before=told_before)
        return self._save(change, violation_id=violation.id)

    def _open(self, violation: Violation, now: float) -> Ticket:
        fresh = changes.opened(violation, self._origin, now)
        ticket = self._db.add(fresh.ticket, violation.id, fresh.said)
        self._unresolved[_key(ticket)] = ticket
        self._heard[ticket.id] = violation.id
        self._publish(TICKET_OPENED, to_body(ticket))
        return ticket

    def closed(self, violation: Violation) -> Ticket | None:
        """The violation ended: resolve its ticket. None if there is none."""
        ticket = self._unresolved.get(Key(violation.invariant, violation.node))
        return None if ticket is None else self._end(ticket, "")

    # what people do

    def hold(self, ticket_id: int, note: str = "", *, who: str = DAEMON) -> Ticket:
        """A person keeps it: until it is reopened or resolved by hand, nothing else moves it. Raises ``Conflict``."""
        return self._move(self.get(ticket_id), "hold", who=who, note=note)

    def resolve(self, ticket_id: int, note: str = "", *, who: str = DAEMON) -> Ticket:
        """A person says that it is over."""
        return self._move(self.get(ticket_id), "resolve", who=who, note=note)

    def reopen(self, ticket_id: int, note: str = "", *, who: str = DAEMON) -> Ticket:
        """Take up again what was resolved, held or escalated.

        Raises ``Conflict`` for a ticket that is worked on, and for what would be a second unresolved one of a trouble.
        """
        ticket = self.get(ticket_id)
        other = self._unresolved.get(_key(ticket))
        if other is not None and other.id != ticket_id:
            raise Conflict(
                f"ticket {other.id} is already {other.status} for the same trouble", f"look at ticket {other.id}"
            )
        return self._move(ticket, "reopen", who=who, note=note)

    def escalate(self, ticket_id: int, note: str = "", *, who: str = DAEMON) -> Ticket:
        """A person must look. One that is held stays held. Raises ``Conflict`` for one that is resolved."""
        return self._move(self.get(ticket_id), "escalate", who=who, note=note)

    def note(self, ticket_id: int, text: str, *, who: str = DAEMON) -> Ticket:
        """Add a line to a ticket; it shows the last ``MAX_NOTES``, its history has them all."""
        return self._save(changes.noted(self.get(ticket_id), text, self._wall(), who))

    def set_status(self, ticket_id: int, status: str, note: str = "", *, who: str = DAEMON) -> Ticket:
        """Move a ticket to ``status`` in the way that leads there.

        Raises ``BadRequest`` for one that there is not or that nobody is moved to, ``NotFound`` and ``Conflict``.
        """
        event = changes.way_to(status)
        if event == "reopen":
            return self.reopen(ticket_id, note, who=who)
        return self._move(self.get(ticket_id), event, who=who, note=note)

    # what the agent does

    def begin_diagnosis(self, ticket_id: int) -> Ticket:
        """The agent takes a ticket up. One that is held, escalated or acting keeps its status.

        Raises ``NotFound``, or ``Conflict`` if it is resolved: taking it up would reopen it, and nothing would ever
        close it again, because its violation has ended.
        """
        return self._move(self.get(ticket_id), "diagnose", who=AGENT)

    def give_up_diagnosis(self, ticket_id: int) -> Ticket:
        """The agent could not answer: the ticket is as open, or as diagnosed, as it was before."""
        ticket = self.get(ticket_id)
        return ticket if ticket.status != "diagnosing" else self._move(ticket, changes.way_back(ticket), who=AGENT)

    def attach_diagnosis(self, ticket_id: int, diagnosis: Diagnosis) -> Ticket:
        """Put a diagnosis on a ticket. One that is acting, held, escalated or resolved keeps its status.

        The one before it stays in the history.
        """
        return self._save(changes.answered(self.get(ticket_id), diagnosis, self._wall()))

    def begin_action(self, ticket_id: int, *, who: str = AGENT) -> Ticket:
        """An action for this ticket begins. One that is held stays held. Raises ``Conflict`` if it is resolved."""
        return self._move(self.get(ticket_id), "act", who=who)

    def end_action(self, ticket_id: int, *, succeeded: bool, note: str = "", who: str = AGENT) -> Ticket:
        """The action is over. If it failed or did not help, a person must look; one that is resolved stays that."""
        ticket = self.get(ticket_id)
        return self._move(ticket, changes.way_back(ticket) if succeeded else "failed", who=who, note=note)

    def say(self, ticket_id: int, what: str, data: Mapping[str, Any], *, who: str = DAEMON) -> None:
        """Keep ``data`` in the history of a ticket, which does not change otherwise: evidence, an action, a step."""
        self._db.say(self.get(ticket_id).id, changes.say(what, data, who, self._wall()))

    # looking

    def get(self, ticket_id: int) -> Ticket:
        """One ticket. Raises ``NotFound``."""
        for ticket in self._unresolved.values():
            if ticket.id == ticket_id:
                return ticket
        return self._db.get(ticket_id).ticket

    def record(self, ticket_id: int) -> TicketRecord:
        """A ticket with everything that was ever said of it. Raises ``NotFound``."""
        return self._db.record(ticket_id)

    def latest(self) -> Ticket | None:
        """The unresolved ticket that most needs a look: the worst severity first, then the oldest."""
        ranks = {"critical": 0, "warning": 1, "info": 2}
        return min(self._unresolved.values(), key=lambda one: (ranks[one.severity], one.id), default=None)

    def page(
        self,
        status: str | None = None,
        limit: int = 50,
        *,
        since: float | None = None,
        before: int | None = None,
        reopened: bool = False,
    ) -> "Page":
        """The newest tickets, newest first, as ``TicketQueries.page``.

        Raises ``BadRequest`` for a status that there is not.
        """
        known = None if status is None else read_status(status)
        return self._db.page(known, max(1, limit), since=since, before=before, reopened=reopened)

    async def page_everywhere(
        self,
        status: TicketStatus | None = None,
        limit: int = 50,
        *,
        since: float | None = None,
        before: int | None = None,
        reopened: bool = False,
    ) -> "Page":
        """As ``page``, of all hosts. Raises ``Unavailable`` without a shared database, or if it does not answer."""
        if self._shared is None:
            raise Unavailable("no database is shared with other hosts", "[tickets] url in the configuration names one")
        return await self._shared.page(status, limit, since=since, before=before, reopened=reopened)

    def shared_status(self) -> Mapping[str, str | int | None] | None:
        """How far the database that several hosts share is; None without one."""
        return None if self._shared is None else self._shared.status()

    def list(self, status: str | None = None, limit: int = 50) -> Tickets:
        """The tickets of the first ``page``."""
        return self.page(status, limit).tickets

    def unresolved(self) -> Tickets:
        """Every ticket that is not resolved, oldest first."""
        return sorted(self._unresolved.values(), key=lambda ticket: ticket.id)

    def alike(self, ticket: Ticket, limit: int = 3) -> Tickets:
        """Earlier, resolved tickets of the same invariant and node."""
        return self._db.alike(ticket, limit)

    # writing

    def _end(self, ticket: Ticket, remark: str) -> Ticket:
        remark = remark or ("the violation ended" if ticket.status == "held" else "")
        return self._move(ticket, "ended", note=remark)

    def _move(self, ticket: Ticket, event: Event, *, who: str = DAEMON, note: str = "") -> Ticket:
        """Raises ``Conflict`` for what the table does not allow; what changes nothing is not written."""
        change = changes.moved(ticket, event, self._wall(), who, note)
        return ticket if change is None else self._save(change)

    def _save(self, change: Change, *, violation_id: str = "") -> Ticket:
        ticket = change.ticket
        resolved = ticket.status == "resolved"
        key = _key(ticket)
        known = self._unresolved.get(key)
        violation_id = violation_id or self._heard.get(ticket.id, "") or self._db.get(ticket.id).violation_id
        self._db.save(ticket, violation_id, change.said)
        if not resolved:
            self._unresolved[key] = ticket
            self._heard[ticket.id] = violation_id
        elif known is not None and known.id == ticket.id:
            del self._unresolved[key]
            self._heard.pop(ticket.id, None)
        became_resolved = resolved and known is not None and known.id == ticket.id
        self._publish(TICKET_RESOLVED if became_resolved else TICKET_UPDATED, to_body(ticket))
        return ticket


def _key(ticket: Ticket) -> Key:
    return Key(ticket.invariant, ticket.node)
