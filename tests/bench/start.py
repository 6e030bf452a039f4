"""From ``operatord start --detach`` to a system that works, as a client finds it."""

import time
from typing import Any

import valkey
import valkey.cluster
from tests.e2e.real_daemon import RealDaemon

from operator_protocol.events import FrameSeen
from operator_protocol.follow import Follower

from .clusterwatch import NODES, Unexpected, addresses, wait_for, whole
from .figures import Figure
from .registry import Bench, Benchmark

TARGET_S = 3.0


def run(bench: Bench) -> list[Figure]:
    """Each round with fresh directories."""
    whole_s: list[float] = []
    detached_s: list[float] = []
    joined_s: list[float] = []
    frame_s: list[float] = []
    write_s: list[float] = []
    for _ in range(bench.rounds(5, 1)):
        with bench.stopped_daemon() as daemon:
            began = time.monotonic()
            daemon.start()
            detached = time.monotonic()
            with Follower(daemon.endpoint, actor="bench") as follower:
                follower.join(10)
                joined = time.monotonic()
                _await_frame(follower)
                framed = time.monotonic()
                wait_for(follower, whole, "six healthy nodes and three ready workers")
                seen_whole = time.monotonic()
                _write(follower)
                written = time.monotonic()
                _check_links(follower, daemon)
        whole_s.append(max(framed, written) - began)
        detached_s.append(detached - began)
        joined_s.append(joined - detached)
        frame_s.append(framed - joined)
        write_s.append(written - seen_whole)
    return [
        Figure("start", "s", whole_s, target=TARGET_S, note="all of the parts below, one after the other"),
        Figure("start.detached", "s", detached_s, note="operatord start --detach, as a whole process"),
        Figure("start.joined", "s", joined_s, note="from there to the snapshot at a client"),
        Figure("start.first_frame", "s", frame_s, note="from there to the next frame on the bus"),
        Figure("start.first_write", "s", write_s, note="from there: topology asked, one SET accepted"),
    ]


def _await_frame(follower: Follower) -> None:
    deadline = time.monotonic() + 10
    while not any(isinstance(event, FrameSeen) for event in follower.poll(1)):
        if time.monotonic() > deadline:
            raise Unexpected("no frame within 10 s of the join")


def _write(follower: Follower) -> None:
    host, port = addresses(follower.state)[0]
    # Any, because the library's own types allow for an awaitable everywhere.
    client: Any = valkey.cluster.ValkeyCluster(host=host, port=port)
    try:
        if not client.set("bench:first", "written"):
            raise Unexpected("the first write was not accepted")
    finally:
        client.close()


def _check_links(follower: Follower, daemon: RealDaemon) -> None:
    """Ask the servers themselves, beside the daemon's books."""
    up = 0
    for host, port in addresses(follower.state):
        client: Any = valkey.Valkey(host=host, port=port)
        with client:
            replication = client.info("replication")
        up += replication["role"] == "slave" and replication["master_link_status"] == "up"
    if up != NODES // 2:
        raise Unexpected(f"{up} of {NODES // 2} replica links are up after the start at {daemon.runtime_dir}")


BENCHMARK = Benchmark("start", "operatord start to six healthy nodes, ready workers, a frame and a write", run)
