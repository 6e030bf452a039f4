"""What can be done about a Valkey cluster, each with what must be true before it: checked when it is executed.

Between the proposal of an action and its execution a person decides; what was true then may not be true any more.
"""

import contextlib
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from operator_protocol.errors import Conflict, NotFound, OperatorError, Unavailable
from operator_protocol.models import Action, ActionKind, FaultParam
from operatord.clock import Clock
from operatord.injectors.base import Scene, Target
from operatord.subjects.valkey.assembly import Assembly
from operatord.subjects.valkey.failover import follows, replication, take_over
from operatord.subjects.valkey.procfs import stopped_by_signal
from operatord.subjects.valkey.views import parse_info
from operatord.subjects.valkey.wire import CommandRefused, NodeGone, NodeSilent, connection, text

START, RESUME, RESTART = "start_server", "resume_server", "restart_server"
FAILOVER, UNPAUSE = "failover", "unpause_clients"

_VERIFY_S = 30.0
"""As long as the recovery of a fault may take; a server that is back is in sync after 1 to 4 s here."""
_ASK_S = 1.0
_TO = FaultParam("to", "the replica that takes over; empty for one that is in sync", "")

KINDS: Mapping[str, ActionKind] = {
    kind.name: kind
    for kind in (
        ActionKind(START, "a server that does not run is started again on its data", "safe", [], _VERIFY_S),
        ActionKind(RESUME, "SIGCONT: a server that was stopped by a signal goes on", "safe", [], _VERIFY_S),
        ActionKind(
            RESTART,
            "SIGTERM, after 5 s SIGKILL, and the server is started again on its data",
            "disruptive",
            [],
            _VERIFY_S,
        ),
        ActionKind(
            FAILOVER,
            "CLUSTER FAILOVER: a replica takes the place of the target, its primary, in good order",
            "disruptive",
            [_TO],
            _VERIFY_S,
        ),
        ActionKind(UNPAUSE, "CLIENT UNPAUSE: a server whose clients were paused answers them", "safe", [], _VERIFY_S),
    )
}

_Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Ready:
    """An action whose preconditions hold at this moment."""

    do: _Step
    would: str
    """What it is about to do."""
    done: str
    """What to say afterwards."""


class Actor:
    """Executes actions on the servers of one assembly."""

    def __init__(self, assembly: Assembly, clock: Clock) -> None:
        self._assembly = assembly
        self._servers = assembly.servers
        self._clock = clock

    async def check(self, action: Action) -> str:
        """What would be done. Raises ``Conflict`` with what stands against it now, ``NotFound``, ``Unavailable``."""
        return (await self._ready(action)).would

    async def act(self, action: Action) -> str:
        """Check again, do it, and say in one line what was done."""
        ready = await self._ready(action)
        await ready.do()
        return ready.done

    async def _ready(self, action: Action) -> _Ready:
        if action.kind not in KINDS:
            raise NotFound(f"valkey has no action {action.kind!r}", f"known: {', '.join(KINDS)}")
        self._assembly.layout_of(action.target)
        match action.kind:
            case "start_server":
                return self._start(action.target)
            case "resume_server":
                return self._resume(action.target)
            case "restart_server":
                return await self._restart(action.target)
            case "failover":
                return await self._fail_over(action)
            case _:
                return await self._unpause(action.target)

    def _start(self, name: str) -> _Ready:
        pid = self._servers.pid(name)
        if pid is not None:
            raise Conflict(f"{name} runs already (pid {pid}): there is nothing to start")
        return _Ready(
            lambda: self._assembly.revive(name), f"start {name} on its data", f"{name} was started, and answers"
        )

    def _resume(self, name: str) -> _Ready:
        pid = self._running(name)
        if not stopped_by_signal(pid):
            raise Conflict(f"{name} is not stopped by a signal: there is nothing to resume")
        return _Ready(
            lambda: self._assembly.revive(name), f"send SIGCONT to {name} (pid {pid})", f"{name} goes on, and answers"
        )

    async def _restart(self, name: str) -> _Ready:
        pid = self._running(name)
        scene = self._assembly.scene(name)
        if not stopped_by_signal(pid):
            # One that serves nobody anyway takes nothing away with it.
            await self._require_spare(scene)

        async def restart() -> None:
            # A stopped process follows no TERM.
            self._assembly.signal(name, signal.SIGCONT)
            await self._servers.terminate(name)
            await self._assembly.revive(name)

        return _Ready(restart, f"end {name} (pid {pid}) and start it on its data", f"{name} was restarted, and answers")

    async def _require_spare(self, scene: Scene) -> None:
        """A primary that serves may go for a moment only if a replica can take its place."""
        name = scene.target.id
        try:
            told = await replication(scene.target)
        except OperatorError:
            return  # it does not answer: nobody is served by it
        if told.get("role") == "master" and await self._successor(scene) is None:
            raise Conflict(f"{name} has no replica in sync: its slots would be without an owner", "repair that first")

    async def _fail_over(self, action: Action) -> _Ready:
        scene, wanted = self._assembly.scene(action.target), str(action.params.get(_TO.name) or "")
        if wanted:
            self._assembly.layout_of(wanted)
        told = await replication(scene.target)
        if told.get("role") != "master":
            raise Conflict(
                f"{action.target} is a replica: there is nothing to take over", "name the primary of its shard"
            )
        successor = await self._successor(scene, wanted)
        if successor is None:
            raise Conflict(f"{wanted or 'no replica'} is in sync with {action.target}, and could take over")
        return _Ready(
            lambda: take_over(successor, self._clock),
            f"have {successor.id} take the place of {action.target}",
            f"{successor.id} is primary in the place of {action.target}",
        )

    async def _successor(self, scene: Scene, wanted: str = "") -> Target | None:
        for other in scene.others:
            if wanted in ("", other.id):
                with contextlib.suppress(OperatorError):
                    if follows(await replication(other), scene.target):
                        return other
        return None

    async def _unpause(self, name: str) -> _Ready:
        self._running(name)
        target = self._assembly.scene(name).target
        async with connection(name, target.host, target.ports[0]) as client:
            try:
                info = parse_info(text(await client.command("INFO", "clients", deadline_s=_ASK_S)))
            except (NodeGone, NodeSilent, CommandRefused) as error:
                raise Unavailable(
                    f"{name} does not say whether its clients are paused: {error.message}",
                    "a pause of all commands holds back CLIENT UNPAUSE as well, and ends by itself",
                ) from error
        if info.get("paused_reason", "none") != "client_pause":
            raise Conflict(f"the clients of {name} are not paused")

        async def unpause() -> None:
            async with connection(name, target.host, target.ports[0]) as client:
                try:
                    await client.command("CLIENT", "UNPAUSE", deadline_s=_ASK_S)
                except (CommandRefused, NodeGone, NodeSilent) as error:
                    raise Unavailable(f"{name} did not unpause its clients: {error.message}") from error

        return _Ready(unpause, f"send CLIENT UNPAUSE to {name}", f"the clients of {name} are answered again")

    def _running(self, name: str) -> int:
        pid = self._servers.pid(name)
        if pid is None:
            raise Conflict(f"{name} does not run", f"start it: operatorctl act {START} {name}")
        return pid
