"""The lists of keys: made, revoked, damaged, and how a running daemon sees them."""

import os
import stat
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest, Conflict, NotFound, Unavailable
from operatord.keys import Key, KeyRing, KeyStore


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Ring:
    """A ring, and what it told."""

    def __init__(self, store: KeyStore) -> None:
        self.revoked: list[str] = []
        self.errors: list[str] = []
        self.ring = KeyRing(
            store, on_revoked=lambda keys: self.revoked.extend(key.name for key in keys), on_error=self.errors.append
        )


def test_the_daemons_own_pair_is_made_once_and_kept(tmp_path: Path) -> None:
    first = KeyStore(tmp_path).server()
    assert KeyStore(tmp_path).server() == first
    assert first.secret not in repr(first)


def test_only_the_owner_can_read_the_keys(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        KeyStore(tmp_path).create("console", "control")
    finally:
        os.umask(old)
    assert mode(tmp_path / "keys") == 0o700
    assert {mode(file) for file in (tmp_path / "keys").iterdir()} == {0o600}


def test_the_secret_of_a_client_is_kept_nowhere(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path).create("console", "control")
    assert all(keys.secret not in file.read_text() for file in (tmp_path / "keys").iterdir())
    assert keys.secret not in repr(keys)


def test_a_name_can_be_taken_once_until_it_is_revoked(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    first = store.create("console", "control")
    with pytest.raises(Conflict, match="console"):
        store.create("console", "read")
    assert store.revoke("console").public == first.public
    assert store.create("console", "read").public != first.public
    assert [(key.name, key.role) for key in store.admitted()] == [("console", "read")]


@pytest.mark.parametrize("name", ["", "Console", "1st", "a b", "-a", "a" * 33, "../x", "é", "a\n"])
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest):
        KeyStore(tmp_path).create(name, "read")


def test_revoking_a_stranger_names_the_keys_that_there_are(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    store.create("wall", "read")
    with pytest.raises(NotFound, match="wall"):
        store.revoke("console")


def test_a_ring_sees_what_another_process_changed(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    seen = Ring(store)
    assert seen.ring.find("x" * 40) is None
    keys = KeyStore(tmp_path).create("wall", "read")
    found = seen.ring.find(keys.public)
    assert isinstance(found, Key)
    assert (found.name, found.role) == ("wall", "read")
    KeyStore(tmp_path).revoke("wall")
    assert seen.ring.find(keys.public) is None
    assert seen.revoked == ["wall"]
    assert seen.ring.name_of(keys.public) == "wall"
    assert not seen.errors


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 2, "keys": []}', '{"format": 1, "keys": [{}]}'])
def test_a_damaged_list_admits_nobody_and_is_never_overwritten(tmp_path: Path, content: str) -> None:
    store = KeyStore(tmp_path)
    keys = store.create("wall", "read")
    seen = Ring(store)
    assert seen.ring.find(keys.public) is not None
    store.list_file.write_text(content)
    assert seen.ring.find(keys.public) is None
    assert seen.ring.find(keys.public) is None
    assert seen.revoked == ["wall"]
    assert len(seen.errors) == 1
    with pytest.raises(Unavailable, match="damaged"):
        store.create("other", "read")
    assert store.list_file.read_text() == content


def test_a_list_that_is_gone_admits_nobody(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    keys = store.create("wall", "read")
    seen = Ring(store)
    assert seen.ring.find(keys.public) is not None
    store.list_file.unlink()
    assert seen.ring.find(keys.public) is None


def test_a_damaged_pair_of_the_daemon_is_said_and_not_replaced(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    store.server()
    (tmp_path / "keys" / "server.json").write_text('{"public": "short"}')
    with pytest.raises(Unavailable, match=r"server\.json is damaged"):
        store.server()
