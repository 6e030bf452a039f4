"""The compose file on a real engine, with stand-ins for what cannot be downloaded where the tests run."""

from collections.abc import Iterator

import pytest
from tests.standins.engine import docker_engine

__all__ = ["docker_engine"]


@pytest.fixture(scope="session", autouse=True)
def quick_checks() -> Iterator[None]:
    """A start waits for the health of its containers, which is checked more often here than by default.

    Not much more often: each check is a process in a container, and goes on for as long as the container runs.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPERATOR_HEALTH_INTERVAL", "2s")
        yield
