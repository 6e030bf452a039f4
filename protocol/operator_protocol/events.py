"""What a client library tells its caller; the same for the blocking and the asyncio face."""

from typing import Literal, NamedTuple, TypeAlias

from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError
from operator_protocol.frames import Frame

Status = Literal["joining", "live", "stale", "lost"]
"""``joining`` until the first snapshot and during a resync; ``stale`` after three seconds of silence, ``lost`` when
the daemon does not answer either."""


class FrameSeen(NamedTuple):
    """A frame that was applied to the state."""

    frame: Frame


class Joined(NamedTuple):
    """The first snapshot is in."""

    boot_id: str


class Resynced(NamedTuple):
    """A new snapshot replaced the state: frames were lost, or the daemon is another one."""

    reason: str


class StatusChanged(NamedTuple):
    """The link to the daemon got better or worse."""

    status: Status


class Outcome(NamedTuple):
    """How a command ended that was sent with ``send``; exactly one of ``result`` and ``error`` is set."""

    id: str
    cmd: str
    result: Body | None
    error: OperatorError | None


Event: TypeAlias = FrameSeen | Joined | Resynced | StatusChanged | Outcome
