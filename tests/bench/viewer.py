"""From the launch of ``operator-viewer`` to the first painted screen, in a pseudo-terminal; then what it costs."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from dataclasses import dataclass

from . import viewer_live
from .clusterwatch import NODES, Unexpected
from .figures import Figure
from .peers import BIN
from .registry import Bench, Benchmark

TARGET_MS = 400.0
JOIN_TARGET_MS = 250.0
_WIDTH, _HEIGHT = 120, 40
_ALTERNATE_SCREEN = b"\x1b[?1049h"
_PAINTED = b"\x1b[?2026l"
"""The end of synchronized output: from here on a terminal shows the picture."""
_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class _Paint:
    screen_s: float
    """From the launch to the switch to the alternate screen, after which the viewer joins."""
    painted_s: float
    """From the launch to the first picture."""
    cluster_s: float
    """From the launch to the first picture with all nodes."""


def run(bench: Bench) -> list[Figure]:
    """The viewer is quit after each first picture."""
    endpoint = str(bench.daemon().runtime_dir)
    _launch(endpoint)
    paints = [_launch(endpoint) for _ in range(bench.rounds(20, 4))]
    return [
        Figure(
            "viewer",
            "ms",
            [paint.cluster_s * 1000 for paint in paints],
            target=TARGET_MS,
            note="launch of the process to the first picture with the six nodes: stricter than from the join",
        ),
        Figure("viewer.any_paint", "ms", [paint.painted_s * 1000 for paint in paints], note="launch to any picture"),
        Figure(
            "viewer.join_to_paint",
            "ms",
            [(paint.cluster_s - paint.screen_s) * 1000 for paint in paints],
            target=JOIN_TARGET_MS,
            note="terminal taken over, then join, snapshot, first picture with the six nodes",
        ),
        *viewer_live.figures(bench),
    ]


def _launch(endpoint: str) -> _Paint:
    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _HEIGHT, _WIDTH, 0, 0))
        began = time.monotonic()
        process = subprocess.Popen(
            [str(BIN / "operator-viewer"), "--endpoint", endpoint],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
        )
        try:
            paint = _watch(master, began)
            os.write(master, b"q")
            _drain_until_ended(master, process)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    finally:
        os.close(slave)
        os.close(master)
    return paint


def _watch(master: int, began: float) -> _Paint:
    received = bytearray()
    screen_s = painted_s = 0.0
    while select.select([master], [], [], max(0.0, began + _DEADLINE_S - time.monotonic()))[0]:
        received += os.read(master, 65536)
        now_s = time.monotonic() - began
        if not screen_s and _ALTERNATE_SCREEN in received:
            screen_s = now_s
        if _PAINTED in received:
            painted_s = painted_s or now_s
            picture = _ESCAPES.sub(b"", received[: received.rindex(_PAINTED)])
            if all(b"valkey-%d" % number in picture for number in range(NODES)):
                return _Paint(screen_s, painted_s, now_s)
    raise Unexpected(f"no picture of the cluster within {_DEADLINE_S:g} s: {bytes(received[-2000:])!r}")


def _drain_until_ended(master: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise Unexpected("the viewer did not quit")
        if select.select([master], [], [], 0.02)[0]:
            with contextlib.suppress(OSError):
                os.read(master, 65536)


BENCHMARK = Benchmark(
    "viewer", "operator-viewer: to its first picture, then bytes, keys, processor, memory, beside Rich's Live", run
)
