"""Which messages somebody asks for: the database looks for them, so none is missed behind many others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages; None for any."""

    to: str | None = None
    sender: str | None = None
    type: str | None = None
    pending_only: bool = False
