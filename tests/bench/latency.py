"""How long a frame is on its way from a worker to a client, and whether a client that is stopped changes that."""

import os
import signal
from collections.abc import Sequence

from .buses import Buses, Child, begin_round, end_round, in_turns, percentile, warm_up
from .figures import Figure
from .registry import Bench, Benchmark

RATE = 1_000.0
FRAMES = 2_000
TARGET_P50_US = 150.0
TARGET_P99_US = 1_000.0
TARGET_STOPPED = 1.25
"""What a stopped client may change; two rounds without one differ by as much."""
_FLOOD = 100_000
"""More than ZeroMQ keeps for a client that does not read (20,000 here, 50,000 there, and what the kernel holds)."""
_ROUND_S = 15.0
_OURS, _PLAIN, _RAW = "client library", "plain SUB", "PUB to SUB"


def run(bench: Bench) -> list[Figure]:
    """From just before ``publish`` in the worker to when the client's code has the frame."""
    return [*_one_way(bench), *_beside_a_stopped_one(bench)]


def _one_way(bench: Bench) -> list[Figure]:
    with Buses(bench.directory()) as buses:
        endpoint = buses.bus()
        worker = buses.source("worker", endpoint.ingest)
        raw = buses.source("raw", buses.address("raw"))
        ways = {_RAW: (raw, buses.reader("delay", buses.address("raw")))}
        # Ours one after the other, or the two would wait for each other on the way.
        delays_us: dict[str, list[list[float]]] = {name: [] for name in (_OURS, _PLAIN, _RAW)}
        for name, kind, argument in (
            (_OURS, "follow", str(buses.directory)),
            (_PLAIN, "delay", endpoint.frames),
        ):
            reader = buses.reader(kind, argument)
            ways[name] = (worker, reader)
            for each in (name, _RAW):
                warm_up(ways[each][0], [ways[each][1]])
            for each in in_turns(bench.rounds(2, 1), (name, _RAW)):
                delays_us[each].append(_delays_us(*ways[each]))
            reader.close()
    return [
        Figure(
            f"latency.p{percent}",
            "us",
            _percentiles(delays_us[_OURS], percent),
            target=target,
            peers={name: _percentiles(delays_us[name], percent) for name in (_PLAIN, _RAW)},
            note=f"one way, worker to client, {RATE:g} frames/s, journal on",
        )
        for percent, target in ((50, TARGET_P50_US), (99, TARGET_P99_US))
    ]


def _beside_a_stopped_one(bench: Bench) -> list[Figure]:
    with Buses(bench.directory()) as buses:
        endpoint = buses.bus()
        worker = buses.source("worker", endpoint.ingest)
        reader = buses.reader("follow", str(buses.directory))
        other = buses.reader("delay", endpoint.frames)
        warm_up(worker, [reader, other])
        without, beside = [], []
        for _ in range(bench.rounds(3, 1)):
            without.append(_delays_us(worker, reader))
            os.kill(other.pid, signal.SIGSTOP)
            try:
                # From here on the bus drops for it.
                end_round(begin_round(worker, _FLOOD), [reader], _ROUND_S)
                beside.append(_delays_us(worker, reader))
            finally:
                os.kill(other.pid, signal.SIGCONT)
            warm_up(worker, [reader, other])
    ratios = {
        percent: [
            one / two for one, two in zip(_percentiles(beside, percent), _percentiles(without, percent), strict=True)
        ]
        for percent in (50, 99)
    }
    return [
        Figure("latency.stopped_peer.p50", "x", ratios[50], target=TARGET_STOPPED, note="beside a stopped client"),
        Figure("latency.stopped_peer.p99", "x", ratios[99], note="the same of the slowest of a hundred frames"),
    ]


def _delays_us(source: Child, reader: Child) -> list[float]:
    told = end_round(begin_round(source, FRAMES, RATE), [reader], _ROUND_S)[0]
    return [delay * 1e6 for delay in told["delays"]]


def _percentiles(rounds: Sequence[Sequence[float]], percent: float) -> list[float]:
    return [percentile(one, percent) for one in rounds]


BENCHMARK = Benchmark("latency", "one way from a worker to a client, also beside a client that is stopped", run)
