"""Fixtures of the end-to-end tests: a daemon that runs, or one that is yet to be started."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .real_daemon import RealDaemon, running_daemon


@pytest.fixture
def daemon_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A short name: a socket path has 107 bytes at most.
    return tmp_path_factory.mktemp("d")


@pytest.fixture
def stopped_daemon(daemon_dir: Path) -> Iterator[RealDaemon]:
    daemon = RealDaemon(daemon_dir)
    yield daemon
    daemon.end()


@pytest.fixture
def daemon(stopped_daemon: RealDaemon) -> RealDaemon:
    stopped_daemon.start()
    return stopped_daemon


@pytest.fixture(scope="module")
def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    """One daemon for tests that leave it as they found it, but for counts."""
    with running_daemon(tmp_path_factory.mktemp("d")) as daemon:
        yield daemon
