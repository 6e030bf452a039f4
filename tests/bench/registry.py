"""What a benchmark is, and what it is given: a place for its files, a daemon, the number of rounds.

A benchmark is a module with a ``BENCHMARK``, entered in ``catalogue``. It measures and returns figures; it judges
nothing and asserts nothing about time. What it starts it ends.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.real_daemon import RealDaemon

from operatord.paths import lock_holder

from .figures import Figure


class Bench:
    """The run that benchmarks share."""

    def __init__(self, root: Path, *, quick: bool) -> None:
        self.quick = quick
        self._root = root
        self._directories = 0
        self._daemon: RealDaemon | None = None

    def rounds(self, full: int, quick: int) -> int:
        """How often to measure."""
        return quick if self.quick else full

    def directory(self) -> Path:
        """A new one, with a path short enough for sockets; gone at the end of the run."""
        self._directories += 1
        path = self._root / str(self._directories)
        path.mkdir()
        return path

    def daemon(self) -> RealDaemon:
        """A healthy daemon without load, shared by those that leave it as they found it."""
        if self._daemon is None:
            self._daemon = RealDaemon(self.directory())
            self._daemon.start()
        return self._daemon

    @contextlib.contextmanager
    def stopped_daemon(self) -> Iterator[RealDaemon]:
        """A daemon of one's own, yet to be started; the shared one is stopped, so that nothing runs beside it."""
        self.drop_daemon()
        daemon = RealDaemon(self.directory())
        try:
            yield daemon
        finally:
            end_daemon(daemon)

    def drop_daemon(self) -> None:
        """Stop the shared daemon; the next who needs one gets a new one."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            end_daemon(daemon)

    def say(self, line: str) -> None:
        """Progress, on stderr."""
        print(f"bench: {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One topic."""

    name: str
    summary: str
    run: Callable[[Bench], Sequence[Figure]]


def end_daemon(daemon: RealDaemon) -> None:
    """Stop it, or have its keeper take everything down if it does not listen."""
    with contextlib.suppress(AssertionError):
        daemon.stop()
    for signum in (signal.SIGTERM, signal.SIGKILL):
        holder = lock_holder(daemon.runtime_dir)
        if holder is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder, signum)
        with contextlib.suppress(AssertionError):
            daemon.wait_gone()
