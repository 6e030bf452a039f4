"""Why there is no answer of Claude, told from one another by what is to be done about it."""

from dataclasses import dataclass
from typing import Literal

from operator_protocol.models import Scalar

Kind = Literal["transient", "lasting", "spent", "unfit"]
"""``transient``: worth another try later. ``lasting``: will fail until somebody changes something. ``spent``: a budget
was reached. ``unfit``: there was an answer, and it is none."""


@dataclass(frozen=True, slots=True)
class Reason:
    """In words for a person, and when to try again."""

    kind: Kind
    text: str
    retry_after_s: float | None = None
    """As the API asked for, if it did."""


class GaveUp(Exception):
    """The investigation ended without an answer."""

    def __init__(self, reason: Reason, *, may_be_charged: bool = False) -> None:
        super().__init__(reason.text)
        self.reason = reason
        self.may_be_charged = may_be_charged
        """The request was cut off while somebody may have been at work on it; how much that cost is not known."""
        self.usage: dict[str, Scalar] | None = None
        """What was spent nevertheless."""
