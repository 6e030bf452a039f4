"""The parts of the desk: the switch, the store, the policy."""

import sqlite3
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest, Conflict, NotFound, Unavailable
from operator_protocol.models import Action
from operatord.actions.policy import Policy, read_policy
from operatord.actions.store import FILE_NAME, ActionStore
from operatord.actions.switch import Switch


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("observe", Policy("observe", "safe")),
        ("approve", Policy("approve", "safe")),
        ("execute", Policy("execute", "safe")),
        ("execute:disruptive", Policy("execute", "disruptive")),
    ],
)
def test_an_autonomy_is_read_as_it_is_written(text: str, policy: Policy) -> None:
    assert read_policy(text) == policy


@pytest.mark.parametrize("text", ["", "yes", "execute:", "execute:all", "approve:safe", "Execute"])
def test_what_is_no_autonomy_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_policy(text)
    assert "execute:RISK" in refused.value.hint


def test_the_switch_says_who_threw_it_and_outlives_the_daemon(tmp_path: Path) -> None:
    switch = Switch(tmp_path / "agent.off", lambda: 0.0)
    assert (switch.off, switch.reason) == (False, "")
    switch.turn_off("ann", "look\nfirst")
    assert Switch(tmp_path / "agent.off").reason == "by ann at 1970-01-01T00:00:00Z: look first"
    switch.turn_on()
    switch.turn_on()
    assert not switch.off


def test_anything_of_that_name_switches_off(tmp_path: Path) -> None:
    path = tmp_path / "agent.off"
    path.mkdir()
    assert Switch(path).off
    with pytest.raises(Unavailable, match="the agent stays off"):
        Switch(path).turn_on()
    path.rmdir()
    path.symlink_to(tmp_path / "nowhere")
    assert Switch(path).off
    path.unlink()
    path.write_bytes(b"\xff" * 5000)
    assert Switch(path).reason == "by hand"


def test_what_cannot_be_looked_at_is_off(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert Switch(tmp_path / "file" / "agent.off").off


def test_actions_are_kept_with_numbers_that_are_never_given_twice(tmp_path: Path) -> None:
    store = ActionStore(tmp_path / FILE_NAME)
    first, second = (store.add(Action(0, None, kind, "node-0", "proposed")) for kind in ("a", "b"))
    assert (first.id, second.id) == (1, 2)
    assert store.newest(None, 10) == [second, first]
    assert store.newest("failed", 10) == []
    store.close()
    again = ActionStore(tmp_path / FILE_NAME)
    assert again.unfinished() == [first, second]
    assert again.add(first).id == 3
    for unknown in (4, 0, -1, 2**63, 2**200):
        with pytest.raises(NotFound):
            again.get(unknown)
    again.close()


def test_a_damaged_file_is_kept_aside_and_a_new_one_begins(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database" * 100)
    store = ActionStore(tmp_path / FILE_NAME, lambda: 0.0)
    assert "is damaged" in store.notice
    assert (tmp_path / f"{FILE_NAME}.corrupt-19700101T000000Z").read_bytes().startswith(b"this is no database")
    assert store.newest(None, 1) == []
    store.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(Conflict, match="newer version"):
        ActionStore(tmp_path / FILE_NAME)


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        ActionStore(tmp_path / "nowhere" / FILE_NAME)
