"""Real servers for the tests of subjects: plain processes, ended by their pid when the test ends."""

import asyncio
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from operator_protocol.errors import Conflict, NotFound, Unavailable
from operator_protocol.models import Scalar
from operatord.subjects.base import Observation, Servers
from operatord.subjects.valkey.control import ValkeyControl
from operatord.subjects.valkey.probe import ValkeyProbe

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_the_tests() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class PlainServers:
    """``Servers`` without a supervisor; needs no event loop of its own, so it may outlive one."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    async def launch(self, name: str, argv: Sequence[str], *, cwd: Path | None = None, guarded: bool = False) -> int:
        if self.pid(name) is not None:
            raise Conflict(f"{name} runs already")
        with (self._log_dir / f"{name}.log").open("ab") as log:
            try:
                process = subprocess.Popen(  # noqa: ASYNC220 - a few milliseconds, in a test
                    argv,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=_die_with_the_tests,  # noqa: PLW1509 - one thread, and nothing but prctl in there
                )
            except OSError as error:
                raise Unavailable(f"cannot start {name}: {error}") from error
        self._running[name] = process
        return process.pid

    async def terminate(self, name: str, *, timeout_s: float = 5.0) -> None:
        process = self._running.get(name)
        if process is None:
            return
        end = time.monotonic() + timeout_s
        process.terminate()
        while process.poll() is None:
            if time.monotonic() > end:
                process.kill()
            await asyncio.sleep(0.005)

    def signal(self, name: str, signum: int) -> None:
        pid = self.pid(name)
        if pid is None:
            raise NotFound(f"{name} does not run")
        os.kill(pid, signum)

    def pid(self, name: str) -> int | None:
        process = self._running.get(name)
        return process.pid if process is not None and process.poll() is None else None

    def exit_code(self, name: str) -> int | None:
        """Of the last process of that name; None while it runs."""
        return self._running[name].poll()

    def start_time(self, name: str) -> float | None:
        pid = self.pid(name)
        if pid is None:
            return None
        return float(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])

    def end_all(self) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
            process.wait()


LookUntil = Callable[[ValkeyProbe, Callable[[Observation], bool]], Awaitable[Observation]]
"""Look again and again until the condition holds; fails with the last reason after 20 s."""


@pytest.fixture
def look_until() -> LookUntil:
    async def until(probe: ValkeyProbe, condition: Callable[[Observation], bool]) -> Observation:
        end = time.monotonic() + 20
        while not condition(seen := await probe.observe(0.5)):
            states = {node.id: node.state for node in seen.nodes}
            assert time.monotonic() < end, f"still: {seen.reason or 'ok'} {states}"
            await asyncio.sleep(0.02)
        return seen

    return until


ControlFactory = Callable[..., ValkeyControl]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Processes that end with the test, however it ends."""
    plain = PlainServers(tmp_path)
    yield plain
    plain.end_all()


@pytest.fixture
def make_control(servers: Servers, tmp_path: Path) -> Iterator[ControlFactory]:
    """A control half on ``servers``: ``make_control(keep=True, memory_bytes=…)``."""
    made: list[ValkeyControl] = []

    def make(*, keep: bool = False, **options: Scalar) -> ValkeyControl:
        made.append(ValkeyControl(servers, tmp_path / "state", options, keep=keep))
        return made[-1]

    yield make
    for control in made:
        asyncio.run(control.stop())
