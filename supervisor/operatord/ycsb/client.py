"""One run from connecting to the final block: load phase, run phase, a status line every second."""

import asyncio
import contextlib
import itertools
import math
import signal
import time
from collections.abc import Iterator
from datetime import datetime

from operatord.ycsb.binding import Status
from operatord.ycsb.cluster import Cluster, ClusterUnreachable
from operatord.ycsb.control import StdinLines, parse_rate
from operatord.ycsb.core import CoreClient, CoreWorkload, Record
from operatord.ycsb.crew import Crew, Do
from operatord.ycsb.measurements import Measurements
from operatord.ycsb.options import Options
from operatord.ycsb.output import Output
from operatord.ycsb.pacing import Pacer
from operatord.ycsb.report import final_block, status_line
from operatord.ycsb.valkey import ValkeyBinding


class Run:
    """Everything that one invocation does."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._workload = CoreWorkload(options.core)
        self._measurements = Measurements()
        self._pacer = Pacer(options.target, time.monotonic)
        self._stopping = asyncio.Event()
        self._output = Output(self._stopping.set)
        self._crew = Crew(self._pacer, self._stopping)
        self._refusal = ""

    async def main(self) -> int:
        """Do it; returns the exit status."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stopping.set)
        cluster = Cluster(self._options.hosts)
        stdin = StdinLines(self._command)
        try:
            if not await self._connect(cluster):
                return 0 if self._stopping.is_set() else 1
            stdin.start()
            return await self._phases(cluster)
        finally:
            stdin.stop()
            await cluster.close()

    async def _connect(self, cluster: Cluster) -> bool:
        starting = asyncio.create_task(cluster.start(self._options.connect_timeout_s))
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        starting.cancel()
        try:
            await starting
        except ClusterUnreachable as error:
            hosts = ",".join(map(str, self._options.hosts))
            self._output.remark(f"operatord.ycsb: no node of {hosts} can be used ({error}); is the cluster up?")
            return False
        except asyncio.CancelledError:
            return False
        return True

    async def _phases(self, cluster: Cluster) -> int:
        o = self._options
        pace = f"{o.target:g} ops/s" if o.target else "no limit"
        self._output.remark(
            f"YCSB {o.phase}: workload {o.workload} ({o.core.mix.description}), {o.core.distribution}, "
            f"{o.core.record_count} records, {o.clients} clients, {pace}, {len(cluster.topology.nodes)} nodes"
        )
        if o.load_first:
            await self._load_first(cluster)
        if self._stopping.is_set():
            return 0
        if o.phase == "load":
            runtime_s = await self._measured(cluster, self._workload.record_numbers(), _insert)
        else:
            turns = range(o.core.operation_count) if o.core.operation_count else itertools.count()
            runtime_s = await self._measured(cluster, turns, _transact)
        for line in final_block(runtime_s, self._crew.succeeded, self._measurements):
            self._output.result(line)
        if o.phase == "load" and self._crew.failed:
            self._output.remark(f"operatord.ycsb: {self._crew.failed} of {o.core.record_count} records were not taken")
            return 1
        return 0

    async def _load_first(self, cluster: Cluster) -> None:
        """Insert every record, each for as long as it takes: a load that starts in an outage must outlast it."""

        async def insert_at_last(client: CoreClient, number: int) -> bool:
            while not await client.insert_record(number):
                if self._stopping.is_set():
                    return False
            return True

        started = time.monotonic()
        crew = Crew(Pacer(0.0, time.monotonic), self._stopping)
        records = self._workload.record_numbers()

        async def progress() -> None:
            while True:
                await asyncio.sleep(self._options.status_interval_s)
                self._output.remark(f"YCSB load: {crew.succeeded} of {len(records)} records")
                self._tell_refusals()

        telling = asyncio.create_task(progress())
        try:
            await crew.work(self._clients(cluster, _ignore), iter(records), insert_at_last)
        finally:
            telling.cancel()
        if not self._stopping.is_set():
            self._output.remark(f"YCSB load: {crew.succeeded} records in {time.monotonic() - started:.2f} s")

    async def _measured(self, cluster: Cluster, turns: range | Iterator[int], do: Do) -> float:
        """Work through the turns with a status line every interval; returns how long it took."""
        todo = len(turns) if isinstance(turns, range) else None
        if self._options.max_execution_s is not None:
            asyncio.get_running_loop().call_later(self._options.max_execution_s, self._stopping.set)
        self._pacer.restart()
        status = _StatusLines(self._options.label, self._crew, self._measurements, todo)
        telling = asyncio.create_task(self._tell_status(status))
        try:
            await self._crew.work(self._clients(cluster, self._measurements.record), iter(turns), do)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
        if not self._stopping.is_set():
            self._output.remark(status.next())
        self._tell_refusals()
        return time.monotonic() - status.started

    async def _tell_status(self, status: "_StatusLines") -> None:
        interval_s = self._options.status_interval_s
        for tick in itertools.count(1):
            # Counted from the start, so that the intervals do not drift.
            await asyncio.sleep(max(0.0, status.started + tick * interval_s - time.monotonic()))
            self._output.remark(status.next())
            self._tell_refusals()

    def _clients(self, cluster: Cluster, record: Record) -> list[CoreClient]:
        return [
            self._workload.client(index, ValkeyBinding(cluster.session(), self._refused), record)
            for index in range(self._options.clients)
        ]

    def _refused(self, reason: str) -> None:
        self._refusal = reason

    def _tell_refusals(self) -> None:
        if self._refusal:
            self._output.remark(f"operatord.ycsb: the database refused an operation: {self._refusal}")
            self._refusal = ""

    def _command(self, line: str) -> None:
        try:
            rate = parse_rate(line)
        except ValueError as error:
            self._output.remark(f"operatord.ycsb: {error}")
            return
        self._pacer.set_rate(rate)
        self._output.remark(f"YCSB rate: {f'{rate:g} ops/s' if rate else 'no limit'}")


class _StatusLines:
    """Makes the next status line from what happened since the last one."""

    def __init__(self, label: str, crew: Crew, measurements: Measurements, todo: int | None) -> None:
        self.started = time.monotonic()
        self._label = label
        self._crew = crew
        self._measurements = measurements
        self._todo = todo
        self._last_at = self.started
        self._last_succeeded = 0

    def next(self) -> str:
        now, succeeded = time.monotonic(), self._crew.succeeded
        elapsed_s = now - self.started
        current_ops = (succeeded - self._last_succeeded) / max(now - self._last_at, 1e-6)
        self._last_at, self._last_succeeded = now, succeeded
        return status_line(
            now=datetime.now().astimezone(),
            elapsed_s=elapsed_s,
            operations=succeeded,
            current_ops=current_ops,
            remaining_s=self._remaining_s(elapsed_s),
            latencies=self._measurements.take_interval(),
            label=self._label,
        )

    def _remaining_s(self, elapsed_s: float) -> float | None:
        done = self._crew.succeeded + self._crew.failed
        if self._todo is None or self._todo <= done:
            return None
        return (self._todo - done) * elapsed_s / done if done else math.inf


async def _insert(client: CoreClient, number: int) -> bool:
    return await client.insert_record(number)


async def _transact(client: CoreClient, _turn: int) -> bool:
    return await client.do_transaction()


def _ignore(_operation: str, _latency_us: int, _status: Status) -> None:
    """What the load before a run measures belongs into no report."""
