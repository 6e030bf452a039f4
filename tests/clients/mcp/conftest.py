"""The official SDK's client, in memory or over the standard streams of a real ``operator-mcp``."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.scripted import ScriptedDaemon


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A short path: socket addresses hold 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="mcp-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def scripted(runtime_dir: Path) -> Iterator[ScriptedDaemon]:
    with ScriptedDaemon(runtime_dir) as daemon:
        yield daemon
