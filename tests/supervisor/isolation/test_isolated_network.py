"""The network itself: built, used, found again, removed, and never another daemon's."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.isolated import Talker, abilities, require_part

from operator_protocol.errors import BadRequest, Unavailable
from operatord.isolation.addresses import Subnet
from operatord.isolation.faults import HANDLES, add_table, fault_tables, queue_of, set_queue
from operatord.isolation.names import MEMBER_LINK
from operatord.isolation.network import NOT_ISOLATED, IsolatedNetwork

MakeNetwork = Callable[..., IsolatedNetwork]
MakeTalker = Callable[..., Talker]
_MEMBERS = ["one", "two"]


def _build(network: IsolatedNetwork) -> dict[str, str]:
    return dict(zip(_MEMBERS, asyncio.run(network.build(_MEMBERS)), strict=True))


def _told(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_members_and_host_hear_each_other_and_a_member_has_no_way_out(
    make_network: MakeNetwork, talker: MakeTalker
) -> None:
    network = make_network()
    assert network.missing("nft") == NOT_ISOLATED
    hosts = _build(network)
    assert network.missing("nft") == ""
    one, two = (talker(hosts[member], network.namespace(member)) for member in _MEMBERS)
    host = talker(Subnet.around(one.address).host)
    assert all(a.hears(b) for a, b in ((one, two), (two, one), (one, host), (host, one), (two, host), (host, two)))
    assert "default" not in _told("ip", "-n", network.namespace("one"), "route")
    forwarding = Path("/proc/sys/net/ipv4/conf") / network.names.link / "forwarding"
    assert forwarding.read_text().strip() == "0"


def test_what_was_built_is_named_after_its_owner_and_nothing_of_it_stays(
    make_network: MakeNetwork, tmp_path: Path
) -> None:
    network = make_network()
    hosts = _build(network)
    assert str(tmp_path / "state") in _told("ip", "-d", "link", "show", "dev", network.names.link)
    assert asyncio.run(network.remove()) is True
    assert network.names.anything_there() == []
    assert hosts["one"].rpartition(".")[0] not in _told("ip", "route", "show", "table", "all")
    assert asyncio.run(network.remove()) is False


def test_building_again_begins_anew(make_network: MakeNetwork) -> None:
    network = make_network()
    first = _build(network)
    assert _build(network) == first


@pytest.mark.parametrize("lost", ["hub", "one", "link"])
def test_a_network_of_which_a_part_is_gone_is_removed_all_the_same(make_network: MakeNetwork, lost: str) -> None:
    network = make_network()
    _build(network)
    if lost == "link":
        _told("ip", "link", "del", "dev", network.names.link)
    else:
        _told("ip", "netns", "del", network.namespace(lost))
    asyncio.run(network.remove())
    assert network.names.anything_there() == []


def test_what_still_runs_in_a_removed_network_reaches_nobody(make_network: MakeNetwork, talker: MakeTalker) -> None:
    network = make_network()
    hosts = _build(network)
    one, two = (talker(hosts[member], network.namespace(member)) for member in _MEMBERS)
    assert one.hears(two)
    asyncio.run(network.remove())
    assert not one.hears(two)


def test_the_network_of_another_daemon_is_not_touched(make_network: MakeNetwork, talker: MakeTalker) -> None:
    mine, other = make_network("mine"), make_network("other")
    mine_at, other_at = _build(mine), _build(other)
    assert set(mine_at.values()).isdisjoint(other_at.values())
    one, two = (talker(other_at[member], other.namespace(member)) for member in _MEMBERS)
    asyncio.run(mine.remove())
    assert one.hears(two)


def test_a_network_that_was_asked_for_and_is_routed_already_is_refused(make_network: MakeNetwork) -> None:
    taken = str(Subnet.around(_build(make_network("other"))["one"]).network)
    with pytest.raises(Unavailable, match="routed on this host already") as raised:
        _build(make_network("mine", subnet=taken))
    assert "[isolation]" in raised.value.hint
    with pytest.raises(BadRequest):
        _build(make_network("mine", subnet="8.8.8.0/24"))


def test_a_network_that_was_asked_for_is_the_one_that_is_built(make_network: MakeNetwork) -> None:
    network = make_network()
    subnet = Subnet.around(_build(network)["one"])
    asyncio.run(network.remove())
    assert _build(make_network("again", subnet=str(subnet.network)))["one"] == subnet.member(0)


def test_a_kept_network_is_found_again_and_loses_the_faults_that_were_in_it(make_network: MakeNetwork) -> None:
    require_part("nft")
    require_part("tbf")
    first = make_network()
    hosts = _build(first)
    namespace, names = first.namespace("one"), first.names

    async def break_it() -> None:
        await add_table(first.commands, names, "f1", ['iifname "one" counter drop'])
        await add_table(first.commands, names, "f2", ['oifname "two" counter drop'])
        queue = ["tbf", "rate", "100000bps", "burst", "4096", "limit", "65536"]
        for where, link in ((namespace, MEMBER_LINK), (names.hub, "one")):
            await set_queue(first.commands, where, link, HANDLES["bandwidth"], queue)
        assert len(await fault_tables(first.commands, names)) == 2

    asyncio.run(break_it())
    again = make_network()
    asyncio.run(again.restore(hosts, running=["one"]))

    async def left() -> list[str]:
        queues = [await queue_of(again.commands, *place) for place in ((namespace, MEMBER_LINK), (names.hub, "one"))]
        return [*await fault_tables(again.commands, names), *filter(None, queues)]

    assert asyncio.run(left()) == []
    assert again.missing("nft") == ""


def test_a_kept_network_that_is_damaged_is_built_again_unless_somebody_runs_in_it(
    make_network: MakeNetwork, talker: MakeTalker
) -> None:
    network = make_network()
    hosts = _build(network)
    _told("ip", "netns", "del", network.namespace("two"))
    with pytest.raises(Unavailable, match=r"damaged .*one still run"):
        asyncio.run(network.restore(hosts, running=["one"]))
    asyncio.run(network.restore(hosts, running=[]))
    one, two = (talker(hosts[member], network.namespace(member)) for member in _MEMBERS)
    assert one.hears(two)


def test_a_kept_network_whose_addresses_went_to_somebody_else_is_not_built_over_them(
    make_network: MakeNetwork,
) -> None:
    mine = make_network("mine")
    hosts = _build(mine)
    asyncio.run(mine.remove())
    _build(make_network("other", subnet=str(Subnet.around(hosts["one"]).network)))
    with pytest.raises(Unavailable, match="routed on this host already"):
        asyncio.run(mine.restore(hosts, running=[]))


def test_what_a_host_lacks_is_named_with_the_package(
    make_network: MakeNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = make_network()
    (tmp_path / "bin").mkdir()
    for tool in ("ip", "tc", "nsenter", "unshare"):
        (tmp_path / "bin" / tool).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(Unavailable, match="nft not found") as raised:
        _build(network)
    assert "nftables" in raised.value.hint
    assert not abilities().problem
