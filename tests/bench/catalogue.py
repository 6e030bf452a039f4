"""Every benchmark, in the order in which they run."""

from . import (
    console_activity,
    console_health,
    console_kubernetes,
    console_page,
    crowd,
    detection,
    diagnosis,
    latency,
    ping,
    start,
    status,
    supervision,
    throughput,
    tickets,
    tikv_detection,
    tikv_observation,
    viewer,
    viewer_export,
    worker,
    ycsb,
)
from .registry import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (
        start,
        status,
        ping,
        viewer,
        viewer_export,
        detection,
        diagnosis,
        worker,
        supervision,
        ycsb,
        throughput,
        latency,
        crowd,
        tickets,
        tikv_observation,
        tikv_detection,
        console_health,
        console_activity,
        console_kubernetes,
        console_page,
    )
}
