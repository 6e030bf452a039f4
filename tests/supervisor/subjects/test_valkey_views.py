"""Reading what nodes say about the cluster, and settling where they disagree."""

from operatord.subjects.valkey.views import (
    Peer,
    merged,
    parse_info,
    parse_nodes,
    slot_owners,
    spelled,
    verdict,
    without,
)

_NODES = (
    "aaa 127.0.0.1:7000@17000 myself,master - 0 0 7 connected 0-5460\n"
    "bbb 127.0.0.1:7001@17001,host-b,shard-id=x master,fail? - 1711 1712 8 disconnected 5461-10922 16383 [93-<-ccc]\n"
    "ccc 127.0.0.1:7003@17003 slave aaa 0 1711 7 connected\n"
    "garbage\n"
    "\n"
)


def _peer(node_id: str, epoch: int, *slots: tuple[int, int], flags: str = "master") -> Peer:
    return Peer(node_id, "127.0.0.1", 7000, frozenset(flags.split(",")), "", epoch, True, slots)


def test_cluster_nodes_is_read_with_hostnames_moving_slots_and_lines_that_are_none() -> None:
    first, second, third = parse_nodes(_NODES)
    assert (first.node_id, first.port, first.role, first.slots) == ("aaa", 7000, "primary", ((0, 5460),))
    assert (second.failing, second.connected, second.epoch) == (True, False, 8)
    assert second.slots == ((5461, 10922), (16383, 16383))
    assert (third.role, third.primary_id) == ("replica", "aaa")


def test_info_keeps_colons_in_values() -> None:
    assert parse_info("# Server\r\nrole:master\r\nlistener0:name=tcp,bind=*:1\r\n") == {
        "role": "master",
        "listener0": "name=tcp,bind=*:1",
    }


def test_of_two_claims_on_a_slot_the_higher_epoch_is_right_whoever_tells_it() -> None:
    isolated = [_peer("old", 1, (0, 100)), _peer("other", 2, (101, 200))]
    majority = [_peer("new", 3, (0, 100)), _peer("old", 1, flags="master,fail"), _peer("other", 2, (101, 200))]
    for views in ([isolated, majority], [majority, isolated]):
        assert slot_owners(views) == {"new": ((0, 100),), "other": ((101, 200),)}


def test_a_part_of_a_range_may_have_moved_on() -> None:
    views = [[_peer("a", 1, (0, 100))], [_peer("b", 2, (40, 50))]]
    assert slot_owners(views) == {"a": ((0, 39), (51, 100)), "b": ((40, 50),)}


def test_ranges_are_cut_joined_and_spelled() -> None:
    assert without((0, 10), [(0, 3), (8, 20)]) == [(4, 7)]
    assert without((0, 10), [(0, 10)]) == []
    assert merged([(5, 9), (0, 4), (11, 11)]) == [(0, 9), (11, 11)]
    assert spelled([(0, 9), (11, 11)]) == "0-9, 11"


def test_a_node_has_failed_when_most_of_the_others_say_so_and_its_own_opinion_does_not_count() -> None:
    suspects = [_peer("x", 1, flags="master,fail?")]
    fine = [_peer("x", 1)]
    assert verdict("x", {"a": suspects, "b": fine, "c": fine}).up is True
    assert verdict("x", {"a": suspects, "b": suspects, "c": fine}).up is False
    assert verdict("x", {"x": fine, "a": suspects}).up is False
    assert verdict("x", {"x": fine}).up is None
    assert verdict("x", {"a": [], "b": []}).up is False, "nobody knows it any more"
