"""How many frames a second pass through the bus, beside what ZeroMQ itself passes in the same run."""

import statistics
from collections.abc import Sequence
from typing import Any

from .buses import Buses, Child, begin_round, end_round, in_turns, warm_up
from .figures import Figure
from .registry import Bench, Benchmark

FRAMES = 50_000
"""So many a round; fewer than the high-water marks of both ends let pile up, so that a slow reader loses nothing."""
TARGETS = {1: 0.3, 8: 0.5}
"""At least so much of what a plain PUB does, by number of subscribers."""
_ROUND_S = 15.0
_OURS, _RAW, _HOP = "bus", "PUB to SUB", "SUB to PUB in Python"


def run(bench: Bench) -> list[Figure]:
    """First to one subscriber, then to eight, each of them a process."""
    figures: list[Figure] = []
    for subscribers in TARGETS:
        figures += _measure(bench, subscribers)
    return figures


def _measure(bench: Bench, subscribers: int) -> list[Figure]:
    with Buses(bench.directory()) as buses:
        endpoint = buses.bus()
        raw, upstream, hop = buses.address("raw"), buses.address("upstream"), buses.address("hop")
        sources = {
            _OURS: buses.source("worker", endpoint.ingest),
            _RAW: buses.source("raw", raw),
            _HOP: buses.source("raw", upstream),
        }
        buses.source("hop", upstream, hop)
        readers = [buses.reader("count", endpoint.frames, raw, hop) for _ in range(subscribers)]
        for source in sources.values():
            warm_up(source, readers)
        rates: dict[str, list[float]] = {name: [] for name in sources}
        lost: list[float] = []
        for name in in_turns(bench.rounds(3, 1), list(sources)):
            told = _pass(sources[name], readers)
            rates[name].append(rate_of_each(told))
            if name == _OURS:
                lost.append(sum(FRAMES - one["count"] for one in told))
    ours, label = rates.pop(_OURS), f"throughput.to_{subscribers}"
    ratios = [one / other for one, other in zip(ours, rates[_RAW], strict=True)]
    return [
        Figure(label, "frames/s", ours, better="higher", peers=rates, note="received by each subscriber, journal on"),
        Figure(f"{label}.ratio", "x", ratios, better="higher", target=TARGETS[subscribers], note="ours to plain PUB"),
        Figure(f"{label}.lost", "frames", lost, note="a flood has no brake: who falls 20,000 frames behind loses some"),
    ]


def _pass(source: Child, readers: Sequence[Child]) -> list[dict[str, Any]]:
    return end_round(begin_round(source, FRAMES), readers, _ROUND_S)


def rate_of_each(told: Sequence[dict[str, Any]]) -> float:
    """Frames a second that each subscriber got, until the last of them had its last."""
    took_s = max(one["ended"] for one in told) - min(one["began"] for one in told)
    return float(statistics.fmean(one["count"] for one in told) / took_s)


BENCHMARK = Benchmark("throughput", "frames of a worker through the bus to one client and to eight", run)
