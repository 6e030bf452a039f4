"""Victims for the faults that take resources away, and what the kernel says about them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from operator_protocol.models import Fault, Scalar
from operatord.injectors.base import Scene, Target
from operatord.injectors.cgroups import Cgroups, Controller
from operatord.subjects.valkey.binary import server_program

TICKS = os.sysconf("SC_CLK_TCK")


def needs(controller: Controller) -> pytest.MarkDecorator:
    missing = Cgroups().missing(controller)
    return pytest.mark.skipif(bool(missing), reason=missing)


def fault(kind: str, **params: Scalar) -> Fault:
    """One with an id that no other test has."""
    return Fault(os.urandom(4).hex(), kind, "valkey-0", "injecting", params=params)


def scene(pid: int | None, directory: Path = Path("/nowhere"), *others: Path) -> Scene:
    return Scene(
        Target("valkey-0", "127.0.0.1", (), directory, pid),
        tuple(Target(f"valkey-{index}", "127.0.0.1", (), one) for index, one in enumerate(others, start=1)),
    )


@contextmanager
def running(program: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python child in a process group of its own, as servers are; everything in the group is ended."""
    child = subprocess.Popen([sys.executable, "-c", program], process_group=0, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, 9)
        child.communicate()


STEADY = "import signal; print('ready', flush=True); signal.pause()"


def valkey_command(directory: Path) -> list[str]:
    """A single server on a socket of its own."""
    socket_path = str(directory / "s")
    return [str(server_program()), "--port", "0", "--unixsocket", socket_path, "--dir", str(directory), "--save", ""]


class ValkeyClient:
    """Asks the server of ``valkey_command``."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "s"
        until(self._path.exists, "the server to listen")

    def send(self, *words: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(str(self._path))
        parts = [f"*{len(words)}", *(part for word in words for part in (f"${len(word)}", word))]
        connection.sendall("".join(f"{part}\r\n" for part in parts).encode())
        return connection

    def ask(self, *words: str) -> bytes:
        """The first bytes of the answer; empty when the server ended meanwhile."""
        with self.send(*words) as connection:
            try:
                return connection.recv(4096)
            except ConnectionResetError:
                return b""

    def spin(self) -> None:
        """Busy without end, as under a load that it cannot serve."""
        self.send("EVAL", "while true do end", "0").close()


def cpu_seconds(pid: int) -> float:
    """Processor time used so far, fields 14 and 15 of proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cgroup_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii")


def figure(path: Path, name: str) -> int:
    """A line of a file of a cgroup such as ``cpu.stat``."""
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return next(int(value) for key, value in lines if key == name)


def until(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.02)
