"""What one look at a large TiKV cluster costs: PD's answers for 1,000 and 10,000 stores, read, merged and judged.

The answers have PD's shape and size and come from a small server in a process of its own, so that its work is not
counted. CPU time is that of the looking process.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from operatord.subjects.base import SubjectSpec
from operatord.subjects.tikv.probe import TiKVProbe

from .clusterwatch import Unexpected
from .figures import Figure
from .registry import Bench, Benchmark

STORES = 1_000
REGIONS = 100_000
TARGET_CPU_MS = 100.0
WARM_UP = 3
FIRST_ID = 9_007_199_254_740_993


def store(number: int, port: int) -> dict[str, object]:
    """An entry of ``/stores`` as PD 8.5 writes it."""
    return {
        "store": {
            "id": FIRST_ID + number,
            "address": f"tikv{number}.store.tikv.svc:20160",
            "labels": [{"key": "zone", "value": f"z{number % 3}"}, {"key": "host", "value": f"h{number}"}],
            "version": "8.5.5",
            "peer_address": f"tikv{number}.store.tikv.svc:20160",
            "status_address": f"127.0.0.1:{port}",
            "git_hash": "0000000000000000000000000000000000000000",
            "start_timestamp": 1_790_000_000,
            "deploy_path": "/",
            "last_heartbeat": int(time.time() * 1e9),
            "node_state": 1,
            "state_name": "Up",
        },
        "status": {
            "capacity": "1.818TiB",
            "available": "1.099TiB",
            "used_size": "607.3GiB",
            "leader_count": REGIONS // STORES,
            "leader_weight": 1,
            "leader_score": REGIONS // STORES,
            "leader_size": 9_600,
            "region_count": 3 * REGIONS // STORES,
            "region_weight": 1,
            "region_score": 131_834.281_3,
            "region_size": 28_800,
            "slow_score": 1,
            "slow_trend": {"cause_value": 250_003.2, "cause_rate": 0.0, "result_value": 12.5, "result_rate": 0.0},
            "start_ts": "2026-09-21T13:33:20Z",
            "last_heartbeat_ts": "2026-11-21T06:40:12.123456789Z",
            "uptime": "1457h6m52.123456789s",
        },
    }


def answers(stores: int, regions: int, port: int) -> dict[str, object]:
    """Path to answer."""
    member = {"name": "pd0", "member_id": 1, "client_urls": [f"http://127.0.0.1:{port}"], "binary_version": "v8.5.5"}
    per_store = {str(FIRST_ID + number): regions // stores for number in range(stores)}
    prefix = "/pd/api/v1"
    return {
        "/status": "",
        f"{prefix}/ping": {},
        f"{prefix}/members": {"header": {"cluster_id": 7}, "members": [member], "leader": member},
        f"{prefix}/health": [{"name": "pd0", "member_id": 1, "client_urls": [], "health": True}],
        f"{prefix}/stores": {"count": stores, "stores": [store(number, port) for number in range(stores)]},
        f"{prefix}/stats/region": {
            "count": regions,
            "empty_count": 12,
            "storage_size": regions * 96,
            "storage_keys": regions * 1_000_000,
            "store_leader_count": per_store,
            "store_peer_count": {one: 3 * count for one, count in per_store.items()},
        },
        f"{prefix}/schedulers": ["balance-leader-scheduler", "evict-leader-scheduler"],
        f"{prefix}/scheduler-config/evict-leader-scheduler/list": {"store-id-ranges": {}},
    }


async def look(port: int, stores: int, looks: int) -> list[float]:
    """CPU milliseconds of each look, invariants included."""
    probe = TiKVProbe(SubjectSpec("tikv", [], {"pd": f"http://127.0.0.1:{port}"}))
    took = []
    try:
        for index in range(looks + WARM_UP):
            began = time.process_time()
            seen = await probe.observe(10.0)
            for invariant in probe.invariants():
                invariant.check(seen)
            spent = time.process_time() - began
            if seen.ok is None or len(seen.nodes) != stores + 1:
                raise Unexpected(f"the canned cluster was not seen whole: {seen.reason[:200]}")
            if index >= WARM_UP:
                took.append(spent * 1_000)
    finally:
        await probe.close()
    return took


def measure(stores: int, regions: int, looks: int) -> list[float]:
    """With a server of its own that is ended again."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.tikv_observation", str(stores), str(regions)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        return asyncio.run(look(int(server.stdout.readline()), stores, looks))
    finally:
        server.kill()
        server.communicate()


def run(bench: Bench) -> list[Figure]:
    """The whole of a look: ask, read, merge, judge."""
    looks = bench.rounds(20, 5)
    small = measure(STORES, REGIONS, looks)
    large = measure(10 * STORES, 10 * REGIONS, looks)
    growth = [statistics.median(large) / statistics.median(small)]
    size = len(json.dumps(answers(STORES, REGIONS, 1)))
    return [
        Figure("look-1000-stores-cpu", "ms", small, target=TARGET_CPU_MS, note=f"{size / 1e6:.1f} MB of answers"),
        Figure("look-10000-stores-cpu", "ms", large),
        Figure("look-growth-for-10-times", "times", growth, target=12.0, note="linear is 10"),
    ]


BENCHMARK = Benchmark(
    "tikv-look", "CPU of one look at TiKV clusters of 1,000 and 10,000 stores, from answers of PD's shape", run
)


def serve_forever(stores: int, regions: int) -> None:
    """The server: prints its port, answers until it is killed."""
    from tests.standins.serving import Answer, Request, serve, until_stopped

    found: dict[str, bytes] = {}

    def handler(request: Request) -> Answer:
        data = found.get(request.path)
        return Answer(404, b"null") if data is None else Answer(200, data)

    server = serve("127.0.0.1:0", handler)
    found.update(
        (path, body.encode() if isinstance(body, str) else json.dumps(body).encode())
        for path, body in answers(stores, regions, server.server_port).items()
    )
    print(server.server_port, flush=True)
    until_stopped()


if __name__ == "__main__":
    serve_forever(int(sys.argv[1]), int(sys.argv[2]))
