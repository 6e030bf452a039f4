"""What the tests of the coordination share: a desk on a real database, its frames, the state they make, and a clock."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.models import CoordinationMessage, DevOpsActivity, MessagePayload
from operator_protocol.state import State
from operatord.coordination.desk import CoordinationDesk
from operatord.coordination.store import CoordinationStore
from operatord.coordination.wanted import Wanted
from operatord.tickets.db import FILE_NAME, TicketDB

HOUR_S = 3600.0
ANY = Wanted()


@dataclass
class Bench:
    directory: Path
    now: float = 1_790_000_000.0
    frames: list[tuple[str, Body]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self.state = State()
        self.db = TicketDB(self.directory / FILE_NAME)
        self.store = CoordinationStore(self.db)
        self.desk = CoordinationDesk(
            self.store, self._publish, lambda: self.state, self.lines.append, wall=self._clock, clock=self._clock
        )

    def _clock(self) -> float:
        return self.now

    def _publish(self, topic: str, body: Body) -> None:
        self.frames.append((topic, body))
        self.state.apply(topic, body)

    def restart(self) -> None:
        """What a daemon that is started again finds, and tells."""
        self.db.close()
        self.frames.clear()
        self._open()
        self.desk.resume()

    def say(
        self,
        kind: str = "GENERAL",
        description: str = "",
        *,
        sender: str = "backend",
        to: str = "orchestrator",
        requires_ack: bool = True,
    ) -> CoordinationMessage:
        payload = MessagePayload(kind.lower(), description)
        return self.desk.publish(kind, sender, to, payload, requires_ack=requires_ack)[0]

    def devops(self, kind: str, activity_id: str = "deploy-7", **said: Any) -> DevOpsActivity:
        """Publish a ``DEVOPS_*`` message; the operation as it stands then."""
        description = json.dumps({"activity_id": activity_id, **said})
        payload = MessagePayload(kind.lower(), description)
        activity = self.desk.publish(f"DEVOPS_{kind}", "devops", "all", payload, requires_ack=False)[1]
        assert activity is not None
        return activity

    def start(self, activity_id: str = "deploy-7", *steps: str) -> DevOpsActivity:
        return self.devops(
            "STARTED", activity_id, operation=f"Deploy {activity_id}", steps=list(steps or ("pull", "apply"))
        )
