"""The peer of the YCSB client: half reads, half updates from blocking threads, through valkey-py's cluster client.

What one would write in an afternoon; no schedule, no histograms, no retries. ``python -m tests.bench.plain_client``.
"""

import argparse
import random
import sys
import threading
import time
from typing import Any

import valkey.cluster

RECORDS = 1000
FIELDS = 10
FIELD_BYTES = 100


def main() -> int:
    """Run for some seconds and print the rate as YCSB does."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plain_client")
    parser.add_argument("--hosts", required=True)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    host, _, port = options.hosts.partition(",")[0].rpartition(":")
    # Any, because the library's own types allow for an awaitable everywhere.
    client: Any = valkey.cluster.ValkeyCluster(host=host, port=int(port))
    for number in range(RECORDS):
        client.hset(_key(number), mapping={f"field{field}": "x" * FIELD_BYTES for field in range(FIELDS)})
    counts = [0] * options.threads
    began = time.monotonic()
    threads = [
        threading.Thread(target=_ask, args=(client, counts, index, began + options.seconds))
        for index in range(options.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"[OVERALL], Throughput(ops/sec), {sum(counts) / (time.monotonic() - began)}")
    client.close()
    return 0


def _ask(client: Any, counts: list[int], index: int, until: float) -> None:
    value = "y" * FIELD_BYTES
    while time.monotonic() < until:
        key = _key(random.randrange(RECORDS))
        if random.random() < 0.5:
            client.hgetall(key)
        else:
            client.hset(key, f"field{random.randrange(FIELDS)}", value)
        counts[index] += 1


def _key(number: int) -> str:
    return f"plain:{number}"


if __name__ == "__main__":
    sys.exit(main())
