"""``kill``, ``stop``, ``pause``, ``restart``: the container ends or freezes, and is brought back."""

from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.subjects.base import Observation
from operatord.subjects.tikv.faults.base import EVERY, Means, Memo, require_running

KILL, STOP, PAUSE, RESTART = "kill", "stop", "pause", "restart"

_BACK = "starting the container again on its data and waiting until PD holds it for well"
KINDS = (
    FaultKind(
        KILL, "docker kill: the server is gone from one moment to the next, as after a crash", _BACK, outage=True
    ),
    FaultKind(STOP, "docker stop: the server is told to end, and killed after 10 s", _BACK, outage=True),
    FaultKind(
        PAUSE,
        "docker pause: the server keeps its connections and answers nothing, as in a long stall",
        "docker unpause",
        outage=True,
    ),
    FaultKind(
        RESTART,
        "docker kill, and the container is started again at once",
        "nothing more than waiting until PD holds it for well",
    ),
)


class StateFault:
    """One of ``KINDS``. Docker suppresses restart policies after a kill, so the undo always starts it itself."""

    contained = True
    roles = EVERY
    lags = False

    def __init__(self, kind: FaultKind) -> None:
        self.kind = kind

    async def prepare(self, fault: Fault, means: Means) -> dict[str, Scalar]:
        """The container must run."""
        await require_running(fault.target, means)
        return {}

    async def inject(self, fault: Fault, means: Means, memo: Memo) -> None:
        """Returns when Docker has done it."""
        containers, name = means.containers, fault.target
        match self.kind.name:
            case "pause":
                await containers.pause(name)
            case "stop":
                await containers.stop(name)
            case _:
                await containers.kill(name)
                if self.kind.name == RESTART:
                    await containers.start(name)

    async def undo(self, fault: Fault, means: Means, memo: Memo) -> None:
        """Bring it back, whatever state it is in."""
        await means.containers.bring_back(fault.target)

    async def leftovers(self, fault: Fault, means: Means, memo: Memo) -> str:
        """By the engine's word."""
        state = (await means.containers.inspect(fault.target)).state
        return "" if state == "running" else f"the container of {fault.target} is {state}"

    def holds(self, fault: Fault, memo: Memo, seen: Observation) -> str | None:
        """What of it is left shows in the node's state."""
        return ""
