"""The real programs, built once, and the figures that the tests saw."""

from collections.abc import Callable, Iterator

import pytest
from tests.real.tikv.cluster import RealCluster, real_cluster
from tests.real.tikv.programs import Missing, Programs, built

_figures: list[str] = []


@pytest.fixture(scope="session")
def programs() -> Programs:
    try:
        return built()
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def shared(programs: Programs) -> Iterator[RealCluster]:
    """For tests that leave it as it was."""
    with real_cluster(programs) as cluster:
        yield cluster


@pytest.fixture
def cluster(programs: Programs) -> Iterator[RealCluster]:
    with real_cluster(programs) as cluster:
        yield cluster


@pytest.fixture
def figure() -> Callable[[str], None]:
    """Note one, for the end of the run."""
    return _figures.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _figures:
        terminalreporter.section("held against the real servers")
        for line in _figures:
            terminalreporter.write_line(line)
