"""What is on its way to the ticket desk: in order, and none lost when the database is busy for a moment."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from operator_protocol.errors import NotFound, OperatorError, Unavailable
from operator_protocol.models import Violation
from operatord.tickets.desk import TicketDesk

_MOST = 10_000
"""What waits while the database cannot be written; of more than that, what is said of tickets is dropped first."""


class _Waiting(NamedTuple):
    what: str
    hand_over: Callable[[], object]


class TicketInbox:
    """Hands violations, and what is said of tickets, to the desk; what it cannot write is tried again by ``retry``."""

    def __init__(self, desk: TicketDesk, log: Callable[[str], None]) -> None:
        self._desk = desk
        self._log = log
        self._waiting: deque[_Waiting] = deque()
        self._reconciled = False

    def opened(self, violation: Violation) -> None:
        """A violation began."""
        self._take(_Waiting(_told(violation), lambda: self._desk.opened(violation)))

    def closed(self, violation: Violation) -> None:
        """A violation ended."""
        self._take(_Waiting(_told(violation), lambda: self._desk.closed(violation)))

    def said(self, ticket: int, what: str, data: Mapping[str, Any], who: str) -> None:
        """Something belongs into the history of a ticket."""

        def hand_over() -> None:
            try:
                self._desk.say(ticket, what, data, who=who)
            except NotFound:
                return  # of a ticket that this database does not have: nothing to add it to

        if len(self._waiting) < _MOST:
            self._take(_Waiting(f"what was said of ticket {ticket}", hand_over))

    def retry(self) -> None:
        """Hand over what waits, as far as the desk can take it."""
        while self._waiting:
            first = self._waiting[0]
            try:
                first.hand_over()
            except Unavailable:
                return
            except OperatorError as error:
                # It would fail again each time and keep the others waiting.
                self._log(f"{first.what} is not kept: {error}")
            self._waiting.popleft()

    def observed(self, healthy: bool | None, open_violations: list[Violation]) -> None:
        """At the first healthy look of this run, settle the tickets that an earlier run left open."""
        if healthy is True and not self._reconciled and not self._waiting:
            try:
                self._desk.reconcile(open_violations, healthy=True)
            except Unavailable:
                return
            self._reconciled = True

    def _take(self, arrival: _Waiting) -> None:
        was_empty = not self._waiting
        self._waiting.append(arrival)
        if was_empty:
            self.retry()
            if self._waiting:
                self._log("tickets cannot be written at the moment; they are kept and tried again")


def _told(violation: Violation) -> str:
    return f"{violation.invariant} on {violation.node or 'the cluster'}"
