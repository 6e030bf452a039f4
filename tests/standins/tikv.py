"""A stand-in for ``tikv-server``: heartbeats, a status port, a data port, TiKV's log format. It keeps what it is given.

A key belongs to a region; the leader of the region writes it to a majority of the stores before it answers. Who leads
what is told by the stand-in PD. Nothing of Raft is here but its outward signs.
"""

import argparse
import json
import queue
import shutil
import threading
import time
import zlib
from typing import Any

if __package__:
    from tests.standins.serving import Answer, Request, ask, encrypt, log, serve, until_stopped
else:  # as a program in a container, beside serving.py
    from serving import (  # type: ignore[import-not-found, no-redef]  # only there
        Answer,
        Request,
        ask,
        encrypt,
        log,
        serve,
        until_stopped,
    )

BUCKETS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 104.0)
GIB = float(1 << 30)


class Latency:
    """One histogram of Prometheus."""

    def __init__(self) -> None:
        self.counts = [0] * len(BUCKETS)
        self.total = 0
        self.sum_s = 0.0

    def see(self, seconds: float) -> None:
        self.total += 1
        self.sum_s += seconds
        for index, bound in enumerate(BUCKETS):
            if seconds <= bound:
                self.counts[index] += 1

    def lines(self, name: str, labels: str) -> list[str]:
        found = [
            f'{name}_bucket{{{labels},le="{bound:g}"}} {count}'
            for bound, count in zip(BUCKETS, self.counts, strict=True)
        ]
        found.append(f'{name}_bucket{{{labels},le="+Inf"}} {self.total}')
        return [*found, f"{name}_sum{{{labels}}} {self.sum_s:.6f}", f"{name}_count{{{labels}}} {self.total}"]


class Store:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.id: int = options.store_id
        self.started = time.time()
        self.pds: list[str] = options.pd.split(",")
        self.scheme = "https" if options.cacert else "http"
        self.lock = threading.RLock()
        self.values: dict[str, bytes] = {}
        self.regions: dict[int, int] = {}
        self.terms: dict[int, int] = {}
        self.stores: dict[int, str] = {}
        self.flowing = threading.Event()
        self.flowing.set()
        self.reaching_pd = threading.Event()
        self.reaching_pd.set()
        self.available: int | None = None
        """Bytes of its disk, where a test says so."""
        self.latency = {"raw_get": Latency(), "raw_put": Latency()}
        self.unreachable: dict[int, int] = {}
        self.told_unreachable: dict[int, float] = {}

    # heartbeats

    def heartbeat(self) -> None:
        while True:
            self.reaching_pd.wait()
            usage = shutil.disk_usage(self.options.data_dir)
            beat = {
                "id": self.id,
                "address": self.options.addr_advertised,
                "status_address": self.options.status_advertised,
                "start": self.started,
                "capacity": usage.total,
                "available": usage.free if self.available is None else self.available,
                "used": sum(len(value) for value in self.values.values()),
                "regions": self.regions,
            }
            for url in self.pds:
                threading.Thread(target=self.beat, args=(url, beat), daemon=True).start()
            time.sleep(self.options.heartbeat_s)

    def beat(self, url: str, beat: dict[str, Any]) -> None:
        try:
            _, data = ask("POST", url + "/standin/heartbeat", beat, timeout_s=2.0)
            told = json.loads(data)
        except (OSError, ValueError):
            return
        if not told:
            return
        with self.lock:
            for text, store in told["regions"].items():
                region, before = int(text), self.regions.get(int(text))
                self.regions[region] = store
                self.terms[region] = told["terms"].get(text, 0)
                if store == before:
                    continue
                if store == self.id:
                    about = {"region_id": region, "raft_id": region * 10 + self.id}
                    log("INFO", "raft.rs:1550", "starting a new election", **about)
                    log("INFO", "raft.rs:1228", f"became leader at term {self.terms[region]}", **about)
                elif before == self.id:
                    log("INFO", "raft.rs:1188", f"became follower at term {self.terms[region]}", region_id=region)
            self.stores = {int(one): address for one, address in told["stores"].items()}

    # data

    def region_of(self, key: str) -> int:
        regions = sorted(self.regions)
        return regions[zlib.crc32(key.encode()) % len(regions)] if regions else 0

    def data(self, request: Request) -> Answer:
        self.flowing.wait()
        if request.path == "/standin/append":
            with self.lock:
                self.values[request.query["key"]] = request.raw
            return Answer(200, b"")
        if not request.path.startswith("/kv/"):
            return Answer(404, b"")
        begun = time.perf_counter()
        key = request.path.removeprefix("/kv/")
        with self.lock:
            leader = self.regions.get(self.region_of(key), 0)
        if leader != self.id:
            return Answer(421, {"leader": self.stores.get(leader, "")})
        if request.method == "GET":
            with self.lock:
                value = self.values.get(key)
            self.latency["raw_get"].see(time.perf_counter() - begun)
            return Answer(200, value) if value is not None else Answer(404, b"")
        if not self.replicate(key, request.raw):
            return Answer(503, b"no majority")
        self.latency["raw_put"].see(time.perf_counter() - begun)
        return Answer(200, b"")

    def replicate(self, key: str, value: bytes) -> bool:
        """On a majority of the stores, this one among them; to all at once, so that a dead one delays nothing."""
        with self.lock:
            self.values[key] = value
            others = [(one, address) for one, address in self.stores.items() if one != self.id]
        done: queue.SimpleQueue[bool] = queue.SimpleQueue()

        def append(store: int, address: str) -> None:
            try:
                url = f"{self.scheme}://{address}/standin/append?key={key}"
                done.put(ask("POST", url, value, timeout_s=2.0)[0] == 200)
            except OSError:
                self.lost(store)
                done.put(False)

        for one, address in others:
            threading.Thread(target=append, args=(one, address), daemon=True).start()
        written = 1
        for _ in others:
            if written * 2 > len(others) + 1:
                break
            written += done.get()
        return written * 2 > len(others) + 1

    def lost(self, store: int) -> None:
        with self.lock:
            self.unreachable[store] = self.unreachable.get(store, 0) + 1
            now = time.monotonic()
            if now - self.told_unreachable.get(store, -99.0) > 10.0:
                self.told_unreachable[store] = now
                log("WARN", "raft_client.rs:829", "connection abort", store_id=store, addr=self.stores.get(store, ""))
                log("INFO", "store.rs:3218", "broadcasting unreachable", store_id=self.id, unreachable_store_id=store)

    # status port

    def status(self, request: Request) -> Answer:
        match request.method, request.path:
            case "GET", "/status":
                return Answer(200, b"", "text/plain")
            case "GET", "/metrics":
                return Answer(200, self.metrics().encode(), "text/plain; version=0.0.4")
            case "GET", "/config":
                return Answer(200, {"server": {"addr": self.options.addr}, "storage": {"reserve-space": "5GiB"}})
            case "GET", "/engine_type":
                return Answer(200, b"raft-kv", "text/plain")
            case "PUT", "/pause_grpc":
                self.flowing.clear()
                return Answer(200, b"")
            case "PUT", "/resume_grpc":
                self.flowing.set()
                return Answer(200, b"")
            case "PUT", "/standin/cut-off":
                self.reaching_pd.clear()
                return Answer(200, b"")
            case "PUT", "/standin/reach":
                self.reaching_pd.set()
                return Answer(200, b"")
            case "PUT", "/standin/available":
                self.available = int(request.query["bytes"]) if request.query.get("bytes") else None
                return Answer(200, b"")
            case _:
                return Answer(404, b"path not found", "text/plain")

    def metrics(self) -> str:
        usage = shutil.disk_usage(self.options.data_dir)
        with self.lock:
            led = list(self.regions.values()).count(self.id)
            used = sum(len(value) for value in self.values.values())
            lines = [
                f'tikv_raftstore_region_count{{type="leader"}} {led}',
                f'tikv_raftstore_region_count{{type="region"}} {len(self.regions)}',
                f'tikv_store_size_bytes{{type="capacity"}} {usage.total}',
                f'tikv_store_size_bytes{{type="available"}} {usage.free}',
                f'tikv_store_size_bytes{{type="used"}} {used}',
                "tikv_raftstore_slow_score 1",
                'tikv_scheduler_contex_total{type="raw_put"} 0',
                f"process_cpu_seconds_total {time.process_time():.3f}",
                "tikv_server_cpu_cores_quota 1",
                *(
                    f'tikv_server_report_failure_msg_total{{type="unreachable",store_id="{store}"}} {count}'
                    for store, count in self.unreachable.items()
                ),
            ]
            for kind, latency in self.latency.items():
                lines += latency.lines("tikv_grpc_msg_duration_seconds", f'type="{kind}"')
        return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store-id", type=int, required=True)
    parser.add_argument("--addr", default="0.0.0.0:20160")
    parser.add_argument("--addr-advertised", required=True)
    parser.add_argument("--status-addr", default="0.0.0.0:20180")
    parser.add_argument("--status-advertised", required=True)
    parser.add_argument("--pd", required=True, help="URL,... of all PDs")
    parser.add_argument("--data-dir", default="/tmp")
    parser.add_argument("--heartbeat-s", type=float, default=1.0)
    for name in ("--cacert", "--cert", "--key"):
        parser.add_argument(name, help="PEM file; all three for TLS with client certificates")
    options, _ = parser.parse_known_args()
    if options.cacert:
        encrypt(options.cacert, options.cert, options.key)
    store = Store(options)
    serve(options.addr, store.data, store.flowing)
    serve(options.status_addr, store.status)
    log("INFO", "server.rs:1", "the stand-in for TiKV is ready to serve", store_id=store.id)
    threading.Thread(target=store.heartbeat, daemon=True).start()
    until_stopped()


if __name__ == "__main__":
    main()
