"""What the viewer costs while it runs, beside Rich's plain ``Live(screen=True)`` with the same picture."""

import fcntl
import os
import pty
import random
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from .buses import percentile
from .clusterwatch import Unexpected
from .figures import Figure
from .peers import BIN
from .registry import Bench

PEER: Final = "Rich Live"
_SIZE = (120, 40)
_FLOOD = 1_000
_MIB = 1 << 20
_TICKS = os.sysconf("SC_CLK_TCK")
_SETTLE_S = 3.0
_DEADLINE_S = 30.0
_IMPORTS = "operator_clients.viewer.cli, operator_clients.viewer.app, operator_protocol.follow"
# Processor time: nothing is waited for, and the clock on the wall of a busy machine measures the others.
_TIMED_IMPORT = f"import time; t = time.process_time(); import {_IMPORTS}; print((time.process_time() - t) * 1000)"


@dataclass
class _Samples:
    """Of one of the two."""

    bytes_s: list[float] = field(default_factory=list)
    keys_ms: list[float] = field(default_factory=list)
    keys_flooded_ms: list[float] = field(default_factory=list)
    idle_percent: list[float] = field(default_factory=list)
    flooded_percent: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)


def figures(bench: Bench) -> list[Figure]:
    """Both look at the same daemon, one after the other."""
    directory = bench.directory()
    source = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.viewer_source", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        _answer(source)
        ours, peer = _Samples(), _Samples()
        for _ in range(bench.rounds(3, 1)):
            _measure(bench, source, [str(BIN / "operator-viewer"), "--endpoint", str(directory)], ours)
            _measure(bench, source, [sys.executable, "-m", "tests.bench.plain_live", str(directory)], peer)
    finally:
        if source.stdin is not None and source.stdout is not None:
            source.stdin.close()
            source.wait(_DEADLINE_S)
            source.stdout.close()
    return [*_told(ours, peer), _imports(bench)]


def _told(ours: _Samples, peer: _Samples) -> list[Figure]:
    def p99(samples: Sequence[float]) -> list[float]:
        return [percentile(samples, 99)]

    def figure(name: str, unit: str, attribute: str, target: float | None, note: str) -> Figure:
        mine, others = getattr(ours, attribute), getattr(peer, attribute)
        if name.endswith("p99"):
            mine, others = p99(mine), p99(others)
        return Figure(f"viewer.{name}", unit, mine, target=target, peers={PEER: others}, note=note)

    frames = f"{_FLOOD:,} frames a second besides"
    return [
        figure("bytes", "B/s", "bytes_s", 1024.0, "written to the terminal, one sample of the load a second"),
        figure(
            "key.p99",
            "ms",
            "keys_ms",
            50.0,
            "the same: the 99th percentile",
        ),
        figure("key.flooded.p99", "ms", "keys_flooded_ms", None, frames),
        figure("cpu.idle", "% of a core", "idle_percent", None, "one sample of the load a second"),
        figure("cpu.flooded", "% of a core", "flooded_percent", 15.0, frames),
        figure("rss", "MiB", "rss_mib", 60.0, "after all that"),
    ]


def _measure(bench: Bench, source: "subprocess.Popen[str]", argv: list[str], into: _Samples) -> None:
    seconds = bench.rounds(10, 5)
    with _Watched(argv) as watched:
        watched.until(b"valkey-5")
        watched.drain(_SETTLE_S)
        began = watched.cpu_s()
        into.bytes_s.append(watched.drain(seconds) / seconds)
        into.idle_percent.append((watched.cpu_s() - began) / seconds * 100)
        into.keys_ms += watched.keys(bench.rounds(100, 20))
        _flood(source, _FLOOD)
        watched.drain(_SETTLE_S)
        began = watched.cpu_s()
        watched.drain(seconds)
        into.flooded_percent.append((watched.cpu_s() - began) / seconds * 100)
        into.keys_flooded_ms += watched.keys(bench.rounds(100, 20))
        _flood(source, 0)
        into.rss_mib.append(watched.rss_bytes() / _MIB)


class _Watched:
    """One program on a pty whose screen nobody draws."""

    def __init__(self, argv: list[str]) -> None:
        self._master, slave = pty.openpty()
        width, height = _SIZE
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        unwanted = ("COLUMNS", "LINES", "NO_COLOR")
        environ = {key: value for key, value in os.environ.items() if key not in unwanted}
        self._process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            os.write(self._master, b"q")
            self.drain(1.0)
        finally:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait(_DEADLINE_S)
            os.close(self._master)

    def until(self, wanted: bytes) -> bytes:
        """Read until that was written; returns all that was read."""
        received = bytearray()
        until = time.monotonic() + _DEADLINE_S
        while wanted not in received:
            data = self._read(until - time.monotonic())
            if not data:
                raise Unexpected(f"{wanted!r} was not written: {bytes(received[-2000:])!r}")
            received += data
        return bytes(received)

    def drain(self, seconds: float) -> int:
        """Read for so long; returns how many bytes came."""
        count, until = 0, time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0 and self._process.poll() is None:
            count += len(self._read(left_s))
        return count

    def keys(self, times: int) -> list[float]:
        """Milliseconds from a key to the picture that shows what it did, at any moment of the second."""
        took = []
        moment = random.Random(8)
        for number in range(times):
            key = number % 5 + 1
            self.drain(moment.uniform(0.05, 0.3))
            began = time.monotonic()
            os.write(self._master, b"%d" % key)
            self.until(b"[%d/5]" % key)
            took.append((time.monotonic() - began) * 1000)
        os.write(self._master, b"\x1b")
        return took

    def cpu_s(self) -> float:
        """Processor time that it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_bytes(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Unexpected("the program under test has ended")

    def _read(self, timeout_s: float) -> bytes:
        if not select.select([self._master], [], [], max(0.0, timeout_s))[0]:
            return b""
        try:
            return os.read(self._master, 1 << 16)
        except OSError:
            return b""


def _imports(bench: Bench) -> Figure:
    def took() -> float:
        done = subprocess.run([sys.executable, "-c", _TIMED_IMPORT], check=True, capture_output=True, text=True)
        return float(done.stdout)

    took()
    samples = [took() for _ in range(bench.rounds(10, 3))]
    return Figure(
        "viewer.import", "ms", samples, target=150.0, note="processor time of all its imports, in a fresh interpreter"
    )


def _flood(source: "subprocess.Popen[str]", rate: float) -> None:
    assert source.stdin is not None
    source.stdin.write(f"{rate:g}\n")
    source.stdin.flush()
    _answer(source)


def _answer(source: "subprocess.Popen[str]") -> None:
    assert source.stdout is not None
    if not select.select([source.stdout], [], [], _DEADLINE_S)[0] or not source.stdout.readline():
        raise Unexpected("the source of the frames does not answer")
