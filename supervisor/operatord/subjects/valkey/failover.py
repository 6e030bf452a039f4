"""``failover``: a primary hands its shard over to its replica, in good order (``CLUSTER FAILOVER``).

Nothing is lost and nobody is down; the slots have another owner, and clients are sent there. So it is not over when the
cluster is healthy, which it is all the time, but when the target is primary of its shard again.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping

from operator_protocol.errors import Conflict, OperatorError, Unavailable
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.clock import Clock
from operatord.injectors.base import Memo, Scene, Target
from operatord.subjects.base import Observation
from operatord.subjects.valkey.views import parse_info
from operatord.subjects.valkey.wire import CommandRefused, NodeGone, NodeSilent, connection, text

FAILOVER = "failover"

_ASK_S = 3.0
_DONE_S = 6.0
"""The replica gives up after 5 s by itself."""
_STEP_S = 0.02


class Failover:
    """``Injector`` of ``failover``."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            FAILOVER,
            "CLUSTER FAILOVER: the replica takes the place of the primary in good order; nothing is lost",
            "a failover back: over when the target is primary again",
        )

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Raises ``Conflict`` when the target is no primary, or has no replica in sync that could take over."""
        told = await replication(scene.target)
        if told.get("role") != "master":
            raise Conflict(
                f"{scene.target.id} is a replica, and a failover takes the place of a primary",
                "give the primary of its shard as target",
            )
        for other in scene.others:
            with contextlib.suppress(OperatorError):
                if follows(await replication(other), scene.target):
                    return {"successor": other.id}
        raise Conflict(f"{scene.target.id} has no replica in sync that could take over", "wait until it has one")

    async def inject(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Returns when the replica is primary, and the target follows it."""
        successor = scene.other(str(memo["successor"]))
        await take_over(successor, self._clock)
        await _until(scene.target, "slave", f"{scene.target.id} does not follow {successor.id}", self._clock)

    async def undo(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Fail over to the target. Raises ``Unavailable`` when it is not in sync (yet)."""
        told = await replication(scene.target)
        if told.get("role") == "master":
            return
        if told.get("master_link_status") != "up":
            raise Unavailable(f"{scene.target.id} is not in sync, and cannot take over again yet")
        await take_over(scene.target, self._clock)

    async def leftovers(self, fault: Fault, scene: Scene, memo: Memo) -> str:
        """Nothing outside the cluster."""
        return ""

    def holds(self, fault: Fault, scene: Scene, memo: Memo, seen: Observation) -> str:
        """Over when the target owns slots, whoever gave them back to it."""
        node = seen.node(scene.target.id)
        return "" if node is not None and node.leader else f"{scene.target.id} is not primary again"


async def take_over(replica: Target, clock: Clock) -> None:
    """``CLUSTER FAILOVER`` on ``replica``; returns when it is primary. Raises ``Unavailable`` if it never is."""
    async with connection(replica.id, replica.host, replica.ports[0]) as client:
        try:
            await client.command("CLUSTER", "FAILOVER", deadline_s=_ASK_S)
        except (CommandRefused, NodeSilent) as error:
            raise Unavailable(f"{replica.id} did not take over: {error.message}") from error
    await _until(replica, "master", f"{replica.id} did not take over", clock)


async def _until(target: Target, role: str, otherwise: str, clock: Clock) -> None:
    end = clock() + _DONE_S
    while True:
        told: Mapping[str, str] = {}
        with contextlib.suppress(Unavailable):  # in the middle of a change it may say nothing
            told = await replication(target)
        if told.get("role") == role and (role == "master" or told.get("master_link_status") == "up"):
            return
        if clock() > end:
            raise Unavailable(f"{otherwise} within {_DONE_S:g} s")
        await asyncio.sleep(_STEP_S)


async def replication(target: Target) -> Mapping[str, str]:
    """``INFO replication``. Raises ``Unavailable`` when it does not answer."""
    async with connection(target.id, target.host, target.ports[0]) as client:
        try:
            return parse_info(text(await client.command("INFO", "replication", deadline_s=_ASK_S)))
        except (NodeGone, NodeSilent, CommandRefused) as error:
            raise Unavailable(f"{target.id} does not tell its role: {error.message}") from error


def follows(told: Mapping[str, str], primary: Target) -> bool:
    """Whether a replica that tells this is in sync with ``primary``."""
    return (
        told.get("role") == "slave"
        and told.get("master_link_status") == "up"
        and (told.get("master_host"), told.get("master_port")) == (primary.host, str(primary.ports[0]))
    )
