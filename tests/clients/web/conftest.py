"""A scripted daemon on the real wire, and a real gateway that follows it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.scripted import ScriptedDaemon
from tests.clients.web.waiting import until_live
from tests.real_gateway import RealGateway, running_gateway


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedDaemon]:
    # A short name: a socket path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="operatord-web-") as path, ScriptedDaemon(Path(path)) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def gateway(scripted: ScriptedDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """One for the tests of a module; it has made-up services and a made-up cluster."""
    directory = tmp_path_factory.mktemp("web")
    options = ("--mock-metrics", "--mock-k8s")
    with running_gateway(directory, *options, runtime_dir=scripted.directory) as running:
        until_live(running)
        yield running
