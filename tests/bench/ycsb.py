"""How many operations the YCSB client does when nothing holds it back, against the six nodes of a daemon."""

import re
import subprocess
import sys
from collections.abc import Sequence

from operator_protocol.follow import Follower

from .clusterwatch import Unexpected, addresses, follow_for, wait_for, whole
from .figures import Figure
from .registry import Bench, Benchmark

TARGET_OPS = 10_000.0
THREADS = 8
_THROUGHPUT = re.compile(r"^\[OVERALL\], Throughput\(ops/sec\), ([\d.]+)$", re.MULTILINE)
_FAILED = re.compile(r"^\[\S+-FAILED\]", re.MULTILINE)


def run(bench: Bench) -> list[Figure]:
    """Workload A, in turns with a plain program that does the same operations through the usual client library."""
    daemon = bench.daemon()
    with Follower(daemon.endpoint, actor="bench") as follower:
        follower.join(10)
        wait_for(follower, whole, "a whole cluster")
        hosts = ",".join(f"{host}:{port}" for host, port in addresses(follower.state))
        for_s = "8" if not bench.quick else "3"
        peer_s = "4" if not bench.quick else "2"
        options = ["--hosts", hosts, "--threads", str(THREADS)]
        ours = [sys.executable, "-m", "operatord.ycsb", "run", *options, "--load-first", "--max-execution-time", for_s]
        peer = [sys.executable, "-m", "tests.bench.plain_client", *options, "--seconds", peer_s]
        ours_ops: list[float] = []
        peer_ops: list[float] = []
        for _ in range(bench.rounds(3, 1)):
            ours_ops.append(_throughput(ours))
            peer_ops.append(_throughput(peer))
            follow_for(follower, 0.5)
        wait_for(follower, whole, "a whole cluster after the load")
    return [
        Figure(
            "ycsb",
            "ops/s",
            ours_ops,
            better="higher",
            target=TARGET_OPS,
            peers={"valkey-py, 8 threads": peer_ops},
            note="workload A, 8 clients, 1,000 records, beside a watching daemon",
        )
    ]


def _throughput(command: Sequence[str]) -> float:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    found = _THROUGHPUT.search(done.stdout)
    if done.returncode != 0 or found is None:
        raise Unexpected(f"{command[2]} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    if _FAILED.search(done.stdout):
        raise Unexpected(f"{command[2]} had failures: {done.stdout[-1000:]}")
    return float(found[1])


BENCHMARK = Benchmark("ycsb", "the YCSB client unthrottled, against six nodes", run)
