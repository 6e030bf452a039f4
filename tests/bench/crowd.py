"""What many clients, and one that is stopped, do to the others."""

import signal

from .buses import Buses, begin_round, end_round, warm_up
from .figures import Figure
from .latency import delays_us, percentiles
from .registry import Bench, Benchmark

SUBSCRIBERS = 200
TARGET_STOPPED = 1.25
"""Of the median; two rounds without a stopped client differ by as much."""
_PROCESSES = 4
_RATE = 1_000.0
_FLOOD = 100_000
"""More than is kept for a client that does not read: 20,000 frames here, 50,000 there, and what the kernel holds."""
_ROUND_S = 20.0


def run(bench: Bench) -> list[Figure]:
    """First the crowd, then the stopped one."""
    return [*_crowd(bench), *_beside_a_stopped_one(bench)]


def _crowd(bench: Bench) -> list[Figure]:
    frames = bench.rounds(5_000, 1_000)
    with Buses(bench.directory()) as buses:
        worker = buses.source("worker", buses.bus().ingest)
        readers = [
            buses.reader("crowd", str(buses.directory), str(SUBSCRIBERS // _PROCESSES)) for _ in range(_PROCESSES)
        ]
        warm_up(worker, readers)
        told = end_round(begin_round(worker, frames, _RATE), readers, _ROUND_S)
    lost = [float(frames - count) for one in told for count in one["received"]]
    took_s = max(one["ended"] for one in told) - min(one["began"] for one in told)
    return [
        Figure(
            "crowd.lost",
            "frames",
            [sum(lost)],
            target=0,
            note=f"of {SUBSCRIBERS} subscribers in {_PROCESSES} processes, {frames:,} frames to each of them",
        ),
        Figure("crowd.rate", "frames/s", [frames / took_s], better="higher", note=f"{_RATE:g} were sent"),
    ]


def _beside_a_stopped_one(bench: Bench) -> list[Figure]:
    without: list[list[float]] = []
    beside: list[list[float]] = []
    with Buses(bench.directory()) as buses:
        endpoint = buses.bus()
        worker, reader = buses.source("worker", endpoint.ingest), buses.reader("delay", endpoint.frames)
        for _ in range(bench.rounds(3, 1)):
            warm_up(worker, [reader])
            without.append(delays_us(worker, [reader]))
            other = buses.reader("delay", endpoint.frames)
            warm_up(worker, [reader, other])
            other.signal(signal.SIGSTOP)
            # From its end on, the bus drops for the one that is stopped.
            end_round(begin_round(worker, _FLOOD), [reader], _ROUND_S)
            beside.append(delays_us(worker, [reader]))
            other.close()
    ratios = {
        percent: [
            one / two for one, two in zip(percentiles(beside, percent), percentiles(without, percent), strict=True)
        ]
        for percent in (50, 99)
    }
    return [
        Figure("crowd.stopped.p50", "x", ratios[50], target=TARGET_STOPPED, note="latency beside a stopped client"),
        Figure("crowd.stopped.p99", "x", ratios[99]),
    ]


BENCHMARK = Benchmark("crowd", "200 subscribers; latency beside a client that is stopped", run)
