"""A bus, those who publish on it and those who read, each a process of its own, and rounds of frames between them."""

import contextlib
import itertools
import json
import math
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.errors import DaemonUnreachable
from operator_protocol.requests import Requester

from .clusterwatch import Unexpected

_START_S = 10.0
_ATTEMPT_S = 1.0
_WARM_FRAMES = 200
_rounds = itertools.count(1)


class Child:
    """One process of ``python -m tests.bench.MODULE``: lines in, lines of JSON out."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.name = " ".join((module, *arguments))
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._buffer = bytearray()

    def signal(self, signum: int) -> None:
        """Send it a signal."""
        self._process.send_signal(signum)

    def tell(self, line: str) -> None:
        """Write one line to its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def hear(self, number: int, timeout_s: float) -> dict[str, Any] | None:
        """What it says of round ``number``, or None; what it said of earlier ones is passed over."""
        assert self._process.stdout is not None
        until = time.monotonic() + timeout_s
        while True:
            while b"\n" in self._buffer:
                line, _, rest = bytes(self._buffer).partition(b"\n")
                self._buffer = bytearray(rest)
                told: dict[str, Any] = json.loads(line)
                if told["round"] == number:
                    return told
            if not select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            if not (data := self._process.stdout.read(1 << 20)):
                raise Unexpected(f"{self.name} ended")
            self._buffer += data

    def close(self) -> None:
        """End it, be it stopped."""
        self._process.terminate()
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Buses:
    """Starts processes, and ends those that it started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._ends = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ends.close()

    def child(self, module: str, *arguments: str) -> Child:
        """A process of that module."""
        one = Child(module, *arguments)
        self._ends.callback(one.close)
        return one

    def address(self, name: str) -> str:
        """Where a peer may listen."""
        return f"ipc://{self.directory}/{name}"

    def source(self, kind: str, *addresses: str) -> Child:
        """A source of frames."""
        return self.child("bus_sources", kind, *addresses)

    def reader(self, kind: str, *arguments: str) -> Child:
        """One who receives them."""
        return self.child("bus_readers", kind, *arguments)

    def bus(self) -> Endpoint:
        """The daemon's bus, in this directory; it answers."""
        endpoint = runtime_endpoint(self.directory)
        self.child("bus_process", str(self.directory))
        until = time.monotonic() + _START_S
        with Requester(endpoint, actor="bench") as requester:
            while True:
                try:
                    requester.command("ping", deadline_s=1)
                except DaemonUnreachable as error:
                    if time.monotonic() > until:
                        raise Unexpected(f"no bus after {_START_S:g} s: {error}") from error
                    time.sleep(0.02)
                else:
                    return endpoint


def begin_round(source: Child, count: int, rate: float = 0.0) -> int:
    """Have ``source`` send ``count`` frames, ``rate`` a second or as fast as it can. Returns the round's number."""
    number = next(_rounds)
    source.tell(f"{number} {count} {rate:g}")
    return number


def end_round(number: int, readers: Sequence[Child], timeout_s: float) -> list[dict[str, Any]]:
    """What all readers say of it. Raises ``Unexpected`` if one of them does not."""
    until = time.monotonic() + timeout_s
    told = []
    for reader in readers:
        heard = reader.hear(number, max(0.0, until - time.monotonic()))
        if heard is None:
            raise Unexpected(f"{reader.name} did not tell of its round within {timeout_s:g} s")
        told.append(heard)
    return told


def warm_up(source: Child, readers: Sequence[Child]) -> None:
    """Send rounds until every reader has seen the end of one: everybody is connected, subscribed and awake."""
    until = time.monotonic() + _START_S
    while True:
        number = begin_round(source, _WARM_FRAMES)
        with contextlib.suppress(Unexpected):
            end_round(number, readers, _ATTEMPT_S)
            return
        if time.monotonic() > until:
            raise Unexpected(f"frames of {source.name} do not arrive")


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least so many percent of all are not above."""
    if not samples:
        raise Unexpected("nothing was measured")
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


def in_turns(rounds: int, names: Sequence[str]) -> Iterator[str]:
    """Each of ``names`` once a round, so that whatever else happens on the machine happens to all of them."""
    for _ in range(rounds):
        yield from names
