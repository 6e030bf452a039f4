"""What a service manager is told, over a real socket, through the keeper."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from operatord.sd_notify import ServiceManager

HERE = Path(__file__).parent


class Manager:
    """The other end: a datagram socket that a unit would be given."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(30)

    def hear(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def hear_until(self, name: str) -> list[dict[str, str]]:
        heard = [self.hear()]
        while name not in heard[-1]:
            heard.append(self.hear())
        return heard


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@operator-test-{os.getpid()}"
    found = Manager(address)
    with found.socket:
        yield found


@contextmanager
def kept(manager: Manager, tmp_path: Path, mode: str, watchdog_usec: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(HERE / "process_keeper.py"), str(tmp_path), "none", "30"]
    command += [sys.executable, str(HERE / "process_notifier.py"), mode]
    environment = {**os.environ, "NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(watchdog_usec)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as keeper:
        try:
            yield keeper
        finally:
            keeper.kill()


def test_it_is_told_of_readiness_life_and_the_end(manager: Manager, tmp_path: Path) -> None:
    with kept(manager, tmp_path, "obey", 40_000) as keeper:
        ready = manager.hear_until("READY")[-1]
        assert ready == {"READY": "1", "MAINPID": str(keeper.pid), "STATUS": "as ready as can be"}
        assert all(manager.hear() == {"WATCHDOG": "1"} for _ in range(5))
        keeper.send_signal(signal.SIGTERM)
        assert manager.hear_until("STOPPING")[-1] == {"STOPPING": "1", "STATUS": "told to"}
        out, _ = keeper.communicate(timeout=30)
        assert keeper.returncode == 0
        # What the daemon starts must not speak in its name.
        assert out.splitlines() == ["environment []", "after"]


def test_a_daemon_that_hangs_falls_silent_and_is_killed_at_the_managers_word(manager: Manager, tmp_path: Path) -> None:
    with kept(manager, tmp_path, "hang", 40_000) as keeper:
        manager.hear_until("READY")
        manager.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while True:
                manager.hear()
        keeper.send_signal(signal.SIGABRT)
        out, err = keeper.communicate(timeout=30)
        assert keeper.returncode == 128 + signal.SIGKILL
        assert "the daemon hangs" in err
        assert out.splitlines()[-1] == "after"


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        ({}, 0.0),
        ({"NOTIFY_SOCKET": "/nowhere/at/all"}, 0.0),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "2000000"}, 2.0),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 2.0),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getppid())}, 2.0),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1000000000"}, 0.0),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "2000000"}, 0.0),
    ],
)
def test_nobody_to_tell_is_no_error(environment: dict[str, str], every_s: float) -> None:
    manager = ServiceManager(environment)
    assert environment == {}
    assert manager.watchdog_s == every_s
    manager.ready("nobody hears this")
    manager.stopping("nor this")
