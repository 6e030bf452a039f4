"""Which mechanism does which fault, and how one of any kind is taken back and judged.

Four kinds are signals to the server itself; the rest is done by injectors. Whatever a fault did, its undo also starts a
server that does not run: a full disk or a memory limit may have ended it.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence

from operator_protocol.errors import Conflict, NotFound, Unavailable
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.clock import Clock
from operatord.injectors.base import Ending, Injector
from operatord.subjects.base import Observation
from operatord.subjects.valkey import faults
from operatord.subjects.valkey.assembly import Assembly
from operatord.subjects.valkey.procfs import stopped_by_signal

_SIGNAL_S = 2.0
"""Within this time a signalled process has ended or stopped, or something is very wrong."""

_STEP_S = 0.005


class Breaker:
    """Breaks the servers of one assembly."""

    def __init__(
        self, assembly: Assembly, clock: Clock, *, inside: Sequence[Injector], outside: Sequence[Injector]
    ) -> None:
        """``inside`` are those that ask the servers themselves to do it, so that it ends with them."""
        self._assembly = assembly
        self._servers = assembly.servers
        self._injectors = {injector.kind.name: injector for injector in (*inside, *outside)}
        self._outside = frozenset(injector.kind.name for injector in outside)
        self._clock = clock
        self._traces: dict[str, faults.Trace] = {}
        self._undone: set[str] = set()
        """Ids of faults that an injector has taken back, as far as it knows."""

    def catalogue(self) -> Mapping[str, FaultKind]:
        """Those done by signals, and those of the injectors."""
        return {**faults.CATALOGUE, **{name: injector.kind for name, injector in self._injectors.items()}}

    async def prepare(self, fault: Fault) -> Mapping[str, Scalar]:
        """What the undo will need. Raises ``NotFound`` for an unknown fault or node, ``Conflict`` when the node does
        not run, and what the injector raises."""
        if fault.kind not in self.catalogue():
            raise self._unknown(fault)
        self._assembly.layout_of(fault.target)
        pid = self._servers.pid(fault.target)
        if pid is None:
            raise Conflict(f"{fault.target} does not run", "recover it first")
        memo = faults.memo(pid, self._clock())
        if injector := self._injectors.get(fault.kind):
            memo |= await injector.prepare(fault, self._assembly.scene(fault.target))
        return memo

    async def inject(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Returns when it has its effect: the process is gone, stopped, started again, or what the injector says."""
        self._assembly.layout_of(fault.target)
        if injector := self._injectors.get(fault.kind):
            await injector.inject(fault, self._assembly.scene(fault.target), memo)
        else:
            await self._signal(fault)
        self._trace(fault)

    async def undo(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Take it back, start the server if it does not run, wake it if it was paused."""
        name = fault.target
        self._assembly.layout_of(name)
        try:
            if injector := self._injectors.get(fault.kind):
                await injector.undo(fault, self._assembly.scene(name), memo)
                self._undone.add(fault.id)
        finally:
            # For the rest the process table knows better what is running than a memo from before the fault.
            if self._servers.pid(name) is None:
                await self._assembly.start_again(name)
            elif fault.kind == faults.PAUSE:
                self._assembly.signal(name, signal.SIGCONT)
        self._trace(fault)

    def remains(self, fault: Fault, memo: Mapping[str, Scalar], observation: Observation) -> str:
        """What of it is still there, in one line; empty when nothing is."""
        return self._holds(fault, memo, observation) or faults.remains(
            fault,
            memo,
            observation,
            trace=self._traces.get(fault.id),
            pid=self._servers.pid(fault.target),
            now_mono=self._clock(),
        )

    async def leftovers(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """What the injector finds of it outside the server."""
        injector = self._injectors.get(fault.kind)
        return await injector.leftovers(fault, self._assembly.scene(fault.target), memo) if injector else ""

    async def clear(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """What an injector did outside the servers, taken back whether or not they are still there."""
        if fault.kind not in self._outside:
            return ""
        injector, scene = self._injectors[fault.kind], self._assembly.scene_without_servers(fault.target)
        await injector.undo(fault, scene, memo)
        return await injector.leftovers(fault, scene, memo)

    def _holds(self, fault: Fault, memo: Mapping[str, Scalar], observation: Observation) -> str:
        """A server may look well while an injector still has it: no look at the cluster can tell that it has let go."""
        injector = self._injectors.get(fault.kind)
        if injector is None:
            return ""
        if isinstance(injector, Ending):
            return injector.holds(fault, self._assembly.scene(fault.target), memo, observation)
        return "" if fault.id in self._undone else f"{fault.kind} holds {fault.target} until it is undone"

    async def _signal(self, fault: Fault) -> None:
        name = fault.target
        match fault.kind:
            case faults.KILL | faults.RESTART:
                self._servers.signal(name, signal.SIGKILL)
                await self._wait(lambda: self._servers.pid(name) is None, f"{name} did not end after SIGKILL")
                if fault.kind == faults.RESTART:
                    await self._assembly.start_again(name)
            case faults.STOP:
                await self._assembly.end(name)
            case faults.PAUSE:
                self._servers.signal(name, signal.SIGSTOP)
                await self._wait(
                    lambda: stopped_by_signal(self._servers.pid(name)), f"{name} did not stop after SIGSTOP"
                )
            case _:
                raise self._unknown(fault)

    def _unknown(self, fault: Fault) -> NotFound:
        return NotFound(f"valkey has no fault {fault.kind!r}", f"known: {', '.join(self.catalogue())}")

    def _trace(self, fault: Fault) -> None:
        self._traces[fault.id] = faults.Trace(self._clock())

    async def _wait(self, done: Callable[[], bool], otherwise: str) -> None:
        end = self._clock() + _SIGNAL_S
        while not done():
            if self._clock() > end:
                raise Unavailable(otherwise)
            await asyncio.sleep(_STEP_S)
