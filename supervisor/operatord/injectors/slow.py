"""``slow``: a gray failure. The server is there and answers, but late, because it is stopped most of the time.

A process of ours (``duty_cycle``) stops and continues it. Nobody in the cluster holds the server for failed, and the
throughput of the whole hides it: its own latency is the only sign.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from operator_protocol.errors import Conflict, NotFound, Unavailable
from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord import procfs
from operatord.clock import Clock
from operatord.injectors import duty_cycle
from operatord.injectors.base import Memo, Scene
from operatord.subjects.base import Observation, Servers

SLOW = "slow"

_PERCENT = FaultParam("percent", "share of the time for which it is stopped", 70.0, "%", 1.0, 95.0)
_PERIOD = FaultParam("period", "length of one turn, stopped and running", 20.0, "ms", 10.0, 500.0)
"""At most half of the shortest time after which a cluster in its default settings holds a silent node for failed."""

_BEGIN_S = 5.0
"""Python starts in 20 ms; on a host that is out of breath it takes its time."""
_END_S = 1.0
_STEP_S = 0.005


class SlowFault:
    """``Injector`` of ``slow``."""

    def __init__(self, servers: Servers, clock: Clock = time.monotonic) -> None:
        self._servers = servers
        self._clock = clock

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            SLOW,
            "SIGSTOP and SIGCONT in a duty cycle: the server answers late, and nobody holds it for failed",
            "ending the process that does it, and SIGCONT",
            [_PERCENT, _PERIOD],
        )

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Raises ``Conflict`` when the target does not run, or is driven already."""
        target = scene.target
        if target.pid is None or target.start_time is None:
            raise Conflict(f"{target.id} does not run", "recover it first")
        driver = f"{SLOW}-{target.id}"
        if self._servers.pid(driver) is not None:
            raise Conflict(f"{driver} runs already", "operatorctl recover ends it")
        return {"driver": driver}

    async def inject(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Returns when the cycle has begun."""
        target, driver = scene.target, str(memo["driver"])
        percent, period_ms = self._param(fault, _PERCENT), self._param(fault, _PERIOD)
        figures = [os.getpid(), target.pid, target.start_time, percent, period_ms]
        command = [sys.executable, "-I", "-S", str(Path(duty_cycle.__file__)), *map(str, figures)]
        pid = await self._servers.launch(driver, command, guarded=True)
        end = self._clock() + _BEGIN_S
        while _title(pid) != duty_cycle.TITLE:
            if self._servers.pid(driver) is None:
                raise Unavailable(f"{driver} ended at once", f"operatorctl logs {driver} says why")
            if self._clock() > end:
                raise Unavailable(f"{driver} did not begin within {_BEGIN_S:g} s")
            await asyncio.sleep(_STEP_S)

    async def undo(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """End the driver first, or it would stop the target again."""
        await self._servers.terminate(str(memo["driver"]), timeout_s=_END_S)
        with contextlib.suppress(NotFound):  # it may have ended; it is started again continued
            self._servers.signal(scene.target.id, signal.SIGCONT)

    async def leftovers(self, fault: Fault, scene: Scene, memo: Memo) -> str:
        """The driver, and a target that it left stopped."""
        if (pid := self._servers.pid(str(memo["driver"]))) is not None:
            return f"{memo['driver']} (pid {pid}) still runs"
        if scene.target.pid is not None and _state(scene.target.pid) == "T":
            return f"{scene.target.id} is stopped by a signal"
        return ""

    def holds(self, fault: Fault, scene: Scene, memo: Memo, seen: Observation) -> str:
        """It ends with its target, when somebody restarts that."""
        runs = self._servers.pid(str(memo["driver"])) is not None
        return f"{memo['driver']} stops {scene.target.id} again and again" if runs else ""

    @staticmethod
    def _param(fault: Fault, param: FaultParam) -> Scalar:
        return fault.params.get(param.name, param.default)


def _title(pid: int) -> str:
    stat = procfs.read_stat(pid)
    return "" if stat is None else stat.comm


def _state(pid: int) -> str:
    """State letter of the process; empty when it has ended."""
    stat = procfs.read_stat(pid)
    return "" if stat is None else stat.state
