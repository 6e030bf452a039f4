"""Fixtures of the end-to-end tests: a daemon that runs, or one that is yet to be started."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from operatord.paths import lock_holder

from .real_daemon import RealDaemon


@pytest.fixture
def daemon_dir() -> Iterator[Path]:
    # Not pytest's directory: a socket path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="operatord-test-") as path:
        yield Path(path)


@pytest.fixture
def stopped_daemon(daemon_dir: Path) -> Iterator[RealDaemon]:
    daemon = RealDaemon(daemon_dir)
    yield daemon
    with contextlib.suppress(AssertionError):
        daemon.stop()
    if (keeper := lock_holder(daemon.runtime_dir)) is not None:
        os.kill(keeper, signal.SIGTERM)
        daemon.wait_gone()


@pytest.fixture
def daemon(stopped_daemon: RealDaemon) -> RealDaemon:
    stopped_daemon.start()
    return stopped_daemon


@pytest.fixture(scope="module")
def shared_daemon() -> Iterator[RealDaemon]:
    """One daemon for tests that change nothing."""
    with tempfile.TemporaryDirectory(prefix="operatord-test-") as path:
        daemon = RealDaemon(Path(path))
        daemon.start()
        yield daemon
        daemon.stop()
