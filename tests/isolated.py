"""For tests that isolate servers: what this host lacks for it, and datagrams that show who hears whom."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from functools import cache

import pytest

from operatord.isolation.abilities import Abilities, examine
from operatord.isolation.names import inside
from operatord.processes.commands import ChildCommands

_PROGRAM = textwrap.dedent(
    """
    import select, socket, sys
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        line.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE: none is to be lost here
    except OSError:
        pass
    line.bind((sys.argv[1], 9999))
    heard = {}
    print("ready", flush=True)
    while True:
        if line in select.select([line, sys.stdin], [], [])[0]:
            # All that has arrived is counted before anything is answered.
            data, (source, _) = line.recvfrom(65536)
            count, size = heard.get(source, (0, 0))
            heard[source] = count + 1, size + len(data)
            continue
        words = sys.stdin.readline().split()
        if not words:
            sys.exit()
        if words[0] == "send":
            for _ in range(int(words[2])):
                try:
                    line.sendto(b"x" * int(words[3]), (words[1], 9999))
                except OSError:
                    pass
            print("sent", flush=True)
        else:
            print(*heard.get(words[1], (0, 0)), flush=True)
    """
)


class Talker:
    """A process that sends datagrams from an address and counts those that arrive there."""

    def __init__(self, address: str, namespace: str | None = None) -> None:
        self.address = address
        argv = [sys.executable, "-c", _PROGRAM, address]
        self._process = subprocess.Popen(
            inside(namespace, argv) if namespace else argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self._answer() == "ready"

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, to: "Talker", count: int = 5, size: int = 100) -> None:
        self._ask(f"send {to.address} {count} {size}")

    def heard(self, of: "Talker") -> tuple[int, int]:
        """Datagrams and bytes that have arrived."""
        count, size = self._ask(f"heard {of.address}").split()
        return int(count), int(size)

    def hears(self, of: "Talker") -> bool:
        """Whether something of five datagrams arrives; silence is known after a moment in which all would have."""
        before, _ = self.heard(of)
        of.send(self)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            if self.heard(of)[0] > before:
                return True
            time.sleep(0.01)
        return False

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        return self._answer()

    def _answer(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        assert select.select([stdout], [], [], 30)[0], "no answer"
        return stdout.readline().strip()


@cache
def abilities() -> Abilities:
    return asyncio.run(examine(ChildCommands()))


def require_isolation() -> None:
    """Skip the test, by the name of the part, where servers cannot be isolated."""
    if abilities().problem:
        pytest.skip(f"isolation: {abilities().problem} ({abilities().hint})")


def require_part(part: str) -> None:
    """Skip the test where the kernel lacks what only some faults need."""
    if lack := abilities().lacks.get(part):
        pytest.skip(f"isolation: {lack}")
