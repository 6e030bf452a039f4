"""The core workload: which operation comes next, on which record, with what in it.

A faithful ``CoreWorkload`` of Java YCSB (its defaults, its key names, its rule that a record is not read before its
insert has been acknowledged), with one deliberate difference: the update of a read-modify-write is left out when its
read failed, so that one failed operation is counted once.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from time import perf_counter_ns
from typing import NamedTuple

from operatord.ycsb.binding import Binding, Status
from operatord.ycsb.counters import AcknowledgedCounter
from operatord.ycsb.generators import (
    ExactZipfianGenerator,
    HotspotGenerator,
    LatestGenerator,
    NumberGenerator,
    ScrambledZipfianGenerator,
    UniformGenerator,
    ZipfianGenerator,
)
from operatord.ycsb.hashing import fnv_hash64

READ, UPDATE, INSERT, SCAN = "READ", "UPDATE", "INSERT", "SCAN"
READ_MODIFY_WRITE = "READ-MODIFY-WRITE"

DISTRIBUTIONS = ("zipfian", "uniform", "latest", "hotspot", "zipfian-unscrambled", "zipfian-exact")
"""The first four are YCSB's; the last two leave the popular keys next to each other, by Gray's formula or exactly."""

Record = Callable[[str, int, Status], None]
"""Takes a measurement: operation, latency in microseconds, how it ended."""


class Mix(NamedTuple):
    """Shares of the operations of a workload, and how keys are chosen."""

    description: str
    read: float = 0.0
    update: float = 0.0
    insert: float = 0.0
    scan: float = 0.0
    read_modify_write: float = 0.0
    distribution: str = "zipfian"

    def shares(self) -> list[tuple[str, float]]:
        """The operations that occur, with their shares."""
        every = (
            (READ, self.read),
            (UPDATE, self.update),
            (INSERT, self.insert),
            (SCAN, self.scan),
            (READ_MODIFY_WRITE, self.read_modify_write),
        )
        return [(operation, share) for operation, share in every if share > 0]


WORKLOADS: Mapping[str, Mix] = {
    "a": Mix("update heavy: 50 % reads, 50 % updates", read=0.5, update=0.5),
    "b": Mix("read mostly: 95 % reads, 5 % updates", read=0.95, update=0.05),
    "c": Mix("read only", read=1.0),
    "d": Mix("read latest: 95 % reads, 5 % inserts", read=0.95, insert=0.05, distribution="latest"),
    "e": Mix("short ranges: 95 % scans of 1 to 100 records, 5 % inserts", scan=0.95, insert=0.05),
    "f": Mix("read-modify-write: 50 % reads, 50 % read-modify-writes", read=0.5, read_modify_write=0.5),
}
"""``workloads/workloada`` to ``workloadf`` of Java YCSB."""


@dataclass(frozen=True, slots=True)
class CoreProperties:
    """The properties of the core workload, with YCSB's defaults."""

    mix: Mix
    record_count: int = 1000
    operation_count: int = 0
    """0 is endless."""
    field_count: int = 10
    field_length: int = 100
    """Bytes."""
    read_all_fields: bool = True
    write_all_fields: bool = False
    distribution: str = "zipfian"
    min_scan_length: int = 1
    max_scan_length: int = 100
    insert_start: int = 0
    seed: int | None = None


def key_name(number: int) -> str:
    """The key of record ``number``: ``user`` and the hash of it (``insertorder=hashed``)."""
    return f"user{fnv_hash64(number)}"


class CoreWorkload:
    """What all clients of one run share: the properties, and the counter of inserted keys."""

    def __init__(self, properties: CoreProperties) -> None:
        self.properties = properties
        self.fields = [f"field{i}" for i in range(properties.field_count)]
        self.insert_keys = AcknowledgedCounter(properties.insert_start + properties.record_count)

    def record_numbers(self) -> range:
        """The records of the load phase."""
        first = self.properties.insert_start
        return range(first, first + self.properties.record_count)

    def client(self, index: int, binding: Binding, record: Record) -> "CoreClient":
        """The part of client ``index``. With a seed, each client draws the same sequence in every run."""
        seed = self.properties.seed
        rng = Random() if seed is None else Random(f"{seed}/{index}")
        return CoreClient(self, rng, binding, record)

    def key_chooser(self, rng: Random) -> NumberGenerator:
        """The generator for the request distribution, as ``CoreWorkload.init`` makes it."""
        p = self.properties
        low, high = p.insert_start, p.insert_start + p.record_count - 1
        if p.distribution == "uniform":
            return UniformGenerator(low, high, rng)
        if p.distribution == "latest":
            return LatestGenerator(self.insert_keys.last, rng)
        if p.distribution == "hotspot":
            return HotspotGenerator(low, high, rng)
        if p.distribution == "zipfian-unscrambled":
            return ZipfianGenerator(p.record_count, rng, low=low)
        if p.distribution == "zipfian-exact":
            return ExactZipfianGenerator(p.record_count, rng, low=low)
        # Room for the inserts to come (twice as many as expected), so that they do not shift which keys are popular.
        # The upper end is inclusive, one beyond the records: the redraw in ``_existing_key`` takes care of it.
        expected_inserts = int(p.operation_count * p.mix.insert * 2.0)
        return ScrambledZipfianGenerator(low, high + 1 + expected_inserts, rng)


class CoreClient:
    """One client: draws operations, does them one at a time, and hands each measurement to ``record``."""

    def __init__(self, workload: CoreWorkload, rng: Random, binding: Binding, record: Record) -> None:
        p = workload.properties
        self._properties = p
        self._fields = workload.fields
        self._insert_keys = workload.insert_keys
        self._binding = binding
        self._record = record
        self._random = rng.random
        self._keys = workload.key_chooser(rng)
        self._field_numbers = UniformGenerator(0, p.field_count - 1, rng)
        self._scan_lengths = UniformGenerator(p.min_scan_length, p.max_scan_length, rng)
        self._values = ValuePool(p.field_length, rng)
        doers: dict[str, Callable[[], Awaitable[bool]]] = {
            READ: self._read,
            UPDATE: self._update,
            INSERT: self._insert,
            SCAN: self._scan,
            READ_MODIFY_WRITE: self._read_modify_write,
        }
        total = sum(share for _, share in p.mix.shares())
        bound = 0.0
        self._choices: list[tuple[float, Callable[[], Awaitable[bool]]]] = []
        for operation, share in p.mix.shares():
            bound += share / total
            self._choices.append((bound, doers[operation]))

    async def do_transaction(self) -> bool:
        """One operation of the mix; true if it succeeded."""
        drawn = self._random()
        for bound, do in self._choices:
            if drawn < bound:
                return await do()
        return await self._choices[-1][1]()

    async def insert_record(self, number: int) -> bool:
        """Insert record ``number``, as the load phase does; true if it succeeded."""
        return await self._measured(INSERT, self._binding.insert(key_name(number), self._all_values()))

    async def _read(self) -> bool:
        return await self._measured(READ, self._binding.read(self._existing_key(), self._read_fields()))

    async def _update(self) -> bool:
        return await self._measured(UPDATE, self._binding.update(self._existing_key(), self._written_values()))

    async def _insert(self) -> bool:
        number = self._insert_keys.next()
        try:
            return await self.insert_record(number)
        finally:
            # Also when it failed, as in Java: one lost insert must not stop the newest records from being read.
            self._insert_keys.acknowledge(number)

    async def _scan(self) -> bool:
        length = self._scan_lengths.next()
        return await self._measured(SCAN, self._binding.scan(self._existing_key(), length, self._read_fields()))

    async def _read_modify_write(self) -> bool:
        key, values = self._existing_key(), self._written_values()
        return await self._measured(READ_MODIFY_WRITE, self._read_then_update(key, values))

    async def _read_then_update(self, key: str, values: Mapping[str, bytes]) -> Status:
        status = await self._timed(READ, self._binding.read(key, self._read_fields()))
        if status is not Status.OK:
            return status
        return await self._timed(UPDATE, self._binding.update(key, values))

    async def _measured(self, operation: str, work: Awaitable[Status]) -> bool:
        return await self._timed(operation, work) is Status.OK

    async def _timed(self, operation: str, work: Awaitable[Status]) -> Status:
        started_ns = perf_counter_ns()
        status = await work
        self._record(operation, (perf_counter_ns() - started_ns) // 1000, status)
        return status

    def _existing_key(self) -> str:
        last = self._insert_keys.last()
        number = self._keys.next()
        while number > last:
            number = self._keys.next()
        return key_name(number)

    def _read_fields(self) -> list[str] | None:
        return None if self._properties.read_all_fields else [self._fields[self._field_numbers.next()]]

    def _written_values(self) -> dict[str, bytes]:
        if self._properties.write_all_fields:
            return self._all_values()
        return {self._fields[self._field_numbers.next()]: self._values.next()}

    def _all_values(self) -> dict[str, bytes]:
        return {field: self._values.next() for field in self._fields}


class ValuePool:
    """Random printable values of one length, cut from a block of random text: as good to a database, much cheaper."""

    _BLOCK_BYTES = 16_384

    def __init__(self, length: int, rng: Random) -> None:
        self._length = length
        self._block = bytes(rng.choices(range(32, 127), k=self._BLOCK_BYTES + length))
        self._random = rng.random

    def next(self) -> bytes:
        """The next value."""
        start = int(self._random() * self._BLOCK_BYTES)
        return self._block[start : start + self._length]
