"""From the death of a worker to its successor, beside other supervisors and what they restart."""

import os
import signal
import time
from contextlib import ExitStack

from operator_protocol.follow import Follower

from .clusterwatch import Unexpected, follow_for, wait_for, whole
from .figures import Figure
from .peers import Peer, circusd, supervisord
from .registry import Bench, Benchmark

_STABLE_S = 5.5
"""A worker that was ready for 5 s (``BackoffPolicy.stable_after_s``) is restarted without a pause."""
_PEER_STABLE_S = 1.5
"""supervisord counts a child as started after ``startsecs``, 1 s."""
_RESTART_S = 30.0


def run(bench: Bench) -> list[Figure]:
    """Ours is ready when it says so on the bus: interpreter, imports, ZeroMQ and all. Theirs is a shell script."""
    daemon = bench.daemon()
    ours_ms: list[float] = []
    peers_ms: dict[str, list[float]] = {}
    with ExitStack() as running:
        peers = [
            running.enter_context(supervisord(bench.directory())),
            running.enter_context(circusd(bench.directory())),
        ]
        follower = running.enter_context(Follower(daemon.endpoint, actor="bench"))
        follower.join(10)
        for _ in range(bench.rounds(6, 1)):
            settled_at = time.monotonic() + _STABLE_S
            follow_for(follower, _PEER_STABLE_S)
            for peer in peers:
                peers_ms.setdefault(peer.name, []).append(_kill_child(peer) * 1000)
            follow_for(follower, settled_at - time.monotonic())
            wait_for(follower, whole, "a whole system")
            ours_ms.append(_kill_worker(follower, "monitor") * 1000)
    return [Figure("worker_restart", "ms", ours_ms, peers=peers_ms, note="kill -9 to ready (peers: to running) again")]


def _kill_worker(follower: Follower, name: str) -> float:
    before = follower.state.processes[name].pid
    if before is None:
        raise Unexpected(f"{name} has no process")
    began = time.monotonic()
    os.kill(before, signal.SIGKILL)
    while time.monotonic() < began + _RESTART_S:
        follower.poll(0.25)
        now = follower.state.processes[name]
        if now.state == "ready" and now.pid != before:
            return time.monotonic() - began
    raise Unexpected(f"{name} was killed and is not ready again after {_RESTART_S:g} s")


def _kill_child(peer: Peer) -> float:
    began = time.monotonic()
    os.kill(peer.child_pid, signal.SIGKILL)
    return peer.await_child(_RESTART_S) - began


BENCHMARK = Benchmark("worker", "kill -9 of the monitor to ready again on the bus, beside circusd and supervisord", run)
