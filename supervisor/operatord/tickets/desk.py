"""The ticket desk: the one writer of tickets.

A violation opens one ticket, deduplicated by invariant and node; repeats update it; its end resolves it. What a
person decided stays decided: a ticket that is held keeps that status through repeats and through the end of the
violation, and one that is escalated is never reopened by a repeat, so neither can go round in circles. An observation
that could not be made reaches nobody here: it closes no violation, so it resolves no ticket.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, get_args

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, Conflict
from operator_protocol.models import Diagnosis, Ticket, TicketStatus, Violation
from operator_protocol.records import to_body
from operator_protocol.topics import TICKET_OPENED, TICKET_RESOLVED, TICKET_UPDATED
from operatord.clock import Clock

if TYPE_CHECKING:  # SQLAlchemy is behind it: a quarter of a second that a start cannot spare
    from operatord.tickets.db import TicketDB

Publish = Callable[[str, Body], None]
Tickets: TypeAlias = list[Ticket]

STATUSES: tuple[TicketStatus, ...] = get_args(TicketStatus)
MAX_NOTES = 100
_INTERRUPTED: tuple[TicketStatus, ...] = ("diagnosing", "acting")
"""What only a living daemon can be doing."""
_DIAGNOSABLE: tuple[TicketStatus, ...] = ("open", "diagnosing", "diagnosed")


class Key(NamedTuple):
    """What makes two violations the same trouble."""

    invariant: str
    node: str | None


class TicketDesk:
    """Tickets and their life. Every change is on disk before it is published."""

    def __init__(self, db: "TicketDB", publish: Publish, wall: Clock = time.time) -> None:
        self._db = db
        self._publish = publish
        self._wall = wall
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
                kept = self._save(self._noted(replace(ticket, status="open"), f"{ticket.status} was interrupted"))
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

    def opened(self, violation: Violation) -> Ticket:
        """Open a ticket for ``violation``, or update the unresolved one of the same invariant and node."""
        ticket = self._unresolved.get(Key(violation.invariant, violation.node))
        now = self._wall()
        if ticket is None:
            fresh = Ticket(
                id=0,
                invariant=violation.invariant,
                node=violation.node,
                severity=violation.severity,
                status="open",
                message=violation.message,
                opened_at=now,
                updated_at=now,
            )
            ticket = self._db.add(fresh, violation.id)
            self._unresolved[_key(ticket)] = ticket
            self._heard[ticket.id] = violation.id
            self._publish(TICKET_OPENED, to_body(ticket))
            return ticket
        told_before = self._heard.get(ticket.id) == violation.id
        self._heard[ticket.id] = violation.id
        return self._save(
            replace(
                ticket,
                occurrences=ticket.occurrences + (0 if told_before else 1),
                message=violation.message,
                severity=violation.severity,
                updated_at=now,
            )
        )

    def closed(self, violation: Violation) -> Ticket | None:
        """The violation ended: resolve its ticket. None if there is none."""
        ticket = self._unresolved.get(Key(violation.invariant, violation.node))
        return None if ticket is None else self._end(ticket, "")

    def set_status(self, ticket_id: int, status: str, note: str = "") -> Ticket:
        """Move a ticket by hand.

        Raises ``BadRequest`` for a status that there is not, ``NotFound``, and ``Conflict`` for what would be a second
        unresolved ticket of one trouble.
        """
        wanted = read_status(status)
        ticket = self.get(ticket_id)
        other = self._unresolved.get(_key(ticket))
        if wanted != "resolved" and other is not None and other.id != ticket_id:
            raise Conflict(
                f"ticket {other.id} is already {other.status} for the same trouble", f"look at ticket {other.id}"
            )
        now = self._wall()
        resolved_at = (ticket.resolved_at or now) if wanted == "resolved" else None
        moved = replace(ticket, status=wanted, updated_at=now, resolved_at=resolved_at)
        return self._save(self._noted(moved, note) if note else moved)

    def begin_diagnosis(self, ticket_id: int) -> Ticket:
        """The agent takes a ticket up. One that is held, escalated or acting keeps its status.

        Raises ``NotFound``, or ``Conflict`` if it is resolved: taking it up would reopen it, and nothing would ever
        close it again, because its violation has ended.
        """
        ticket = self.get(ticket_id)
        if ticket.status == "resolved":
            raise Conflict(f"ticket {ticket_id} is resolved", "only unresolved tickets are diagnosed")
        if ticket.status not in ("open", "diagnosed"):
            return ticket
        return self._save(replace(ticket, status="diagnosing", updated_at=self._wall()))

    def give_up_diagnosis(self, ticket_id: int) -> Ticket:
        """The agent could not answer: the ticket is as open, or as diagnosed, as it was before."""
        ticket = self.get(ticket_id)
        if ticket.status != "diagnosing":
            return ticket
        status: TicketStatus = "open" if ticket.diagnosis is None else "diagnosed"
        return self._save(replace(ticket, status=status, updated_at=self._wall()))

    def attach_diagnosis(self, ticket_id: int, diagnosis: Diagnosis) -> Ticket:
        """Put a diagnosis on a ticket. One that is acting, held, escalated or resolved keeps its status."""
        ticket = self.get(ticket_id)
        status: TicketStatus = "diagnosed" if ticket.status in _DIAGNOSABLE else ticket.status
        return self._save(replace(ticket, diagnosis=diagnosis, status=status, updated_at=self._wall()))

    def note(self, ticket_id: int, text: str) -> Ticket:
        """Add a line to a ticket; the oldest lines go when there are more than ``MAX_NOTES``."""
        return self._save(replace(self._noted(self.get(ticket_id), text), updated_at=self._wall()))

    def get(self, ticket_id: int) -> Ticket:
        """One ticket. Raises ``NotFound``."""
        for ticket in self._unresolved.values():
            if ticket.id == ticket_id:
                return ticket
        return self._db.get(ticket_id).ticket

    def latest(self) -> Ticket | None:
        """The unresolved ticket that most needs a look: the worst severity first, then the oldest."""
        ranks = {"critical": 0, "warning": 1, "info": 2}
        return min(self._unresolved.values(), key=lambda one: (ranks[one.severity], one.id), default=None)

    def list(self, status: str | None = None, limit: int = 50) -> Tickets:
        """The newest tickets, newest first. Raises ``BadRequest`` for a status that there is not."""
        return self._db.list(None if status is None else read_status(status), max(1, limit))

    def unresolved(self) -> Tickets:
        """Every ticket that is not resolved, oldest first."""
        return sorted(self._unresolved.values(), key=lambda ticket: ticket.id)

    def alike(self, ticket: Ticket, limit: int = 3) -> Tickets:
        """Earlier, resolved tickets of the same invariant and node."""
        return self._db.alike(ticket, limit)

    def _end(self, ticket: Ticket, remark: str) -> Ticket:
        now = self._wall()
        if ticket.status == "held":
            return self._save(replace(self._noted(ticket, remark or "the violation ended"), updated_at=now))
        ended = replace(ticket, status="resolved", resolved_at=now, updated_at=now)
        return self._save(self._noted(ended, remark) if remark else ended)

    def _noted(self, ticket: Ticket, text: str) -> Ticket:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._wall()))
        return replace(ticket, notes=[*ticket.notes, f"{stamp} {text}"][-MAX_NOTES:])

    def _save(self, ticket: Ticket) -> Ticket:
        resolved = ticket.status == "resolved"
        key = _key(ticket)
        known = self._unresolved.get(key)
        violation_id = self._heard.get(ticket.id, "") or self._db.get(ticket.id).violation_id
        self._db.save(ticket, violation_id)
        if not resolved:
            self._unresolved[key] = ticket
            self._heard[ticket.id] = violation_id
        elif known is not None and known.id == ticket.id:
            del self._unresolved[key]
            self._heard.pop(ticket.id, None)
        became_resolved = resolved and known is not None and known.id == ticket.id
        self._publish(TICKET_RESOLVED if became_resolved else TICKET_UPDATED, to_body(ticket))
        return ticket


def read_status(status: str) -> TicketStatus:
    """``status`` as one of those that there are. Raises ``BadRequest`` naming them."""
    for known in STATUSES:
        if status == known:
            return known
    raise BadRequest(f"unknown ticket status {status!r}", f"one of {', '.join(STATUSES)}")


def _key(ticket: Ticket) -> Key:
    return Key(ticket.invariant, ticket.node)
