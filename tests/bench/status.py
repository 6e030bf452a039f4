"""What ``operatorctl status`` costs as a whole process, beside the status commands of other supervisors."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence

from .clusterwatch import Unexpected
from .figures import Figure
from .peers import BIN, circusd, supervisord
from .registry import Bench, Benchmark

TARGET_MS = 60.0
_DEADLINE_S = 30.0


def run(bench: Bench) -> list[Figure]:
    """In turns, so that whatever else happens on the machine happens to all of them."""
    daemon = bench.daemon()
    with supervisord(bench.directory()) as supervisor, circusd(bench.directory()) as circus:
        commands = {
            "operatorctl": [str(BIN / "operatorctl"), "--endpoint", str(daemon.runtime_dir), "status"],
            "supervisorctl": supervisor.status_command,
            "circusctl": circus.status_command,
            # What no Python program can be faster than.
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        for command in commands.values():
            _time_ms(command)
        taken_ms: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(bench.rounds(30, 6)):
            for name, command in commands.items():
                taken_ms[name].append(_time_ms(command))
    ours = taken_ms.pop("operatorctl")
    return [Figure("status", "ms", ours, target=TARGET_MS, peers=taken_ms, note="from spawn to exit")]


def _time_ms(command: Sequence[str]) -> float:
    began = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        taken = _await_end(process) - began
        status = process.wait()
        if status != 0:
            said = process.stderr.read() if process.stderr else ""
            raise Unexpected(f"{' '.join(command)} ended with {status}: {said.strip()}")
    return taken * 1000


def _await_end(process: "subprocess.Popen[str]") -> float:
    """The monotonic time of its end. ``Popen.wait(timeout)`` looks every 50 ms only; the kernel tells at once."""
    pidfd = os.pidfd_open(process.pid)
    try:
        if not select.select([pidfd], [], [], _DEADLINE_S)[0]:
            process.kill()
            raise Unexpected(f"{process.args!r} did not end within {_DEADLINE_S:g} s")
        return time.monotonic()
    finally:
        os.close(pidfd)


BENCHMARK = Benchmark("status", "operatorctl status as a whole process, beside supervisorctl and circusctl", run)
