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
from hypothesis import HealthCheck, settings

from operatord.isolation.names import NETNS_DIR, Names
from operatord.leftovers import MARKER, find_marked

_SETTLE_S = 15.0
_BUSY = ("tests/e2e/tikv/", "tests/e2e/", "tests/soak/", "tests/console/")
"""Where the files are that keep processors busy, the longest first. The others mostly wait."""
_BUSY_UNTIL = 0.9
"""The last of them begins when such a share of the others has begun: none is left over when they are done."""

# A shell starts what it puts into the background with SIGINT ignored, and that is inherited by all that we start.
# SIGTERM (`timeout`, a CI that gives up) ends the run as Ctrl+C does: fixtures take down what they started.
for _signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_signum, signal.default_int_handler)

# Containers tend to forbid it. Here programs of ours start by the thousand: each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


# How long an example takes says more of the machine than of what is tried with it.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


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
    """Files that keep processors busy are spread among the others: workers then neither fight nor idle together."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    busy = sorted((name for name in files if name.startswith(_BUSY)), key=_rank)
    others = [name for name in files if not name.startswith(_BUSY)]
    begins = {name: number / len(others) for number, name in enumerate(others)}
    begins |= {name: _BUSY_UNTIL * number / len(busy) for number, name in enumerate(busy)}
    items[:] = [item for name in sorted(files, key=begins.__getitem__) for item in files[name]]


def _rank(name: str) -> int:
    return next(rank for rank, path in enumerate(_BUSY) if name.startswith(path))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``OPERATOR_NO_SKIPS`` (CI, which installs every part) a test that was skipped is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("OPERATOR_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("a test was skipped where every part should be there: see the reasons below", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
