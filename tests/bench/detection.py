"""From the death of a primary to the violation at a client."""

import os
import random
import signal
import time

from operator_protocol.events import FrameSeen
from operator_protocol.follow import Follower
from operator_protocol.topics import VIOLATION_OPENED

from .clusterwatch import Unexpected, follow_for, wait_for, whole
from .figures import Figure
from .registry import Bench, Benchmark

TARGET_MS = 250.0
_LOOK_S = 0.5
"""The monitor looks this often; the kills are spread over that."""


def run(bench: Bench) -> list[Figure]:
    """The kill comes from outside, under the default load; the node is started again before the next round."""
    daemon = bench.daemon()
    detected_ms: list[float] = []
    recovered_s: list[float] = []
    with Follower(daemon.endpoint, actor="bench") as follower:
        follower.join(10)
        follower.perform("workload", {"action": "start"})
        try:
            for number in range(bench.rounds(12, 2)):
                wait_for(follower, whole, "a whole cluster")
                follow_for(follower, random.uniform(_LOOK_S, 2 * _LOOK_S))
                primaries = sorted(node.id for node in follower.state.nodes.values() if node.role == "primary")
                victim = primaries[number % len(primaries)]
                detected_ms.append(_kill(follower, victim) * 1000)
                began = time.monotonic()
                follower.perform("restart", {"name": victim})
                wait_for(follower, whole, f"{victim} to be back")
                recovered_s.append(time.monotonic() - began)
        finally:
            follower.perform("workload", {"action": "stop"})
    return [
        Figure("detection", "ms", detected_ms, target=TARGET_MS, note="kill -9 to violation.opened received"),
        Figure("detection.restart_to_whole", "s", recovered_s, note="operatorctl restart to nothing violated"),
    ]


def _kill(follower: Follower, victim: str, timeout_s: float = 15.0) -> float:
    """Seconds until the violation that names ``victim`` was received."""
    pid = follower.state.processes[victim].pid
    if pid is None:
        raise Unexpected(f"{victim} has no process")
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while time.monotonic() < began + timeout_s:
        for event in follower.poll(0.25):
            if isinstance(event, FrameSeen) and event.frame.topic == VIOLATION_OPENED:
                received = time.monotonic()
                if event.frame.body.get("node") == victim:
                    return received - began
    raise Unexpected(f"{victim} was killed, and {timeout_s:g} s later there is no violation")


BENCHMARK = Benchmark("detection", "kill -9 of a primary to violation.opened at a client", run)
