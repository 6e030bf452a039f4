"""Nothing may survive the tests: every process that they start carries a marker, and is looked for at the end."""

import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from operatord.isolation.names import NETNS_DIR, Names
from operatord.leftovers import MARKER, find_marked

_SETTLE_S = 15.0
_LONG = ("tests/e2e/", "tests/soak/", "tests/supervisor/", "tests/clients/")
"""Where the files are that take long, in the order of how long."""

# A shell starts what it puts into the background with SIGINT ignored, and that is inherited by all that we start.
# SIGTERM (`timeout`, a CI that gives up) ends the run as Ctrl+C does: fixtures take down what they started.
for _signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_signum, signal.default_int_handler)

# Containers tend to forbid it. Here programs of ours start by the thousand: each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails the run if a process of ours is still there at its end, or a namespace, link or table of one."""
    marker = f"tests-{secrets.token_hex(6)}"
    before = os.environ.get(MARKER)
    os.environ[MARKER] = marker
    yield
    until = time.monotonic() + _SETTLE_S
    while (left := _left(marker, tmp_path_factory.getbasetemp())) and time.monotonic() < until:
        time.sleep(0.1)
    if before is None:
        del os.environ[MARKER]
    else:
        os.environ[MARKER] = before
    assert not left, f"left behind by the tests: {left}"


def _left(marker: str, directory: Path) -> list[str]:
    """By marker, and, since valkey-server overwrites its environment, by a working directory of these tests."""
    found = [f"{one.pid} {one.state} {one.command}" for one in find_marked(marker)]
    for process in psutil.process_iter(["pid", "cwd", "cmdline"]):
        cwd = process.info["cwd"]
        if cwd and Path(cwd).is_relative_to(directory):
            found.append(f"{process.info['pid']} in {cwd}: {process.info['cmdline']}")
    return found + _networks_left(directory)


def _networks_left(directory: Path) -> list[str]:
    """Namespaces and links of daemons whose state directory is one of these tests'; rules are in the namespaces."""
    there = [*_listed(NETNS_DIR), *_listed(Path("/sys/class/net"))]
    if not any(name.startswith(("operatord-", "op-")) for name in there):
        return []
    directories = [Path(found) for found, _, _ in os.walk(directory)]
    return [f"network {name}" for one in directories for name in Names.of(one).anything_there()]


def _listed(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()] if directory.exists() else []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, so that no worker is left with one when the others have nothing to do any more."""
    items.sort(key=lambda item: next((rank for rank, path in enumerate(_LONG) if item.nodeid.startswith(path)), 99))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``OPERATOR_NO_SKIPS`` (CI, which installs every part) a test that was skipped is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("OPERATOR_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("a test was skipped where every part should be there: see the reasons below", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
