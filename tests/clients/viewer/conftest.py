"""What the tests of the viewer share: a directory short enough for sockets, and a daemon that plays its part."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.clients.scripted import ScriptedDaemon
from tests.clients.viewer import scenes


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """Socket paths must stay under 108 bytes, which tmp_path is not sure to give."""
    directory = Path(tempfile.mkdtemp(prefix="vw-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def daemon(runtime_dir: Path) -> Iterator[ScriptedDaemon]:
    """A daemon in the middle of Stage 2."""
    with ScriptedDaemon(runtime_dir) as running:
        stage_two(running)
        yield running


def stage_two(daemon: ScriptedDaemon) -> None:
    """Publish what makes a healthy cluster under load."""
    daemon.state.version = {"operatord": "0.1.0", "subject": "valkey"}
    daemon.publish("cluster.health", scenes.cluster())
    for name in ("monitor", "agent", "ycsb"):
        daemon.publish(f"process.{name}.state", scenes.process(name))
    daemon.publish("demo.chapter", scenes.chapter(2))
    for second in range(1, 21):
        # Without a time of their own, so that nothing on the screen grows old by itself.
        daemon.publish("workload.sample", replace(scenes.sample(second), sampled_at=0.0))
