"""What a picture and a film of a recording take: ``operator-viewer --replay … --export`` as a whole process."""

import os
import subprocess
import time
from pathlib import Path

from .clusterwatch import Unexpected
from .figures import Figure
from .peers import BIN
from .registry import Bench, Benchmark

_RECORDING = "valkey"
"""A shipped one: the same frames in every run."""
_AT = "55"
_STRETCH = ("--from", "0", "--to", "60")


def run(bench: Bench) -> list[Figure]:
    """The default size, 120x40."""
    out = bench.directory() / "out"
    rounds = bench.rounds(5, 1)
    _export("svg", out, "--at", _AT)
    pictures = [_export("svg", out, "--at", _AT) for _ in range(bench.rounds(20, 3))]
    films = [_export("asciicast", out, *_STRETCH) for _ in range(rounds)]
    note = "processor time of it"
    return [
        Figure("export.svg", "ms", [wall_s * 1000 for wall_s, _ in pictures], note="spawn to exit, one picture"),
        Figure("export.svg.cpu", "ms", [cpu_s * 1000 for _, cpu_s in pictures], note=note),
        Figure("export.asciicast", "s", [wall_s for wall_s, _ in films], note="spawn to exit, a minute of recording"),
        Figure("export.asciicast.cpu", "s", [cpu_s for _, cpu_s in films], note=note),
    ]


def _export(kind: str, out: Path, *options: str) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    out.unlink(missing_ok=True)
    command = [str(BIN / "operator-viewer"), "--replay", _RECORDING, "--export", kind, "--out", str(out), *options]
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    # Of this process alone: what Popen has waited for it tells for all children together.
    _, status, usage = os.wait4(process.pid, 0)
    took_s = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not out.stat().st_size:
        raise Unexpected(f"{' '.join(command)} ended with {process.returncode}")
    return took_s, usage.ru_utime + usage.ru_stime


BENCHMARK = Benchmark("viewer-export", "operator-viewer --export: a picture, and a minute of film, of a recording", run)
