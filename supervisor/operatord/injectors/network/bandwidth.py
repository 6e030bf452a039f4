"""A narrow line: a token bucket before the target, one behind it, or both."""

from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord.injectors.base import Memo, Scene
from operatord.injectors.network.common import DIRECTION, NEEDS, Queues, number, require, text
from operatord.isolation.abilities import TBF
from operatord.isolation.faults import HANDLES, set_queue
from operatord.isolation.network import IsolatedNetwork

RATE = FaultParam(
    "rate",
    "what passes at most, in each direction",
    default=256.0 * 1024,
    unit="bytes/s",
    minimum=1024,
    maximum=1024**3,
)

_BURST_S = 0.02
_MIN_BURST_BYTES = 4 * 1024
"""Room for two full packets; larger ones are cut by the kernel."""

_QUEUE_S = 0.2
_MIN_QUEUE_BYTES = 64 * 1024
"""What waits longer than this is dropped, as by a router; TCP slows down by it."""


def token_bucket(fault: Fault) -> list[str]:
    """In the words of ``tc``. Raises ``BadRequest`` for a rate out of bounds."""
    rate = round(number(fault, RATE))
    burst = max(_MIN_BURST_BYTES, round(rate * _BURST_S))
    limit = burst + max(_MIN_QUEUE_BYTES, round(rate * _QUEUE_S))
    # In the language of tc, bps is bytes per second.
    return ["tbf", "rate", f"{rate}bps", "burst", str(burst), "limit", str(limit)]


class Bandwidth:
    """``bandwidth``."""

    def __init__(self, network: IsolatedNetwork) -> None:
        self._network = network
        self._queues = Queues(network, HANDLES["bandwidth"])

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            "bandwidth",
            "the target's line is narrow: what exceeds the rate waits, and is dropped when too much of it waits",
            "removing the queues",
            [RATE, DIRECTION],
            needs=NEEDS,
            missing=self._network.missing(TBF),
        )

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Raises ``Unavailable``, ``BadRequest``, ``Conflict`` when another fault has its queue there."""
        require(self.kind, scene)
        number(fault, RATE)
        text(fault, DIRECTION)
        await self._queues.require_none(scene)
        return {"handle": self._queues.handle}

    async def inject(self, fault: Fault, scene: Scene, _memo: Memo) -> None:
        """Set the queues."""
        queue = token_bucket(fault)
        for namespace, link in self._queues.links(scene, text(fault, DIRECTION)):
            await set_queue(self._network.commands, namespace, link, self._queues.handle, queue)

    async def undo(self, _fault: Fault, scene: Scene, _memo: Memo) -> None:
        """Remove the queues."""
        await self._queues.remove(scene)

    async def leftovers(self, _fault: Fault, scene: Scene, _memo: Memo) -> str:
        """The queues that are there."""
        return await self._queues.left(scene)
