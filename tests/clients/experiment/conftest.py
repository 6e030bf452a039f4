"""The scripted daemon and the command of the ctl tests, and a cluster on it to experiment with."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.clients.ctl.conftest import ctl, daemon, runtime_dir, start_ctl
from tests.clients.experiment.lab import Lab
from tests.clients.scripted import ScriptedDaemon

__all__ = ["ctl", "daemon", "runtime_dir", "start_ctl"]
Write = Callable[..., str]


@pytest.fixture
def ctl_env(runtime_dir: Path, tmp_path: Path) -> dict[str, str]:  # the fixture is used by its name
    """As for other commands; the state directory is named, because `operatord recover` may be run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPERATOR", "XDG_"))}
    return kept | {"OPERATOR_ENDPOINT": str(runtime_dir), "OPERATOR_STATE_DIR": str(tmp_path / "state"), "TZ": "UTC"}


@pytest.fixture
def lab(daemon: ScriptedDaemon) -> Lab:
    """Six healthy nodes under a load."""
    return Lab(daemon)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an experiment: a title and a short steady state, unless ``head`` says otherwise, and these steps."""

    def write_file(steps: str, *, head: str = HEAD, name: str = "x.toml") -> str:
        path = tmp_path / name
        path.write_text(head + steps)
        return str(path)

    return write_file


HEAD = """
title = "A test"
[load]
rate = 2000
[steady_state]
hold = 0.1
within = 10
again_within = 10
conditions = ["cluster.ok == true", "workload.ops_per_sec >= 0.9 * baseline"]
"""
