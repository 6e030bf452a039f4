"""A copy of a state directory is not taken for the original, and one that was moved is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from operator_protocol.errors import Conflict
from operatord import procfs
from operatord.cli.kept import kept_servers
from operatord.origin import is_copy, note_origin, require_own, take_over
from operatord.paths import ensure_private_dir, lock_dir
from operatord.processes.records import ServerRecord, ServerRecords

PROCESS_WRITES_NOTE = (
    "import sys; from pathlib import Path; from operatord.origin import note_origin as n; n(*map(Path, sys.argv[1:]))"
)


@pytest.fixture
def server() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A state directory whose daemon is gone."""
    path = tmp_path / "original"
    ensure_private_dir(path, "--state-dir")
    subprocess.run([sys.executable, "-c", PROCESS_WRITES_NOTE, path, tmp_path / "runtime"], check=True)
    return path


def keep(state_dir: Path, server: "subprocess.Popen[bytes]") -> None:
    """Put ``server`` on record, as a daemon would."""
    records = ServerRecords(state_dir / "servers.json")
    records.add(ServerRecord("valkey-0", server.pid, procfs.start_time(server.pid) or 0))


def copied(original: Path) -> Path:
    """``cp -a``."""
    copy = original.with_name("copy")
    subprocess.run(["cp", "-a", original, copy], check=True)
    return copy


def test_a_copy_of_a_directory_in_use_is_refused_with_the_place_of_the_original(original: Path) -> None:
    lock = lock_dir(original)
    note_origin(original, Path("/the/runtime"))
    try:
        copy = copied(original)
        with pytest.raises(
            Conflict, match=rf"is a copy of {original}, with which a daemon runs \(pid {os.getpid()}\)"
        ) as no:
            take_over(copy)
        assert f"operatord stop --servers --runtime-dir /the/runtime --state-dir {original}" in no.value.hint
        assert not is_copy(original)
    finally:
        os.close(lock)


def test_a_copy_does_not_have_the_servers_that_the_original_kept(
    original: Path, server: "subprocess.Popen[bytes]"
) -> None:
    keep(original, server)
    copy = copied(original)
    with pytest.raises(Conflict, match=rf"whose servers still run: valkey-0 \(pid {server.pid}\)"):
        require_own(copy)
    assert kept_servers(copy) == ""
    assert "valkey-0" in kept_servers(original)
    require_own(original)
    assert server.poll() is None


def test_a_copy_of_what_is_at_rest_begins_without_what_it_does_not_own(original: Path) -> None:
    for name in ("servers.json", "undo.journal", "tickets.sqlite"):
        (original / name).write_text("{}")
    copy = copied(original)
    assert set(take_over(copy)) == {"servers.json", "undo.journal"}
    assert (copy / "undo.journal.of-the-original").exists()
    assert (copy / "tickets.sqlite").exists()
    assert (original / "undo.journal").exists()
    note_origin(copy, Path("/r"))
    assert not is_copy(copy)


def test_a_directory_that_was_moved_or_put_back_keeps_its_servers(
    original: Path, server: "subprocess.Popen[bytes]"
) -> None:
    keep(original, server)
    moved = original.rename(original.with_name("moved"))
    assert not is_copy(moved)
    put_back = copied(moved)
    shutil.rmtree(moved)
    put_back.rename(moved)
    assert take_over(moved) == []
    assert "valkey-0" in kept_servers(moved)


def test_a_copy_in_the_place_of_a_directory_that_a_daemon_took_along_is_still_a_copy(original: Path) -> None:
    note_origin(original, Path("/r"))
    away = original.rename(original.with_name("away"))
    shutil.copytree(away, original)
    with pytest.raises(Conflict, match=rf"with which a daemon runs \(pid {os.getpid()}\)"):
        require_own(original)
