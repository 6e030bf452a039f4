"""How long a frame is on its way from a worker to a client, beside one hop of ZeroMQ."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from .buses import Buses, Child, begin_round, end_round, in_turns, percentile, warm_up
from .figures import Figure
from .registry import Bench, Benchmark

RATE = 1_000.0
FRAMES = 1_000
TARGETS_US = {50: 150.0, 99: 1_000.0}
_SLOW_TO_WAKE = "cores sleep when there is nothing to do"
_AWAKE = "cores are kept awake"
_ROUND_S = 15.0
_OURS, _PLAIN, _RAW = "client library", "plain SUB", "PUB to SUB"
_SPIN = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while os.getppid() == {parent}:
    pass
"""


def run(bench: Bench) -> list[Figure]:
    """From just before ``publish`` in the worker to when the client's code has the frame.

    A core with nothing to do sleeps, and is slow to wake: a frame wakes six threads on its way. So the same is measured
    with cores that something of no priority keeps awake.
    """
    rounds = _measure(bench)
    figures = [_figure(f"latency.p{percent}", rounds, percent, _SLOW_TO_WAKE) for percent in TARGETS_US]
    with awake_cores():
        # Not its p99: that is how long the kernel takes to see that what has no priority is in the way.
        return [*figures, _figure("latency.awake.p50", _measure(bench), 50, _AWAKE)]


def delays_us(source: Child, readers: Sequence[Child]) -> list[float]:
    """How long the frames of a round were on their way to the first of ``readers``."""
    told = end_round(begin_round(source, FRAMES, RATE), readers, _ROUND_S)[0]
    return [delay * 1e6 for delay in told["delays"]]


@contextlib.contextmanager
def awake_cores() -> Iterator[None]:
    """A process for each core that runs when nothing else wants to."""
    spinners = [
        subprocess.Popen([sys.executable, "-c", _SPIN.format(parent=os.getpid())])
        for _ in range(len(os.sched_getaffinity(0)))
    ]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def _measure(bench: Bench) -> dict[str, list[list[float]]]:
    with Buses(bench.directory()) as buses:
        endpoint = buses.bus()
        worker, raw = buses.source("worker", endpoint.ingest), buses.source("raw", buses.address("raw"))
        plain_reader = buses.reader("delay", buses.address("raw"))
        rounds: dict[str, list[list[float]]] = {_OURS: [], _PLAIN: [], _RAW: []}
        # One after the other: two readers of one bus would be in each other's way.
        for name, kind, argument in ((_OURS, "follow", str(buses.directory)), (_PLAIN, "delay", endpoint.frames)):
            reader = buses.reader(kind, argument)
            ways = {name: (worker, [reader]), _RAW: (raw, [plain_reader])}
            for source, readers in ways.values():
                warm_up(source, readers)
            for each in in_turns(bench.rounds(2, 1), list(ways)):
                rounds[each].append(delays_us(*ways[each]))
            reader.close()
    return rounds


def _figure(name: str, rounds: dict[str, list[list[float]]], percent: int, note: str) -> Figure:
    return Figure(
        name,
        "us",
        percentiles(rounds[_OURS], percent),
        target=TARGETS_US[percent],
        peers={peer: percentiles(rounds[peer], percent) for peer in (_PLAIN, _RAW)},
        note=f"worker to client library, {RATE:g} frames/s, journal on; {note}",
    )


def percentiles(rounds: Sequence[Sequence[float]], percent: float) -> list[float]:
    """One of each round."""
    return [percentile(one, percent) for one in rounds]


BENCHMARK = Benchmark("latency", "one way from a worker to a client, beside one hop of ZeroMQ", run)
