"""``publish-progress.sh`` from shells that know nothing of each other, on a real daemon: killed, gone, and back."""

import os
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operator_protocol.requests import Requester

from .real_daemon import BIN, RealDaemon, running_daemon, until

SCRIPT = Path(__file__).parents[2] / "deploy" / "devops" / "publish-progress.sh"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    with running_daemon(tmp_path_factory.mktemp("d")) as daemon:
        yield daemon


def shell(daemon: RealDaemon, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A shell of its own, with an environment of its own; ``$P`` is the script."""
    env = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(daemon.state_dir),
        "OPERATOR_ENDPOINT": str(daemon.runtime_dir),
        "P": str(SCRIPT),
        **variables,
    }
    return subprocess.run(
        ["/bin/sh", "-c", script], env=env, capture_output=True, text=True, timeout=60, check=False, cwd="/"
    )


def activity(daemon: RealDaemon) -> dict[str, Any]:
    with Requester(daemon.endpoint) as requester:
        return requester.command("devops")


def test_the_script_is_installed_where_operatorctl_is() -> None:
    project = tomllib.loads((SCRIPT.parents[2] / "pyproject.toml").read_text())
    scripts = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-scripts"]
    assert scripts == {"deploy/devops/publish-progress.sh": "publish-progress.sh"}
    assert os.access(SCRIPT, os.X_OK)


@pytest.mark.criterion("defect-2", "a later shell finds the operation by its id")
@pytest.mark.criterion("defect-1", "every message of the script reaches the activity")
@pytest.mark.criterion("defect-3", "the error of a step, from the shell to the page")
@pytest.mark.criterion("US-09", "STARTED, STEP_UPDATE and COMPLETE or FAILED, published by scripts")
def test_an_operation_would_be_lost_to_the_next_shell_and_is_continued_and_finished_by_its_id(
    house: RealDaemon,
) -> None:
    first = shell(house, 'exec "$P" start "Deploy web 2.1.0" --steps pull,apply,wait')
    assert (first.returncode, first.stderr) == (0, "")
    activity_id = first.stdout.strip()
    with house.follower() as follower:
        second = shell(house, '"$P" step "$1" pull running && "$P" step "$1" pull completed'.replace("$1", activity_id))
        assert second.returncode == 0, second.stderr
        assert activity(house)["current"]["id"] == activity_id
        third = shell(house, f'"$P" step {activity_id} apply failed --error "no room on the \\"nodes\\""')
        assert third.returncode == 0, third.stderr
        fourth = shell(house, f'"$P" fail {activity_id} --error "rollout timed out"')
        assert fourth.returncode == 0, fourth.stderr

        def told() -> bool:
            follower.poll(0.1)
            seen = follower.state.devops.get(activity_id)
            return seen is not None and seen.status == "failed"

        until(told, "the bus to tell of the failure")
        shown = follower.state.devops[activity_id]
    assert (shown.operation, shown.error) == ("Deploy web 2.1.0", "rollout timed out")
    assert [(step.name, step.status, step.error) for step in shown.steps] == [
        ("pull", "completed", ""),
        ("apply", "failed", 'no room on the "nodes"'),
        ("wait", "pending", ""),
    ]


def test_a_wrong_call_fails_with_2_and_a_refused_one_with_1_and_the_help_is_that_of_the_script(
    house: RealDaemon,
) -> None:
    assert shell(house, '"$P"').returncode == 2
    assert shell(house, '"$P" begin x').returncode == 2
    assert shell(house, '"$P" step nobody pull done', PROGRESS_OPTIONAL="1").returncode == 2
    refused = shell(house, '"$P" complete nobody')
    assert refused.returncode == 1
    assert "there is no operation 'nobody'" in refused.stderr
    told = shell(house, '"$P" --help').stdout
    assert "PROGRESS_OPTIONAL=1" in told
    assert "#" not in told.splitlines()[0]


@pytest.mark.criterion("US-08", "activities survive the end of the daemon")
@pytest.mark.criterion("US-09", "an operation that was begun before a restart goes on after it")
def test_a_deployment_goes_on_without_its_daemon_and_a_killed_one_has_all_when_it_is_back(house: RealDaemon) -> None:
    assert shell(house, '"$P" start "Upgrade" --steps drain,upgrade --id upgrade-1').stdout == "upgrade-1\n"
    assert shell(house, '"$P" step upgrade-1 drain running').returncode == 0
    before = activity(house)
    house.kill_with_keeper()
    # Without a daemon it fails, unless its progress is not worth failing for.
    strict = 'id=$("$P" start "Deploy" --steps a) || exit $?; "$P" step "$id" a running'
    assert shell(house, strict).returncode == 3
    optional = shell(house, f"set -e; {strict}; " + '"$P" complete "$id"; echo deployed', PROGRESS_OPTIONAL="1")
    assert (optional.returncode, optional.stdout) == (0, "deployed\n")
    assert "no daemon answers" in optional.stderr
    assert shell(house, '"$P" list', PROGRESS_OPTIONAL="1", OPERATORCTL="/nonexistent").returncode == 0
    house.start()
    assert activity(house) == before
    with house.follower() as follower:
        assert follower.state.devops["upgrade-1"].steps[0].status == "running"
    assert shell(house, '"$P" complete upgrade-1').returncode == 0
    assert activity(house)["current"] is None
