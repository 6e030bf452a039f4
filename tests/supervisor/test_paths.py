"""Directories and locks of a daemon."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from operator_protocol.endpoint import default_runtime_dir, resolve_endpoint, runtime_endpoint
from operator_protocol.errors import BadRequest, Conflict, Unavailable
from operatord.paths import (
    default_state_dir,
    ensure_private_dir,
    lock_dir,
    lock_holder,
    note_state_dir,
    resolve_running_dirs,
)


def test_the_runtime_directory_is_looked_up_in_the_documented_order() -> None:
    everything = {"OPERATOR_RUNTIME_DIR": "/a", "XDG_RUNTIME_DIR": "/b"}
    assert default_runtime_dir(everything) == Path("/a")
    assert default_runtime_dir({"XDG_RUNTIME_DIR": "/b"}) == Path("/b/operatord")
    fallback = Path("/run/operatord") if os.getuid() == 0 else Path(f"/tmp/operatord-{os.getuid()}")
    assert default_runtime_dir({}) == fallback


def test_the_state_directory_is_looked_up_in_the_documented_order() -> None:
    assert default_state_dir({"OPERATOR_STATE_DIR": "/a", "XDG_STATE_HOME": "/b"}) == Path("/a")
    assert default_state_dir({"XDG_STATE_HOME": "/b"}) == Path("/b/operatord")
    assert default_state_dir({}) == Path.home() / ".local/state/operatord"


def test_an_endpoint_is_a_directory_with_or_without_scheme() -> None:
    assert resolve_endpoint("/x", {}).control == "ipc:///x/control.sock"
    assert resolve_endpoint("ipc:///x", {}) == resolve_endpoint("/x", {})
    assert resolve_endpoint(None, {"OPERATOR_ENDPOINT": "/y"}).frames == "ipc:///y/frames.sock"


def test_a_path_that_does_not_fit_into_a_socket_address_is_refused_with_the_reason() -> None:
    runtime_endpoint("/" + "d" * 93)
    with pytest.raises(BadRequest, match="107 bytes"):
        runtime_endpoint("/" + "d" * 94)


def test_a_directory_is_made_private_and_left_empty(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state"
    ensure_private_dir(path, "--state-dir")
    assert path.stat().st_mode & 0o777 == 0o700
    assert list(path.iterdir()) == []


def test_a_directory_that_others_use_is_not_closed_to_them_but_refused(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o755)
    with pytest.raises(Unavailable, match="open to others") as refused:
        ensure_private_dir(path, "--state-dir")
    assert "chmod 700" in refused.value.hint
    assert path.stat().st_mode & 0o777 == 0o755


def test_a_directory_in_which_a_daemon_ran_is_made_private_again(tmp_path: Path) -> None:
    path = tmp_path / "state"
    ensure_private_dir(path, "--state-dir")
    os.close(lock_dir(path))
    path.chmod(0o755)
    ensure_private_dir(path, "--state-dir")
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_path_that_is_a_file_is_refused_naming_the_option(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(Unavailable) as refused:
        ensure_private_dir(path, "--state-dir")
    assert "--state-dir" in refused.value.hint
    with pytest.raises(Unavailable):
        ensure_private_dir(path / "below", "--state-dir")


def test_a_second_holder_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    assert lock_holder(tmp_path) is None
    fd = lock_dir(tmp_path)
    try:
        assert lock_holder(tmp_path) == os.getpid()
        code = (
            "import sys; from pathlib import Path; from operatord.paths import lock_dir\n"
            "from operator_protocol.errors import Conflict\n"
            "try: lock_dir(Path(sys.argv[1]))\n"
            "except Conflict as error: print(error.message)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert f"pid {os.getpid()}" in done.stdout
        with pytest.raises(Conflict):
            lock_dir(tmp_path)
    finally:
        os.close(fd)
    assert lock_holder(tmp_path) is None


def test_a_running_daemon_is_looked_for_where_clients_look_for_it(tmp_path: Path) -> None:
    told = {"OPERATOR_ENDPOINT": str(tmp_path), "OPERATOR_RUNTIME_DIR": "/elsewhere"}
    assert resolve_running_dirs(None, "/s", told) == (tmp_path, Path("/s"))
    assert resolve_running_dirs(None, "/s", {"OPERATOR_ENDPOINT": f"ipc://{tmp_path}"})[0] == tmp_path
    assert resolve_running_dirs("/option", None, told)[0] == Path("/option")
    note_state_dir(tmp_path, tmp_path / "state of that daemon")
    assert resolve_running_dirs(None, None, told)[1] == tmp_path / "state of that daemon"


@pytest.mark.parametrize("command", ["stop", "status"])
def test_a_daemon_on_another_host_is_not_stopped_from_here(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "operatord", command],
        env={**os.environ, "OPERATOR_ENDPOINT": "tcp://far.example:7411"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "on its own host" in done.stderr


@pytest.mark.parametrize("command", ["stop", "status"])
def test_stop_and_status_look_for_the_daemon_of_the_endpoint(command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "operatord", command],
        env={**os.environ, "OPERATOR_ENDPOINT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert str(tmp_path) in done.stderr
