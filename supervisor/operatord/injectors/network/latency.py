"""A long line: what the target sends arrives later."""

from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord.injectors.base import Memo, Scene
from operatord.injectors.network.common import NEEDS, OUT, Queues, number, require
from operatord.isolation.abilities import NETEM
from operatord.isolation.faults import HANDLES, set_queue
from operatord.isolation.network import IsolatedNetwork

DELAY = FaultParam(
    "delay", "by how much later what the target sends arrives", default=100.0, unit="ms", minimum=0.1, maximum=60_000
)
JITTER = FaultParam(
    "jitter", "by how much that varies, up and down, at random", default=0.0, unit="ms", minimum=0, maximum=60_000
)

_PACKETS = 100_000
"""How many may be on their way; netem's own limit of 1,000 would make a loss of it."""


def delay_queue(fault: Fault) -> list[str]:
    """In the words of ``tc``. Raises ``BadRequest`` for parameters out of bounds."""
    delay_us, jitter_us = (round(number(fault, param) * 1000) for param in (DELAY, JITTER))
    return ["netem", "limit", str(_PACKETS), "delay", f"{delay_us}us", *([f"{jitter_us}us"] if jitter_us else [])]


class Latency:
    """``latency``."""

    def __init__(self, network: IsolatedNetwork) -> None:
        self._network = network
        self._queues = Queues(network, HANDLES["latency"])

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            "latency",
            "what the target sends arrives later, so each of its round trips takes that much longer",
            "removing the queue",
            [DELAY, JITTER],
            needs=f"{NEEDS}, and the kernel's netem queue",
            missing=self._network.missing(NETEM),
        )

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Raises ``Unavailable``, ``BadRequest``, ``Conflict`` when another fault has its queue there."""
        require(self.kind, scene)
        number(fault, DELAY)
        number(fault, JITTER)
        await self._queues.require_none(scene)
        return {"handle": self._queues.handle}

    async def inject(self, fault: Fault, scene: Scene, _memo: Memo) -> None:
        """Set the queue."""
        queue = delay_queue(fault)
        for namespace, link in self._queues.links(scene, OUT):
            await set_queue(self._network.commands, namespace, link, self._queues.handle, queue)

    async def undo(self, _fault: Fault, scene: Scene, _memo: Memo) -> None:
        """Remove the queue."""
        await self._queues.remove(scene)

    async def leftovers(self, _fault: Fault, scene: Scene, _memo: Memo) -> str:
        """The queue, if it is there."""
        return await self._queues.left(scene)
