"""Whether an action helped: the violation behind the ticket must really be over, as seen after the action."""

from collections.abc import Callable

from operator_protocol.models import Ticket
from operator_protocol.state import State


class Verification:
    """Judged by the state that the monitor's frames make: what is not known is not over."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def is_over(self, ticket: Ticket, since_mono: float) -> bool:
        """True when a look that began after ``since_mono`` could be made, and the violation is not open any more."""
        state = self._state()
        look = state.cluster
        if look is None or look.ok is None or look.observed_mono < since_mono:
            return False
        return not self.is_open(ticket)

    def is_open(self, ticket: Ticket) -> bool:
        """Whether the violation is open."""
        violations = self._state().violations.values()
        return any((one.invariant, one.node) == (ticket.invariant, ticket.node) for one in violations)
