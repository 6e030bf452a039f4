"""``client-pause``: the server lives, follows and votes, but answers no client.

``CLIENT PAUSE`` in its mode ``ALL`` holds back every command of every client, ``CLIENT UNPAUSE`` included: what was
paused for a minute cannot be woken before the minute is over. So the pause is taken in short leases instead. All of
them are sent at once on one connection that is kept open: the server holds back the second command until the first
lease is over, and then executes it before anybody else's (it serves those that it held back in the order in which they
came), so there is no gap. To end the pause the connection is closed, and what of it was not executed is void. That also
happens when this process dies: no pause outlives its daemon by more than a lease.
"""

import asyncio
import contextlib
import math
import time

from operator_protocol.errors import Conflict, Unavailable
from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord.clock import Clock
from operatord.injectors.base import Memo, Scene, Target
from operatord.subjects.base import Observation
from operatord.subjects.valkey.views import parse_info
from operatord.subjects.valkey.wire import (
    Command,
    CommandRefused,
    NodeClient,
    NodeGone,
    NodeSilent,
    Reply,
    connection,
    text,
)

CLIENT_PAUSE = "client-pause"

_LEASE_MS = 200
_DURATION = FaultParam("duration", "it ends by itself after this long", 5.0, "s", 0.5, 300.0)
_PROBE_S = 0.05
"""A server of this machine that is not paused answers in far less."""
_BEGIN_S = 2.0
_ASK_S = 2.0
"""Longer than a lease."""


class ClientPause:
    """``Injector`` of ``client-pause``."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._leases: dict[str, asyncio.Task[list[Reply]]] = {}
        """By the id of the fault."""

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            CLIENT_PAUSE,
            "CLIENT PAUSE: the server lives, follows and votes, but answers no client; there is no failover",
            "itself when its time is over, or before that by letting its lease of 0.2 s expire",
            [_DURATION],
            outage=True,
        )

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Raises ``Conflict`` when somebody else has paused it, ``Unavailable`` when it does not answer."""
        if reason := await _paused(scene.target):
            raise Conflict(reason, "wait until that is over")
        return {}

    async def inject(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Returns when a client is not answered any more."""
        duration_s = float(fault.params.get(_DURATION.name) or _DURATION.default or 0)
        self._leases[fault.id] = asyncio.create_task(
            self._pause(scene.target, duration_s), name=f"{CLIENT_PAUSE} {fault.id}"
        )
        self._leases[fault.id].add_done_callback(_retrieve)
        end = self._clock() + _BEGIN_S
        async with connection(scene.target.id, scene.target.host, scene.target.ports[0]) as client:
            while await _answers(client):
                if self._leases[fault.id].done() or self._clock() > end:
                    await self._release(fault.id)
                    raise Unavailable(f"{scene.target.id} does not heed CLIENT PAUSE")
                await asyncio.sleep(_PROBE_S / 10)

    async def undo(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Close the connection and see the last lease out; a target that is gone has nothing paused."""
        await self._release(fault.id)
        async with connection(scene.target.id, scene.target.host, scene.target.ports[0]) as client:
            with contextlib.suppress(NodeGone, NodeSilent):
                await client.command("CLIENT", "UNPAUSE", deadline_s=_ASK_S)

    async def leftovers(self, fault: Fault, scene: Scene, memo: Memo) -> str:
        """By the server's own word (``INFO clients``); one that is paused would not even answer that."""
        try:
            return await _paused(scene.target)
        except Unavailable as error:
            return error.message

    def holds(self, fault: Fault, scene: Scene, memo: Memo, seen: Observation) -> str:
        """It ends by itself."""
        lease = self._leases.get(fault.id)
        if lease is None or lease.done():
            return ""
        return f"the clients of {scene.target.id} are paused"

    async def _pause(self, target: Target, duration_s: float) -> list[Reply]:
        pause: Command = ("CLIENT", "PAUSE", _LEASE_MS, "ALL")
        leases = math.ceil(duration_s * 1000 / _LEASE_MS)
        async with connection(target.id, target.host, target.ports[0]) as client:
            return await client.ask(*[pause] * leases, deadline_s=duration_s + _ASK_S)

    async def _release(self, fault_id: str) -> None:
        lease = self._leases.pop(fault_id, None)
        if lease is not None:
            lease.cancel()
            await asyncio.gather(lease, return_exceptions=True)


def _retrieve(lease: "asyncio.Task[list[Reply]]") -> None:
    """A target that ends takes its pause along; nobody waits for that error."""
    if not lease.cancelled():
        lease.exception()


async def _answers(client: NodeClient) -> bool:
    try:
        await client.command("PING", deadline_s=_PROBE_S)
    except NodeSilent:
        return False
    return True


async def _paused(target: Target) -> str:
    """Why its clients wait, in one line; empty when they do not. Raises ``Unavailable`` when it does not say."""
    async with connection(target.id, target.host, target.ports[0]) as client:
        try:
            info = parse_info(text(await client.command("INFO", "clients", deadline_s=_ASK_S)))
        except (NodeSilent, CommandRefused) as error:
            raise Unavailable(error.message) from error
    reason = info.get("paused_reason", "none")
    return "" if reason == "none" else f"the clients of {target.id} are paused ({reason})"
