"""``make bench``: measures, prints one JSON document on stdout and its progress on stderr.

No figure makes it fail: it exits with 1 only when something could not be measured or was left behind, and with 2 for a
usage error.
"""

import argparse
import contextlib
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from operatord.leftovers import MARKER, find_marked

from .catalogue import BENCHMARKS
from .figures import Figure
from .machine import describe, keep_to_cores, load_average
from .registry import Bench, Benchmark

_SETTLE_S = 3.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks that were named, or all of them."""
    parser = _parser()
    options = parser.parse_args(argv)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"unknown benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    if options.cores < 1:
        parser.error("--cores must be at least 1")
    chosen = [BENCHMARKS[name] for name in dict.fromkeys(options.names or BENCHMARKS)]
    # Every process of the run inherits it; what carries it at the end was left behind.
    marker = os.environ[MARKER] = f"bench-{secrets.token_hex(6)}"
    report: dict[str, Any] = {"machine": describe(keep_to_cores(options.cores)), "quick": options.quick}
    began = time.monotonic()
    with _signals_interrupt(), tempfile.TemporaryDirectory(prefix="operatord-bench-") as path:
        bench = Bench(Path(path), quick=options.quick)
        try:
            report["benchmarks"] = {one.name: _measure(bench, one) for one in chosen}
        finally:
            bench.drop_daemon()
            left = _end_leftovers(marker, Path(path))
    report["took_s"] = round(time.monotonic() - began, 1)
    report["missed"] = [
        figure["name"]
        for measured in report["benchmarks"].values()
        for figure in measured["figures"]
        if figure.get("met") is False
    ]
    report["left_behind"] = left
    print(json.dumps(report, indent=2))
    return 1 if left or any("error" in measured for measured in report["benchmarks"].values()) else 0


def _parser() -> argparse.ArgumentParser:
    listing = "\n".join(f"  {one.name:<11}{one.summary}" for one in BENCHMARKS.values())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure, beside peers in the same run; one JSON document on stdout.",
        epilog=f"benchmarks:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under a minute; to see that it works")
    parser.add_argument("--cores", type=int, default=2, metavar="N", help="use only so many (default 2)")
    return parser


def _measure(bench: Bench, benchmark: Benchmark) -> dict[str, Any]:
    bench.say(f"{benchmark.name}: {benchmark.summary}")
    measured: dict[str, Any] = {"summary": benchmark.summary, "load_average": load_average(), "figures": []}
    began = time.monotonic()
    try:
        figures = benchmark.run(bench)
    except Exception as error:  # one that fails must not take the others with it
        measured["error"] = f"{type(error).__name__}: {error}"
        bench.say(f"  failed: {measured['error']}")
        # It may have left the shared daemon in any state.
        bench.drop_daemon()
    else:
        measured["figures"] = [figure.to_json() for figure in figures]
        for figure in figures:
            bench.say(f"  {_line(figure)}")
    measured["took_s"] = round(time.monotonic() - began, 1)
    return measured


def _line(figure: Figure) -> str:
    told = figure.to_json()
    parts = [f"{figure.name}: {told['median']:g} {figure.unit} ({told['min']:g} to {told['max']:g}, n={told['n']})"]
    if figure.target is not None:
        parts.append(f"target {figure.target:g}: {'met' if told['met'] else 'MISSED'}")
    parts += [f"{name} {peer['median']:g} (ratio {peer['ratio']:g})" for name, peer in told.get("peers", {}).items()]
    return "; ".join(parts)


def _end_leftovers(marker: str, root: Path) -> list[str]:
    """End what is still there, and name it. Nothing should be."""
    until = time.monotonic() + _SETTLE_S
    while (left := _left(marker, root)) and time.monotonic() < until:
        time.sleep(0.1)
    named = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            named.append(f"{process.pid} {' '.join(process.cmdline()) or process.name()}")
            process.kill()
    return named


def _left(marker: str, root: Path) -> list[psutil.Process]:
    """By the marker, and, since valkey-server overwrites its environment, by a working directory of this run."""
    found: dict[int, psutil.Process] = {}
    for one in find_marked(marker):
        with contextlib.suppress(psutil.NoSuchProcess):
            found[one.pid] = psutil.Process(one.pid)
    for process in psutil.process_iter(["cwd"]):
        cwd = process.info["cwd"]
        if cwd and Path(cwd).is_relative_to(root):
            found[process.pid] = process
    return list(found.values())


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """TERM and HUP end the run like Ctrl+C: through every ``finally``."""

    def interrupt(_signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = {signum: signal.signal(signum, interrupt) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("bench: interrupted; everything was ended", file=sys.stderr)
        sys.exit(130)
