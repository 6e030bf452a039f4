"""The daemon's bus without its subject: the real broker, ingest line and control socket, in a process of its own.

It starts in a fifth of a second and says as much as a test wants it to, faster than any cluster would: ``flood`` and
``burst`` publish numbered frames, on topics that carry state and on others. Its commands are ``ping``, ``hello`` and
``snapshot`` of the real daemon, and a few that let a test see how commands are executed.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import zmq

from operator_protocol.codec import Body, pack
from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.errors import Conflict, DaemonUnreachable, DeadlineExceeded
from operator_protocol.follow import Follower
from operator_protocol.models import ProcessState, Violation
from operator_protocol.records import to_body
from operator_protocol.requests import Requester
from operatord.bus.broker import Broker
from operatord.bus.ingest import Ingest
from operatord.control.commands import COMMANDS
from operatord.control.context import Context
from operatord.control.registry import Command, NoArgs
from operatord.control.server import ControlServer

ROOT = Path(__file__).parents[1]
STATEFUL = tuple(f"process.p{number}.state" for number in range(4))
"""Topics of the flood that carry state: the body's ``restarts`` is the frame's ``topic_seq``."""
PLAIN = tuple(f"load.t{number}" for number in range(12))
"""Topics of the flood that carry none: the body's ``n`` is the frame's ``topic_seq``."""
_REAL = ("ping", "hello", "snapshot")
_START_S = 20.0
_STEP_S = 0.005


@dataclass(frozen=True, slots=True)
class FloodArgs:
    rate: float = 0.0
    """Frames per second; 0 ends the flood."""


@dataclass(frozen=True, slots=True)
class BurstArgs:
    count: int
    size: int = 0
    """Bytes that each body has more."""
    rate: float = 0.0
    """Frames per second; 0 for as fast as it can."""


@dataclass(frozen=True, slots=True)
class SayArgs:
    topic: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WorkArgs:
    target: str = "x"
    seconds: float = 0.0
    fail: bool = False
    held: bool = False
    """Goes on until ``release``, however long the test takes for what it does meanwhile."""


class Parts:
    """What the test's commands work on."""

    def __init__(self, directory: Path) -> None:
        self.zmq: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.endpoint = runtime_endpoint(directory)
        self.broker = Broker(self.zmq, on_listener_error=_complain)
        self.ingest = Ingest(
            self.zmq, self.broker, on_beat=_nothing, on_ready=_nothing, configuration=lambda _: None, log=self.log
        )
        self.control = ControlServer(self.zmq, self._commands())
        self.lines: list[str] = []
        self.executed: Counter[str] = Counter()
        self._numbers: Counter[str] = Counter()
        self._flood: asyncio.Task[None] | None = None
        self._released = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self) -> None:
        self.broker.bind(self.endpoint.frames)
        self.ingest.bind(self.endpoint.ingest)
        self.control.bind(self.endpoint.control)
        context = SimpleNamespace(version="test", broker=self.broker, log=self.log)
        context.called_by = lambda _caller: context
        # Its commands touch no other part of a daemon.
        self.control.serve(cast("Context", context))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.ended.set)
        beats = asyncio.create_task(self._beat())
        await self.ended.wait()
        for task in (beats, self._flood):
            if task is not None:
                task.cancel()
        await self.control.close()
        await self.ingest.close()
        self.control.hang_up()
        self.broker.close()
        self.zmq.term()

    def log(self, line: str) -> None:
        self.lines = [*self.lines[-999:], line]

    async def _beat(self) -> None:
        while True:
            self.broker.heartbeat(dict(self.ingest.intake.refusals))
            await asyncio.sleep(1)

    def _next(self, number: int, padding: bytes = b"") -> None:
        """One frame; every 16th carries state."""
        if number % 16 == 0:
            topic = STATEFUL[number // 16 % len(STATEFUL)]
            self._numbers[topic] += 1
            name = topic.split(".")[1]
            self.broker.publish(topic, to_body(ProcessState(name, "ready", restarts=self._numbers[topic])))
        else:
            topic = PLAIN[number % len(PLAIN)]
            self._numbers[topic] += 1
            body: Body = {"n": self._numbers[topic]}
            self.broker.forward(topic, pack(body | {"padding": padding} if padding else body), "flood")

    async def _keep_flooding(self, rate: float) -> None:
        began, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * rate)
            # After a pause (SIGSTOP) what was missed is not made up for.
            for number in range(max(sent, due - 2_000), due):
                self._next(number)
            sent = due
            await asyncio.sleep(_STEP_S)

    # commands

    async def _release(self, _: Context, __: NoArgs) -> Body:
        self._released.set()
        return {}

    def _commands(self) -> tuple[Command[Any], ...]:
        async def flood(_: Context, args: FloodArgs) -> Body:
            if self._flood is not None:
                self._flood.cancel()
                self._flood = None
            if args.rate:
                self._flood = asyncio.create_task(self._keep_flooding(args.rate))
            return {}

        async def burst(_: Context, args: BurstArgs) -> Body:
            padding = b"." * args.size
            began = time.monotonic()
            for number in range(args.count):
                self._next(number, padding)
                if number % 500 == 499:
                    due = began + number / args.rate if args.rate else 0.0
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
            return {"seq": self.broker.snapshot()["seq"]}

        async def say(_: Context, args: SayArgs) -> Body:
            self.broker.publish(args.topic, args.body)
            return {}

        async def work(_: Context, args: WorkArgs) -> Body:
            self.executed[args.target] += 1
            await asyncio.sleep(args.seconds)
            if args.held:
                await self._released.wait()
            if args.fail:
                raise Conflict("it was not to be", "ask for something else")
            return {"target": args.target, "executed": self.executed[args.target]}

        async def counters(_: Context, __: NoArgs) -> Body:
            return {
                "ingest": self.ingest.intake.counts(),
                "control": self.control.intake.counts(),
                "rejected": self.broker.memory.rejected,
                "executed": dict(self.executed),
                "subscribers": self.broker.subscribers,
                "lines": self.lines[-100:],
                "rss": psutil.Process().memory_info().rss,
            }

        return (
            Command("flood", FloodArgs, flood),
            Command("burst", BurstArgs, burst, long=True),
            Command("say", SayArgs, say),
            Command("work", WorkArgs, work),
            Command("long_work", WorkArgs, work, long=True),
            Command("release", NoArgs, self._release),
            Command("counters", NoArgs, counters, reads=True),
            *(command if command.name in _REAL else _checked(command) for command in COMMANDS),
        )


def _checked(command: Command[Any]) -> Command[Any]:
    """The real command with its real arguments; there is nothing here that it could do."""

    async def nothing(_: Context, args: object) -> Body:
        return {"args": repr(args)[:200]}

    return Command(command.name, command.args, nothing, long=command.long, reads=command.reads)


def _nothing(_name: str, _pid: int) -> None:
    pass


def _complain(topic: str, error: BaseException) -> None:
    raise AssertionError(topic) from error


class BusDaemon:
    """That process: started, paused, killed, started again in the same directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.endpoint: Endpoint = runtime_endpoint(directory)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        # Sockets of one that was killed would refuse the next.
        for name in ("frames", "control", "ingest"):
            (self.directory / f"{name}.sock").unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.bus_daemon", str(self.directory)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
        until = time.monotonic() + _START_S
        while True:
            assert self._process.poll() is None, "it ended at once"
            try:
                self.ask("ping", deadline_s=1)
            except (DaemonUnreachable, DeadlineExceeded):
                assert time.monotonic() < until, "it does not answer"
                time.sleep(0.02)
            else:
                return

    def ask(self, cmd: str, args: Body | None = None, *, deadline_s: float = 20.0) -> Body:
        with Requester(self.endpoint, actor="test") as requester:
            return requester.command(cmd, args, deadline_s=deadline_s)

    def signal(self, signum: int) -> None:
        os.kill(self.pid, signum)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, signum: int) -> None:
        if self._process is not None:
            self._process.send_signal(signum)
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
            self._process.wait(20)
            self._process = None

    @contextlib.contextmanager
    def follower(self, *topics: str) -> Iterator[Follower]:
        with Follower(self.endpoint, topics=topics or None, actor="test") as follower:
            follower.join(10)
            yield follower


@contextlib.contextmanager
def running_bus() -> Iterator[BusDaemon]:
    """One of these, in a directory with a short name: a socket path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="operatord-bus-") as path:
        daemon = BusDaemon(Path(path))
        try:
            daemon.start()
            yield daemon
        finally:
            daemon.stop()


def violation(number: int) -> Body:
    return to_body(Violation(f"v{number}", "node_down", "valkey-1", "critical", "down", 1.0, 2.0))


if __name__ == "__main__":

    async def main() -> None:
        await Parts(Path(sys.argv[1])).run()

    asyncio.run(main())
