"""The worked examples on a real cluster, and experiments that end as they should not."""

import json
import os
import re
import signal
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operatord.faults.undo_journal import read_owed

from .real_daemon import BIN, RealDaemon, running_daemon, until

EXAMPLES = Path(__file__).parents[2] / "deploy" / "experiments"
RUN_S = 220.0
_LIMIT = re.compile(r'^((?:within|timeout|max_\w+) = ")(\d+)s"', re.MULTILINE)
PAUSE_AND_HOLD = """
title = "Pause a replica for long"
[steady_state]
hold = 0.5
conditions = ["cluster.ok == true"]
[[step]]
name = "pause"
action = "fault"
kind = "pause"
target = "replica"
[[step]]
action = "{action}"
"""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    """A daemon that every experiment has to leave as it found it."""
    with running_daemon(tmp_path_factory.mktemp("d")) as daemon:
        yield daemon


def command(daemon: RealDaemon, *arguments: str) -> list[str]:
    return [str(BIN / "operatorctl"), "--endpoint", str(daemon.runtime_dir), "experiment", "run", *arguments]


def run(daemon: RealDaemon, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(daemon, *arguments),
        capture_output=True,
        text=True,
        timeout=RUN_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def start(daemon: RealDaemon, *arguments: str) -> "subprocess.Popen[str]":
    """A run that was seen to inject its fault."""
    process = subprocess.Popen(
        command(daemon, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    while " s  fault" not in (line := process.stderr.readline()):
        assert line, "it ended before it injected anything"
    return process


def is_as_before(daemon: RealDaemon) -> bool:
    status = daemon.healthy_status()
    return not status["faults"] and not status["workload"]["running"]


def with_patience(text: str, factor: int) -> str:
    """The experiment with longer limits: those that it has in the repository are for a machine of its own."""
    steady, step, rest = text.partition("[[step]]")
    longer, count = _LIMIT.subn(lambda found: f'{found[1]}{factor * int(found[2])}s"', rest)
    assert count > 3
    return steady + step + longer


@pytest.mark.timeout(RUN_S + 60)
@pytest.mark.parametrize(
    ("name", "kind", "role", "invariant"),
    [
        ("kill-a-primary", "kill", "primary", "node_down"),
        pytest.param("kill-a-primary", "kill", "primary", "node_down", marks=pytest.mark.soak, id="as it is"),
        pytest.param("pause-a-replica", "pause", "replica", "node_down", marks=pytest.mark.soak),
        # Whichever shows first: that it answers late, or that it is found stopped.
        pytest.param("gray-failure", "slow", "primary", "p99_latency stopped_at_times", marks=pytest.mark.soak),
    ],
)
def test_a_worked_example_passes_and_its_report_is_as_described(
    request: pytest.FixtureRequest,
    laboratory: RealDaemon,
    tmp_path: Path,
    *,
    name: str,
    kind: str,
    role: str,
    invariant: str,
) -> None:
    example = EXAMPLES / f"{name}.toml"
    if request.node.get_closest_marker("soak") is None:
        patient = tmp_path / "patient.toml"
        patient.write_text(with_patience(example.read_text(), 5))
        example = patient
    done = run(laboratory, str(example), "--report", str(tmp_path / f"{name}.md"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / name}.md\n"
    report: dict[str, Any] = json.loads((tmp_path / f"{name}.json").read_text())
    assert report["verdict"] == "passed"
    assert all(one["met"] for one in report["expectations"])
    (fault,) = report["faults"]
    assert (fault["kind"], fault["role"], fault["recovered_by"], fault["owed"]) == (kind, role, "undo", False)
    assert fault["detected"]["node"] == fault["target"]
    assert fault["detected"]["invariant"] in invariant.split()
    assert fault["injected_s"] < fault["recovering_s"] <= fault["recovered_s"] <= report["took_s"]
    assert report["steady_state"]["before"]["held"]
    assert report["steady_state"]["after"]["held"]
    assert len(report["load"]["samples"]) > 5
    drawn = [part.text or "" for part in ET.parse(tmp_path / f"{name}.svg").iter()]  # noqa: S314  # it is our own
    for told in (f"{kind} {fault['target']} injected", "detected +", "recovered in ", "baseline "):
        assert any(text.startswith(told) for text in drawn), told
    markdown = (tmp_path / f"{name}.md").read_text()
    for heading in ("# ", "## Expectations", "## Load", "## Steps", "## Faults", "## Steady state", "## Timeline"):
        assert f"\n{heading}" in f"\n{markdown}"
    assert f"({name}.svg)" in markdown
    assert is_as_before(laboratory)


def test_an_experiment_that_fails_leaves_nothing_behind(laboratory: RealDaemon, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(
        PAUSE_AND_HOLD.format(action="expect") + "that = \"node.$pause.state == 'up'\"\nhold = 5\nwithin = 6\n"
    )
    done = run(laboratory, str(tmp_path / "x.toml"), "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "failed"
    assert report["rollback"]["recovered"] == [f"pause {report['faults'][0]['target']}"]
    assert report["rollback"]["verified"] is True
    assert report["steady_state"]["after"]["held"] is True
    assert is_as_before(laboratory)


def test_ctrl_c_during_a_fault_recovers_it(laboratory: RealDaemon, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(PAUSE_AND_HOLD.format(action="hold") + "for = 60\n")
    with start(laboratory, str(tmp_path / "x.toml"), "--json") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    report = json.loads(out)
    assert (report["verdict"], report["rollback"]["verified"]) == ("interrupted", True)
    assert is_as_before(laboratory)


def test_a_daemon_killed_during_an_experiment_is_reported_and_nothing_stays_owed(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    (tmp_path / "x.toml").write_text(PAUSE_AND_HOLD.format(action="hold") + "for = 60\n")
    pid = daemon.status()["pid"]
    with start(daemon, str(tmp_path / "x.toml"), "--report", str(tmp_path / "lost.json")) as process:
        os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=100)
    assert process.returncode == 3, err
    assert out == f"{tmp_path / 'lost.json'}\n"
    report = json.loads((tmp_path / "lost.json").read_text())
    assert (report["verdict"], report["steps"][1]["state"]) == ("daemon_lost", "cut_short")
    assert report["rollback"]["verified"] is True, report["rollback"]
    assert "`operatord recover` says: " in report["rollback"]["message"]
    until(lambda: read_owed(daemon.state_dir / "undo.journal") == [], "the journal to be empty")
    assert "the daemon went away" in (tmp_path / "lost.md").read_text()
