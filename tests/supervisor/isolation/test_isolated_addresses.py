"""Names and addresses: derived, private, free, and nobody else's."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest, Unavailable
from operatord.isolation.addresses import Subnet, free_subnet
from operatord.isolation.names import Names

_DEFAULT = IPv4Network("0.0.0.0/0")


def test_names_follow_from_the_state_directory_however_it_is_reached(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "state")
    names = Names.of(tmp_path / "state")
    assert Names.of(tmp_path / "link") == names
    assert Names.of(tmp_path / "other").tag != names.tag
    assert len(names.link) <= 15
    assert names.namespace("valkey-0").startswith(names.prefix)


@pytest.mark.parametrize("member", ["hub", "host", "lo", "a-name-that-is-too-long"])
def test_a_member_whose_name_cannot_be_that_of_a_link_is_refused(tmp_path: Path, member: str) -> None:
    with pytest.raises(ValueError, match=member):
        Names.of(tmp_path).port(member)


def test_the_default_route_takes_no_network_away_and_daemons_look_at_different_ones_first() -> None:
    chosen = {str(free_subnet([_DEFAULT], seed).network) for seed in ("a", "b", "c", "d")}
    assert len(chosen) == 4
    assert all(IPv4Network(one).is_private for one in chosen)


def test_a_network_that_is_routed_is_passed_over() -> None:
    first = free_subnet([], "seed")
    host_in_it = IPv4Network((first.member(0), 32))
    assert free_subnet([_DEFAULT, host_in_it], "seed") != first
    assert free_subnet([IPv4Network("10.0.0.0/8")], "seed").network.subnet_of(IPv4Network("172.16.0.0/12"))


def test_a_host_that_routes_every_private_network_is_told_to_name_one() -> None:
    everything = [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]
    with pytest.raises(Unavailable) as raised:
        free_subnet(everything, "seed")
    assert "[isolation]" in raised.value.hint


@pytest.mark.parametrize("text", ["10.1.2.0", "10.1.2.0/16", "10.1.2.3/24", "8.8.8.0/24", "fe80::/24", "x"])
def test_only_a_private_network_of_the_right_size_is_taken(text: str) -> None:
    with pytest.raises(BadRequest, match=r"10\.20\.30\.0/24|network|private") as raised:
        Subnet.parse(text)
    assert "10.20.30.0/24" in raised.value.hint


def test_a_subnet_is_known_by_any_address_in_it() -> None:
    subnet = Subnet.parse("10.20.30.0/24")
    assert Subnet.around(subnet.member(3)) == subnet
    assert (subnet.host, subnet.member(0)) == ("10.20.30.1", "10.20.30.11")
