"""A daemon under a service manager: what it says on the socket that it is given."""

import os
import signal
import socket

import pytest

from .real_daemon import RealDaemon


def test_the_daemon_tells_when_it_is_ready_and_that_it_lives_and_when_it_stops(
    stopped_daemon: RealDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = stopped_daemon.state_dir.with_name("notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")

        stopped_daemon.start()
        ready = manager.recv(4096).decode().splitlines()
        assert ready == ["READY=1", f"MAINPID={stopped_daemon.keeper}", "STATUS=operating valkey"]
        assert [manager.recv(4096) for _ in range(5)] == [b"WATCHDOG=1"] * 5
        os.kill(stopped_daemon.keeper, signal.SIGTERM)
        while (heard := manager.recv(4096)) == b"WATCHDOG=1":
            continue
        assert heard == b"STOPPING=1\nSTATUS=SIGTERM"
        stopped_daemon.wait_gone()
