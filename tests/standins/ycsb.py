"""A stand-in for ``go-ycsb``: its command line and its report, from real requests to the stand-in stores.

``load`` writes every record once; ``run`` reads and updates records until it is told to stop or has done its count.
Its lines are go-ycsb's: cumulative since the first sample of each operation. As there, an update whose read failed
counts as done, a request is tried again while its region has no leader, and nothing is said of an error.
"""

import argparse
import contextlib
import http.client
import json
import random
import signal
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

if __package__:
    from tests.standins.serving import ask
else:  # as a program in a container, beside serving.py
    from serving import ask  # type: ignore[import-not-found, no-redef]  # only there

PERCENTILES = (("50th", 0.5), ("90th", 0.9), ("95th", 0.95), ("99th", 0.99), ("99.9th", 0.999), ("99.99th", 0.9999))
REQUEST_S = 1.0
PATIENCE_S = 20.0
"""For how long the client library tries again."""
STARS = "*" * 46


class Failed(Exception):
    """The request was tried again until there was no patience left."""


class Ended(Exception):
    """The load was stopped in the midst of a request: it counts for nothing."""


class Measured:
    """The samples of one operation, as counts by microsecond (three digits kept, as in an HDR histogram)."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.counts: dict[int, int] = {}
        self.total = 0
        self.sum_us = 0

    def see(self, seconds: float) -> None:
        us = max(1, int(seconds * 1e6))
        digits = 10 ** max(0, len(str(us)) - 3)
        rounded = us // digits * digits
        self.counts[rounded] = self.counts.get(rounded, 0) + 1
        self.total += 1
        self.sum_us += us

    def line(self, name: str) -> str:
        takes_s = time.monotonic() - self.began
        values = sorted(self.counts)
        parts = [
            f"Takes(s): {takes_s:.1f}",
            f"Count: {self.total}",
            f"OPS: {self.total / takes_s if takes_s else 0:.1f}",
            f"Avg(us): {self.sum_us // max(1, self.total)}",
            f"Min(us): {values[0]}",
            f"Max(us): {values[-1]}",
            *(f"{label}(us): {self.at(share, values)}" for label, share in PERCENTILES),
        ]
        return f"{name:<6} - {', '.join(parts)}"

    def at(self, share: float, values: list[int]) -> int:
        seen = 0
        for value in values:
            seen += self.counts[value]
            if seen >= share * self.total:
                return value
        return values[-1]


class Report:
    def __init__(self, *, silent: bool) -> None:
        self.silent = silent
        self.lock = threading.Lock()
        self.operations: dict[str, Measured] = {}

    def measure(self, name: str, work: Callable[[], None]) -> None:
        begun = time.monotonic()
        try:
            work()
        except Failed:
            names = [f"{name}_ERROR"]
            if not self.silent:
                print("operation err: region unavailable", flush=True)
        else:
            names = [name, "TOTAL"]
        took_s = time.monotonic() - begun
        with self.lock:
            for one in names:
                self.operations.setdefault(one, Measured()).see(took_s)

    def show(self) -> None:
        with self.lock:
            lines = [measured.line(name) for name, measured in sorted(self.operations.items())]
        if lines:
            print("\n".join(lines), flush=True)


class Cluster:
    """Where the leader of each key's region is; asks the PDs, and believes a store that names another one."""

    def __init__(self, pds: list[str], patience_s: float) -> None:
        self.pds = [pd if "//" in pd else f"http://{pd}" for pd in pds]
        self.patience_s = patience_s
        self.lock = threading.Lock()
        self.addresses: list[str] = []
        """Of the leaders, by region in order; empty for none."""
        self.looked_at = -1.0

    def look(self) -> None:
        """Ask the PDs, at most once in a tenth of a second for all threads."""
        with self.lock:
            if time.monotonic() - self.looked_at < 0.1:
                return
            for pd in list(self.pds):
                try:
                    regions = answer(f"{pd}/pd/api/v1/regions")["regions"]
                    stores = answer(f"{pd}/pd/api/v1/stores")["stores"]
                except (OSError, ValueError, KeyError, TypeError):
                    self.pds.append(self.pds.pop(0))
                    continue
                at = {one["store"]["id"]: one["store"]["address"] for one in stores}
                ordered = sorted(regions, key=lambda region: region["id"])
                self.addresses = [at.get(one.get("leader", {}).get("store_id"), "") for one in ordered]
                break
            self.looked_at = time.monotonic()

    def region_of(self, key: str) -> int:
        return zlib.crc32(key.encode()) % len(self.addresses)


def answer(url: str) -> dict[str, list[dict]]:  # type: ignore[type-arg]  # JSON
    status, data = ask("GET", url, timeout_s=4.0)
    if status != 200:
        raise OSError(f"{url} says {status}")
    found: dict[str, list[dict]] = json.loads(data)  # type: ignore[type-arg]  # JSON
    return found


class Connection:
    """The requests of one thread; connections are kept."""

    def __init__(self, cluster: Cluster, ended: threading.Event) -> None:
        self.cluster = cluster
        self.ended = ended
        self.open: dict[str, http.client.HTTPConnection] = {}

    def request(self, method: str, key: str, value: bytes | None = None) -> bytes | None:
        """The value; None where there is none. Raises ``Failed``."""
        until = time.monotonic() + self.cluster.patience_s
        pause_s = 0.02
        while time.monotonic() < until and not self.ended.is_set():
            if not self.cluster.addresses:
                self.cluster.look()
            if self.cluster.addresses:
                region = self.cluster.region_of(key)
                try:
                    status, data = self.ask(self.cluster.addresses[region], method, f"/kv/{key}", value)
                except (OSError, http.client.HTTPException):
                    status, data = 0, b""
                if status in (200, 404):
                    return data if status == 200 else None
                elsewhere = json.loads(data)["leader"] if status == 421 else ""
                if elsewhere and elsewhere != self.cluster.addresses[region]:
                    self.cluster.addresses[region] = elsewhere
                    continue
            self.cluster.look()
            self.ended.wait(pause_s)
            pause_s = min(2 * pause_s, 0.5)
        raise Ended if self.ended.is_set() else Failed

    def ask(self, address: str, method: str, path: str, value: bytes | None) -> tuple[int, bytes]:
        if not address:
            raise OSError("no leader")
        connection = self.open.get(address)
        if connection is None:
            connection = self.open[address] = http.client.HTTPConnection(address, timeout=REQUEST_S)
        try:
            connection.request(method, path, value)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.open.pop(address).close()
            raise


class Load:
    def __init__(self, command: str, properties: dict[str, str]) -> None:
        self.command = command
        self.properties = properties
        self.ended = threading.Event()
        self.signalled = 0
        self.report = Report(silent=properties.get("silence", "true") == "true")
        pds = properties.get("tikv.pd", "127.0.0.1:2379").split(",")
        self.cluster = Cluster(pds, float(properties.get("standin.patience", PATIENCE_S)))
        self.records = int(properties.get("recordcount", "1000"))
        self.threads = int(properties.get("threadcount", "1"))
        self.target = float(properties.get("target", "0"))
        whole = self.records if command == "load" else int(properties.get("operationcount", "1000"))
        self.counts = [whole // self.threads + (thread < whole % self.threads) for thread in range(self.threads)]

    def run(self) -> None:
        begun = time.monotonic()
        threads = [threading.Thread(target=self.work, args=(one,), daemon=True) for one in range(self.threads)]
        for thread in threads:
            thread.start()
        interval_s = float(self.properties.get("measurement.interval", "10"))
        shown = 0
        while any(thread.is_alive() for thread in threads) and not self.signalled:
            # Short waits: the last operation may be done long before the next report.
            time.sleep(0.05)
            if time.monotonic() >= begun + (shown + 1) * interval_s:
                self.report.show()
                shown += 1
        if self.signalled:
            said = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupt"}[signal.Signals(self.signalled)]
            print(f"\nGot signal [{said}] to exit.", flush=True)
        self.ended.set()
        for thread in threads:
            thread.join(REQUEST_S)
        print(STARS)
        print(f"Run finished, takes {time.monotonic() - begun:.6f}s")
        self.report.show()

    def work(self, thread: int) -> None:
        connection = Connection(self.cluster, self.ended)
        tick_s = self.threads / self.target if self.target > 0 else 0.0
        # Spread out, so that the threads do not all ask at the same time.
        begun = time.monotonic() + random.random() * tick_s
        for done in range(self.counts[thread]):
            # As there: whoever fell behind in an outage catches up as fast as it can.
            if self.ended.wait(max(0.0, begun + done * tick_s - time.monotonic())):
                return
            with contextlib.suppress(Ended):
                if self.command == "load":
                    self.insert(connection, self.key(thread + done * self.threads))
                else:
                    self.transact(connection, self.key(random.randrange(self.records)))

    def key(self, number: int) -> str:
        return f"usertable:user{zlib.crc32(str(number).encode()):010d}"

    def value(self) -> bytes:
        count = int(self.properties.get("fieldcount", "10")) * int(self.properties.get("fieldlength", "100"))
        return random.randbytes(count // 2).hex().encode()

    def insert(self, connection: Connection, key: str) -> None:
        def put() -> None:
            connection.request("PUT", key, self.value())

        self.report.measure("INSERT", put)

    def transact(self, connection: Connection, key: str) -> None:
        def read() -> None:
            connection.request("GET", key)

        def update() -> None:
            try:
                connection.request("GET", key)
            except Failed:
                return  # as there
            connection.request("PUT", key, self.value())

        def both() -> None:
            self.report.measure("READ", read)
            self.report.measure("UPDATE", update)

        chosen, drawn = "READ", random.random()
        for kind in ("READ", "UPDATE", "READ_MODIFY_WRITE"):
            share = float(self.properties.get(kind.lower().replace("_", "") + "proportion", "0"))
            if drawn < share:
                chosen = kind
                break
            drawn -= share
        works = {"READ": read, "UPDATE": update, "READ_MODIFY_WRITE": both}
        self.report.measure(chosen, works[chosen])


def properties_of(path: str) -> dict[str, str]:
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="go-ycsb", description="A stand-in for go-ycsb: the same command line.")
    parser.add_argument("command", choices=("load", "run"))
    parser.add_argument("database", choices=("tikv",))
    parser.add_argument("-P", "--property_file", action="append", default=[])
    parser.add_argument("-p", "--prop", action="append", default=[])
    parser.add_argument("--threads")
    parser.add_argument("--target")
    parser.add_argument("--interval")
    options = parser.parse_args()
    properties: dict[str, str] = {}
    for path in options.property_file:
        properties |= properties_of(path)
    properties |= dict(one.split("=", 1) for one in options.prop)
    given = {"threadcount": options.threads, "target": options.target, "measurement.interval": options.interval}
    properties |= {name: value for name, value in given.items() if value is not None}
    properties["command"] = options.command
    distribution, records = properties.get("requestdistribution", "uniform"), properties.get("recordcount", "0")
    print(f"Using request distribution '{distribution}' a keyrange of [0 {records}]")
    print("***************** properties *****************")
    for name, value in properties.items():
        print(f'"{name}"="{value}"')
    print('"stand-in"="true"')
    print(STARS, flush=True)
    load = Load(options.command, properties)

    def end(number: int, _: object) -> None:
        # No more than this: the handler may run in the midst of a print, or of a wait on an event.
        load.signalled = number

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    load.run()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
