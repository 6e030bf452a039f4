"""Who may send which command."""

from pathlib import Path

import pytest

from operator_protocol.errors import Unauthorized
from operatord.control.access import Access, Peer, require
from operatord.control.commands import COMMANDS
from operatord.keys import KeyRing, KeyStore

READING = {
    "ping",
    "hello",
    "snapshot",
    "status",
    "processes",
    "tickets",
    "ticket",
    "export",
    "actions",
    "action",
    "faults",
    "fault.check",
    "messages",
    "devops",
    "activity",
    "presence",
}


def test_what_a_read_key_may_send_is_a_list_that_grows_on_purpose_only() -> None:
    assert {command.name for command in COMMANDS if command.reads} == READING


def test_the_kernel_says_who_comes_over_ipc_and_the_name_is_declared() -> None:
    caller = Access().caller(Peer("", "localhost:1000:100:4242"), "alice[1]")
    assert (caller.actor, caller.rights, caller.where, caller.key) == ("alice[1]", "all", "uid 1000, pid 4242", "")
    assert "declared" in str(caller)
    require(caller, "fault", reads=False)


def test_who_comes_over_ipc_and_claims_a_key_is_still_who_the_kernel_says(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    ring = KeyRing(store, on_revoked=lambda _: None, on_error=pytest.fail)
    claimed = store.create("console", "control").public
    caller = Access(ring).caller(Peer(claimed, "localhost:1000:100:4242"), "mallory[1]")
    assert (caller.actor, caller.where, caller.key) == ("mallory[1]", "uid 1000, pid 4242", "")


@pytest.mark.parametrize("address", ["", "10.0.0.1", "::1", "fe80::1:2:3:4", "1:2:3:4:5:6:7:8"])
def test_who_comes_from_elsewhere_without_a_key_may_nothing(address: str) -> None:
    caller = Access().caller(Peer("", address), "root[1]")
    with pytest.raises(Unauthorized):
        require(caller, "ping", reads=True)


def test_a_key_is_what_the_list_says_at_this_instant(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    access = Access(KeyRing(store, on_revoked=lambda _: None, on_error=pytest.fail))
    console, wall = store.create("console", "control"), store.create("wall", "read")

    caller = access.caller(Peer(wall.public, "10.0.0.1"), "root[1]")
    assert (caller.actor, caller.rights) == ("wall", "read")
    require(caller, "status", reads=True)
    with pytest.raises(Unauthorized, match="wall"):
        require(caller, "fault", reads=False)

    require(access.caller(Peer(console.public, "10.0.0.1"), ""), "fault", reads=False)
    store.revoke("console")
    caller = access.caller(Peer(console.public, "10.0.0.1"), "")
    with pytest.raises(Unauthorized, match=r"console.*revoked"):
        require(caller, "ping", reads=True)
