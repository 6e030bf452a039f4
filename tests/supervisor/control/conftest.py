"""A bus to follow."""

from collections.abc import Iterator

import pytest
from tests.bus_daemon import BusDaemon, running_bus


@pytest.fixture
def bus() -> Iterator[BusDaemon]:
    with running_bus() as daemon:
        yield daemon
