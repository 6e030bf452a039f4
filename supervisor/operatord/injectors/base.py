"""The contract of an injector: what disturbs one server, how it is taken back, and what is left of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from operator_protocol.errors import NotFound
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.subjects.base import Observation

Memo = Mapping[str, Scalar]
"""What an undo from outside needs to know; written to the undo journal before the injection."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server as an injector sees it."""

    id: str
    host: str
    ports: tuple[int, ...]
    """All that it listens on."""
    directory: Path
    """Its data."""
    pid: int | None = None
    """None while it does not run."""
    start_time: float | None = None
    """Kernel start time in clock ticks since boot."""
    namespace: str = ""
    """Name of its network namespace; empty when it has none of its own."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The target of a fault, and who is around it."""

    target: Target
    others: Sequence[Target] = field(default_factory=tuple)
    """The other servers of the subject."""

    def other(self, node_id: str) -> Target:
        """The server of that id. Raises ``NotFound``."""
        for one in self.others:
            if one.id == node_id:
                return one
        raise NotFound(f"there is no other node {node_id!r}", f"there are {', '.join(one.id for one in self.others)}")


class Injector(Protocol):
    """One kind of fault. All methods run on the daemon's loop and must not block it.

    ``undo`` and ``leftovers`` also run in ``operatord recover``, without a daemon, and after a restart of the machine:
    they may rely on the memo and the scene only, must be idempotent, and must cope with a target that is gone, was
    started again, or whose pid is somebody else's by now.
    """

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry; ``missing`` says what this host lacks for it."""

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Check what can be checked and return the memo. Raises ``Unavailable``, ``Conflict`` or ``BadRequest``."""

    async def inject(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Do it, and return when it has its effect."""

    async def undo(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Take it back."""

    async def leftovers(self, fault: Fault, scene: Scene, memo: Memo) -> str:
        """What of it is still there, in one line; empty when nothing is."""


@runtime_checkable
class Ending(Protocol):
    """An injector whose fault may be over without its undo: it ends by itself, or somebody else can end it.

    That of any other injector holds until it was undone, whatever the subject looks like meanwhile.
    """

    def holds(self, fault: Fault, scene: Scene, memo: Memo, seen: Observation) -> str:
        """What still holds, by ``seen`` or by what is known here at once, in one line; empty when nothing does."""
