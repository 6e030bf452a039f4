"""A scripted daemon in a directory of its own, and the real command as a process."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.clients.scripted import ScriptedDaemon

CTL = (sys.executable, "-m", "operator_clients.ctl")
Ctl = Callable[..., "subprocess.CompletedProcess[str]"]
Popen = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A short path: socket addresses hold 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="ctl-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def daemon(runtime_dir: Path) -> Iterator[ScriptedDaemon]:
    with ScriptedDaemon(runtime_dir) as scripted:
        yield scripted


@pytest.fixture
def ctl_env(runtime_dir: Path) -> dict[str, str]:
    """The environment of the command: the scripted daemon is the default one, and nothing else of ours is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPERATOR", "XDG_"))}
    return kept | {"OPERATOR_ENDPOINT": str(runtime_dir), "TZ": "UTC"}


@pytest.fixture
def ctl(ctl_env: Mapping[str, str]) -> Ctl:
    """Run the command to its end."""

    def run(*words: str, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*CTL, *words],
            env={**ctl_env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture
def start_ctl(ctl_env: Mapping[str, str]) -> Iterator[Popen]:
    """Start the command and leave it running; whatever is left of it at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, stdout: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*CTL, *words],
            env=dict(ctl_env),
            stdout=stdout,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
