"""Networks that are gone when the test ends, however it ends."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.isolated import Talker, require_isolation

from operatord.isolation.network import IsolatedNetwork
from operatord.processes.commands import ChildCommands

MakeNetwork = Callable[..., IsolatedNetwork]


@pytest.fixture
def make_network(tmp_path: Path) -> Iterator[MakeNetwork]:
    require_isolation()
    made: list[IsolatedNetwork] = []

    def make(name: str = "state", *, subnet: str = "") -> IsolatedNetwork:
        made.append(IsolatedNetwork(tmp_path / name, ChildCommands(), wanted=True, subnet=subnet))
        return made[-1]

    yield make
    for network in made:
        asyncio.run(network.remove())


MakeTalker = Callable[..., Talker]


@pytest.fixture
def talker() -> Iterator[MakeTalker]:
    made: list[Talker] = []

    def make(address: str, namespace: str | None = None) -> Talker:
        made.append(Talker(address, namespace))
        return made[-1]

    yield make
    for one in made:
        one.close()
