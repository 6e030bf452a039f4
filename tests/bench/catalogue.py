"""Every benchmark, in the order in which they run."""

from . import detection, start, status, viewer, worker, ycsb
from .registry import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    module.BENCHMARK.name: module.BENCHMARK for module in (start, status, viewer, detection, worker, ycsb)
}
