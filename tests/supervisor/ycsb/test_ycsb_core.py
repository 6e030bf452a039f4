"""The core workload against a binding that only remembers what it was asked."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from operatord.ycsb.binding import Status
from operatord.ycsb.core import WORKLOADS, CoreClient, CoreProperties, CoreWorkload, key_name
from operatord.ycsb.hashing import fnv_hash64

KEYS = {key_name(number): number for number in range(3000)}


class Notebook:
    """A database that remembers the requests, and fails those it is told to fail."""

    def __init__(self, failing: frozenset[str] = frozenset()) -> None:
        self.asked: list[tuple[str, int, object]] = []
        self._failing = failing

    async def read(self, key: str, fields: Sequence[str] | None) -> Status:
        return self._note("read", key, fields)

    async def scan(self, start_key: str, count: int, fields: Sequence[str] | None) -> Status:
        return self._note("scan", start_key, count)

    async def update(self, key: str, values: Mapping[str, bytes]) -> Status:
        return self._note("update", key, values)

    async def insert(self, key: str, values: Mapping[str, bytes]) -> Status:
        return self._note("insert", key, values)

    async def close(self) -> None:
        return None

    def _note(self, what: str, key: str, more: object) -> Status:
        self.asked.append((what, KEYS[key], more))
        return Status.ERROR if what in self._failing else Status.OK

    def count(self) -> Counter[str]:
        return Counter(what for what, _, _ in self.asked)


class Measured:
    def __init__(self) -> None:
        self.taken: Counter[tuple[str, Status]] = Counter()

    def __call__(self, operation: str, latency_us: int, status: Status) -> None:
        assert latency_us >= 0
        self.taken[operation, status] += 1


def properties(workload: str, **changes: object) -> CoreProperties:
    mix = WORKLOADS[workload]
    return replace(CoreProperties(mix=mix, distribution=mix.distribution, seed=1), **changes)  # type: ignore[arg-type]


def transactions(client: CoreClient, number: int) -> list[bool]:
    async def work() -> list[bool]:
        return [await client.do_transaction() for _ in range(number)]

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        ("a", {"read": 0.5, "update": 0.5}),
        ("b", {"read": 0.95, "update": 0.05}),
        ("c", {"read": 1.0}),
        ("d", {"read": 0.95, "insert": 0.05}),
        ("e", {"scan": 0.95, "insert": 0.05}),
        ("f", {"read": 1.0, "update": 0.5}),
    ],
)
def test_each_workload_asks_in_its_proportions(workload: str, expected: dict[str, float]) -> None:
    notebook = Notebook()
    client = CoreWorkload(properties(workload)).client(0, notebook, Measured())
    assert all(transactions(client, 4000))
    asked = notebook.count()
    assert set(asked) == set(expected)
    assert {what: count / 4000 for what, count in asked.items()} == pytest.approx(expected, abs=0.03)


def test_records_are_named_by_the_hash_of_their_number() -> None:
    assert key_name(0) == "user6284781860667377211"
    assert key_name(1) == f"user{fnv_hash64(1)}"


def test_a_loaded_record_has_ten_fields_of_a_hundred_printable_bytes() -> None:
    notebook = Notebook()
    client = CoreWorkload(properties("a")).client(0, notebook, Measured())
    assert asyncio.run(client.insert_record(7))
    (what, number, values) = notebook.asked[0]
    assert (what, number) == ("insert", 7)
    assert isinstance(values, dict)
    assert list(values) == [f"field{i}" for i in range(10)]
    assert all(len(value) == 100 and value.isascii() and value.decode().isprintable() for value in values.values())
    assert len(set(values.values())) == 10


def test_only_acknowledged_records_are_asked_for() -> None:
    notebook = Notebook()
    # Room for 1,000 inserts to come, none of which has arrived: the key space is three times the records.
    workload = CoreWorkload(properties("d", distribution="zipfian", operation_count=20_000))
    transactions(workload.client(0, notebook, Measured()), 3000)
    newest = 999
    for what, number, _ in notebook.asked:
        if what == "insert":
            assert number == newest + 1
            newest = number
        else:
            assert number <= newest


def test_workload_d_reads_the_newest_most() -> None:
    notebook = Notebook()
    transactions(CoreWorkload(properties("d")).client(0, notebook, Measured()), 3000)
    newest, hits = 999, 0
    for what, number, _ in notebook.asked:
        if what == "insert":
            newest = number
        else:
            hits += number == newest
    assert hits / 3000 > 0.08


def test_scans_are_of_1_to_100_records() -> None:
    notebook = Notebook()
    transactions(CoreWorkload(properties("e")).client(0, notebook, Measured()), 3000)
    lengths = {more for what, _, more in notebook.asked if what == "scan"}
    assert lengths == set(range(1, 101))


def test_an_update_writes_one_field_or_all_of_them() -> None:
    for write_all, expected in ((False, 1), (True, 10)):
        notebook = Notebook()
        workload = CoreWorkload(properties("a", write_all_fields=write_all))
        transactions(workload.client(0, notebook, Measured()), 100)
        written = [more for what, _, more in notebook.asked if what == "update"]
        assert {len(values) for values in written if isinstance(values, dict)} == {expected}


def test_a_read_asks_for_all_fields_or_for_one() -> None:
    notebook = Notebook()
    transactions(CoreWorkload(properties("c", read_all_fields=False)).client(0, notebook, Measured()), 200)
    assert {tuple(more) for _, _, more in notebook.asked if isinstance(more, list)} == {
        (f"field{i}",) for i in range(10)
    }


def test_failures_are_measured_apart_from_successes() -> None:
    measured = Measured()
    client = CoreWorkload(properties("a")).client(0, Notebook(frozenset({"update"})), measured)
    results = transactions(client, 1000)
    assert measured.taken["READ", Status.OK] == results.count(True)
    assert measured.taken["UPDATE", Status.ERROR] == results.count(False)
    assert set(measured.taken) == {("READ", Status.OK), ("UPDATE", Status.ERROR)}


def test_a_read_modify_write_whose_read_failed_writes_nothing_and_is_one_failure() -> None:
    measured, notebook = Measured(), Notebook(frozenset({"read"}))
    client = CoreWorkload(properties("f")).client(0, notebook, measured)
    assert not any(transactions(client, 200))
    assert notebook.count() == {"read": 200}
    assert measured.taken["READ", Status.ERROR] == 200
    assert 60 < measured.taken["READ-MODIFY-WRITE", Status.ERROR] < 140


def test_a_failed_insert_does_not_hold_back_the_newest_records() -> None:
    workload = CoreWorkload(properties("d"))
    transactions(workload.client(0, Notebook(frozenset({"insert"})), Measured()), 200)
    assert workload.insert_keys.last() > 999


def test_a_seed_repeats_the_requests_and_clients_differ() -> None:
    def requests(index: int) -> list[tuple[str, int, object]]:
        notebook = Notebook()
        transactions(CoreWorkload(properties("a")).client(index, notebook, Measured()), 100)
        return notebook.asked

    assert requests(0) == requests(0)
    assert requests(0) != requests(1)
