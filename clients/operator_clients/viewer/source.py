"""Where the picture comes from: a daemon that is followed, or a recording that is played."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

from operator_protocol.endpoint import Endpoint
from operator_protocol.events import Event, Status
from operator_protocol.frames import Frame
from operator_protocol.state import State


class Source(Protocol):
    """What ``Follower`` and ``Replay`` have in common."""

    endpoint: Endpoint

    @property
    def state(self) -> State:
        """What is true now."""

    @property
    def status(self) -> Status:
        """How good the link is."""

    @property
    def boot_id(self) -> str | None:
        """The boot that the state belongs to."""

    @property
    def tail(self) -> deque[Frame]:
        """Recent frames, oldest first."""

    def age_s(self) -> float:
        """Seconds since the last frame."""

    def fds(self) -> list[int]:
        """Descriptors to wait on."""

    def poll(self, timeout_s: float) -> list[Event]:
        """What happened."""

    def send(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 60.0) -> str:
        """Send a command without waiting; raises ``Unavailable`` where nobody can take it."""
