"""Violations on their way to the ticket desk: in order, and none lost when the database is busy for a moment."""

from collections import deque
from collections.abc import Callable

from operator_protocol.errors import OperatorError, Unavailable
from operator_protocol.models import Violation
from operatord.tickets.desk import TicketDesk


class TicketInbox:
    """Hands violations to the desk; those that it cannot write are kept and tried again by ``retry``."""

    def __init__(self, desk: TicketDesk, log: Callable[[str], None]) -> None:
        self._desk = desk
        self._log = log
        self._waiting: deque[tuple[bool, Violation]] = deque()
        self._reconciled = False

    def opened(self, violation: Violation) -> None:
        """A violation began."""
        self._take(is_open=True, violation=violation)

    def closed(self, violation: Violation) -> None:
        """A violation ended."""
        self._take(is_open=False, violation=violation)

    def retry(self) -> None:
        """Hand over what waits, as far as the desk can take it."""
        while self._waiting:
            is_open, violation = self._waiting[0]
            try:
                if is_open:
                    self._desk.opened(violation)
                else:
                    self._desk.closed(violation)
            except Unavailable:
                return
            except OperatorError as error:
                # It would fail again each time and keep the others waiting.
                self._log(f"no ticket for {violation.invariant} on {violation.node}: {error}")
            self._waiting.popleft()

    def observed(self, healthy: bool | None, open_violations: list[Violation]) -> None:
        """At the first healthy look of this run, settle the tickets that an earlier run left open."""
        if healthy is True and not self._reconciled and not self._waiting:
            try:
                self._desk.reconcile(open_violations, healthy=True)
            except Unavailable:
                return
            self._reconciled = True

    def _take(self, *, is_open: bool, violation: Violation) -> None:
        was_empty = not self._waiting
        self._waiting.append((is_open, violation))
        self.retry()
        if was_empty and self._waiting:
            self._log("tickets cannot be written at the moment; they are kept and tried again")
