"""What the tests of tickets share: a clock that is set, and violations."""

from dataclasses import dataclass, field
from pathlib import Path

from operator_protocol.codec import Body
from operator_protocol.models import Severity, Violation
from operatord.tickets.db import FILE_NAME, TicketDB
from operatord.tickets.desk import TicketDesk


@dataclass
class Bench:
    """A desk on a real database, its frames and its clock."""

    directory: Path
    now: float = 1_000.0
    frames: list[tuple[str, Body]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.db = TicketDB(self.directory / FILE_NAME)
        self.desk = self.new_desk()

    def new_desk(self) -> TicketDesk:
        return TicketDesk(self.db, lambda topic, body: self.frames.append((topic, body)), lambda: self.now)

    def restart(self) -> TicketDesk:
        """What a daemon that is started again finds."""
        self.db.close()
        self.db = TicketDB(self.directory / FILE_NAME)
        self.frames.clear()
        self.desk = self.new_desk()
        return self.desk

    def topics(self) -> list[str]:
        return [topic for topic, _body in self.frames]


def violation(
    number: int = 1, *, invariant: str = "node_down", node: str | None = "valkey-0", severity: Severity = "critical"
) -> Violation:
    return Violation(f"v-{number}", invariant, node, severity, f"{node} does not answer", 990.0, 999.0)
