"""Slots, owners and redirections; how records are laid out over them."""

import pytest
from valkey.crc import key_slot as reference_key_slot

from operatord.ycsb.core import key_name
from operatord.ycsb.topology import SLOTS, Address, Topology, key_slot, parse_cluster_slots, parse_redirection
from operatord.ycsb.valkey import INDEX_RANGES, index_range

ASKED = Address("10.0.0.9", 7000)


@pytest.mark.parametrize("key", [b"user1", b"{user}1", b"a{b}c{d}", b"{}x", b"x{", b"x}{y}", b"", b"\xff\x00"])
def test_slots_are_those_of_the_cluster_specification(key: bytes) -> None:
    assert key_slot(key) == reference_key_slot(key)


def test_owners_and_replicas_are_read_from_cluster_slots() -> None:
    reply = [
        [0, 8191, [b"127.0.0.1", 7001, b"id1", []], [b"127.0.0.1", 7002, b"id2", []]],
        [8192, 16383, [b"", 7003, b"id3", []]],
    ]
    owners, nodes = parse_cluster_slots(reply, ASKED)
    topology = Topology()
    topology.replace(owners, nodes)
    assert topology.owner(0) == topology.owner(8191) == Address("127.0.0.1", 7001)
    assert topology.owner(16383) == Address("10.0.0.9", 7003)
    assert topology.nodes == (Address("127.0.0.1", 7001), Address("127.0.0.1", 7002), Address("10.0.0.9", 7003))


@pytest.mark.parametrize("reply", [b"OK", None, [[1]], [[0, 99999, [b"h", 1]]], [[0, 5, b"x"]], [[5, 0, [b"h", 1]]]])
def test_a_reply_of_another_shape_is_refused(reply: object) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse_cluster_slots(reply, ASKED)


def test_a_slot_that_nobody_serves_now_keeps_its_last_owner() -> None:
    topology = Topology()
    first, second = Address("h", 1), Address("h", 2)
    topology.replace({(0, SLOTS - 1): first}, [first])
    topology.replace({(100, 200): second}, [second])
    assert [topology.owner(slot) for slot in (99, 100, 200, 201)] == [first, second, second, first]


def test_redirections_name_slot_and_node() -> None:
    assert parse_redirection("MOVED 3999 127.0.0.1:6381", ASKED) == (3999, Address("127.0.0.1", 6381))
    assert parse_redirection("ASK 1 :7005", ASKED) == (1, Address("10.0.0.9", 7005))
    assert parse_redirection("MOVED 2 [::1]:7006", ASKED) == (2, Address("::1", 7006))


def test_the_scan_index_is_spread_over_ranges_in_key_order() -> None:
    placed = sorted((int(key.removeprefix("user")), *index_range(key)) for key in map(key_name, range(1000)))
    assert [place[1] for place in placed] == sorted(place[1] for place in placed)
    assert {place[1] for place in placed} == set(range(INDEX_RANGES))
    assert all(number == score for number, _, score in placed)
    assert len({key_slot(f"_indices:{number}".encode()) for number in range(INDEX_RANGES)}) == INDEX_RANGES
