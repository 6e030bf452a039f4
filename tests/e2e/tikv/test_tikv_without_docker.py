"""What is said where there is no Docker, or no engine."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.real_daemon import RealDaemon

from operatord.subjects.tikv import project as projects


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    daemon = RealDaemon(tmp_path_factory.mktemp("d"))
    yield daemon
    daemon.end()


def test_without_docker_the_start_says_what_to_install(
    daemon: RealDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    (tmp_path / "setpriv").symlink_to(setpriv)
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = daemon.start("--subject", "tikv", check=False)
    assert refused.returncode == 1
    assert "docker is not installed" in refused.stderr
    assert "install Docker Engine" in refused.stderr
    assert not (daemon.state_dir / projects.DIRECTORY / projects.FILE).exists()


def test_without_an_engine_the_start_says_so(daemon: RealDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    if not any(os.access(Path(place) / "docker", os.X_OK) for place in os.environ["PATH"].split(":")):
        pytest.skip("docker is not installed (Debian: apt-get install docker.io)")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    refused = daemon.start("--subject", "tikv", check=False)
    assert refused.returncode == 1
    assert "start the engine" in refused.stderr
    assert not (daemon.state_dir / projects.DIRECTORY / projects.FILE).exists()


def test_prometheus_alone_and_pd_for_another_subject_are_refused(daemon: RealDaemon) -> None:
    refused = daemon.start("--pd", "http://127.0.0.1:1", "--subject", "valkey", check=False)
    assert "--pd is for TiKV" in refused.stderr
    refused = daemon.start("--subject", "tikv", "--prometheus", "http://127.0.0.1:1", check=False)
    assert "--prometheus belongs to --pd" in refused.stderr
