"""``demo --auto`` as a process, walking through chapters that a scripted daemon tells."""

import json
import signal
import time
from types import SimpleNamespace
from typing import cast

import pytest
from tests.clients import bodies
from tests.clients.ctl.conftest import Ctl, Popen
from tests.clients.scripted import ScriptedDaemon, any_json
from tests.clients.scripted_demo import ScriptedDemo

from operator_clients.ctl.feed import Feed
from operator_clients.ctl.story import Story
from operator_clients.ctl.timeline import Timeline
from operator_clients.ctl.walk import Walk
from operator_protocol.frames import Frame, Header
from operator_protocol.records import to_body
from operator_protocol.state import State


def test_the_walk_goes_through_all_chapters_and_reports_what_it_measured(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    ScriptedDemo(daemon)
    done = ctl("demo", "--auto", "--json")
    report = any_json(done.stdout.splitlines()[-1])
    assert report["problems"] == []
    assert done.returncode == 0
    assert (report["ok"], report["subject"], report["target"], report["role"]) == (
        True,
        "valkey",
        "valkey-1",
        "primary",
    )
    assert (report["ops"], report["degraded_seen"]) == ({"baseline": 2000.0, "lowest": 0.0, "after": 2000.0}, True)
    assert (report["errors"], report["faults_owed"]) == (0, 0)
    assert min(report[f"{what}_after_s"] for what in ("detected", "diagnosed", "recovered")) > 0
    assert report["operations"]["counted"] > 1000
    assert report["diagnosis"] == {
        "source": "rules",
        "cause": "process_killed",
        "component": "valkey-1",
        "cited": [1],
        "rejected": ["network_partition"],
    }
    assert daemon.asked("workload") == [{"action": "stop"}]
    assert daemon.asked("goto") == []
    for told in ("--- 0 Welcome", "--- 7 Demo Complete", "violation.opened", "fault.recovered", "baseline 2,000 ops/s"):
        assert told in done.stderr


def test_the_report_of_a_story_that_did_not_come_true_names_every_part(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    ScriptedDemo(daemon, detected=False, served_share=0.5)
    done = ctl("demo", "--auto")
    assert done.returncode == 1
    problems = [line.strip() for line in done.stdout.splitlines() if "problem: " in line]
    assert problems[:2] == ["problem: the fault was not detected", "problem: the fault was not diagnosed"]
    assert problems[2].startswith("problem: the load counted ")
    assert done.stdout.splitlines()[-1] == "not ok"


@pytest.mark.parametrize("refusals", [1, 3])
def test_a_fault_that_is_refused_is_tried_again_and_told_if_that_does_not_help(
    daemon: ScriptedDaemon, ctl: Ctl, refusals: int
) -> None:
    ScriptedDemo(daemon, refusals=refusals)
    done = ctl("demo", "--auto")
    assert daemon.asked("goto") == [{"chapter": 3}] * min(refusals, 2)
    assert "kill is refused: unwell; trying again" in done.stderr
    assert ("problem: kill is refused: unwell" in done.stdout, done.returncode) == (refusals == 3, refusals == 3)


@pytest.mark.parametrize(("signum", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_walk_that_is_interrupted_recovers_and_stops_the_load_first(
    daemon: ScriptedDaemon, start_ctl: Popen, signum: int, exit_code: int
) -> None:
    ScriptedDemo(daemon)
    process = start_ctl("demo", "--auto", "--json")
    assert process.stderr is not None
    while "fault.injected" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signum)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == exit_code
    assert daemon.asked("recover") == [{"id": None}]
    assert daemon.asked("workload") == [{"action": "stop"}]
    report = json.loads(out.splitlines()[-1])
    assert report["ok"] is False
    assert report["problems"][0] == ("terminated" if signum == signal.SIGTERM else "interrupted")
    assert report["faults_owed"] == 0


def test_a_walk_recovers_what_was_owed_before_and_begins_at_the_first_chapter(
    daemon: ScriptedDaemon, start_ctl: Popen
) -> None:
    ScriptedDemo(daemon).leave_at_the_end_with_a_fault()
    process = start_ctl("demo", "--auto", "--json")
    assert process.stderr is not None
    lines = [process.stderr.readline() for _ in range(6)]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    told = "".join(lines)
    assert "a fault is owed from before: recovering first" in told
    assert "--- 0 Welcome" in told
    assert daemon.asked("goto") == [{"chapter": 0}]


def test_a_daemon_older_than_the_walk_is_refused_at_once_with_the_version_that_is_needed(
    daemon: ScriptedDaemon, ctl: Ctl
) -> None:
    ScriptedDemo(daemon)
    status = bodies.status()
    chapter = {field: value for field, value in status["demo"].items() if field != "overdue"}
    daemon.on("status", lambda _: status | {"version": "0.0.9", "demo": chapter})
    done = ctl("demo", "--auto", "--json")
    assert done.returncode == 1
    error = any_json(done.stdout)["error"]
    assert error["code"] == "version_mismatch"
    assert error["message"].startswith("demo --auto needs operatord ")
    assert error["message"].endswith("is older (0.0.9): its chapters do not tell: overdue")
    assert {request.cmd for request in daemon.requests} == {"status"}


def test_a_command_that_an_older_daemon_does_not_know_ends_the_walk_with_the_version_that_is_needed(
    daemon: ScriptedDaemon, ctl: Ctl
) -> None:
    ScriptedDemo(daemon)
    del daemon.handlers["next"]
    done = ctl("demo", "--auto")
    assert done.returncode == 1
    assert "problem: demo --auto needs operatord " in done.stdout
    assert daemon.asked("recover") == [{"id": None}]


def test_a_rehearsal_stays_in_each_chapter_as_long_as_a_presenter_would(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    # Much longer than the pause, or a client that is late takes in two chapters at once and pauses in the last only.
    ScriptedDemo(daemon, goes_on_after_s=3.0)
    done = ctl("demo", "--auto", "--speed", "20")
    assert done.returncode == 0, done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if " a pause of " in line]
    assert [row[0] for row in rows] == [str(index) for index in range(8)]
    assert "a rehearsal at speed 20, " in done.stdout
    assert done.stderr.count("pause 0.3 s") == 8  # five words and a look, twenty times as fast
    assert done.stdout.splitlines()[-1] == "ok"


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "1000", ""])
def test_a_speed_that_is_none_is_refused(daemon: ScriptedDaemon, ctl: Ctl, speed: str) -> None:
    done = ctl("demo", "--auto", f"--speed={speed}")
    assert done.returncode == 2
    assert "is not a speed from 0.1 to 100" in done.stderr


def test_a_speed_without_the_walk_is_answered_with_the_whole_command(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    done = ctl("demo", "--speed", "2")
    assert done.returncode == 2
    assert "operatorctl demo --auto --speed 1" in done.stderr


class LateFeed:
    """What arrives does so while its reader sleeps for longer than it meant to."""

    def __init__(self, frame: Frame) -> None:
        self.follower = SimpleNamespace(state=State())
        self.gaps: list[str] = []
        self._arrived: list[Frame] = []
        self._frame = frame

    def poll(self, timeout_s: float) -> list[Frame]:
        if timeout_s > 0:
            time.sleep(1.5 * timeout_s)
            self._arrived.append(self._frame)
            return []
        taken, self._arrived = self._arrived, []
        for frame in taken:
            self.follower.state.apply(frame.topic, frame.body)
        return taken


def test_what_came_in_time_counts_for_a_walk_that_looks_late() -> None:
    frame = Frame(
        "demo.chapter", Header(1, "b", 1, 1, 1.0, 1.0, "x"), to_body(bodies.chapter(7, title="Demo Complete"))
    )
    feed = LateFeed(frame)
    walk = Walk(cast("Feed", feed), Story(), Timeline(lambda _: None))
    assert walk._await(lambda: feed.follower.state.demo is not None, 0.02)
    assert not walk._await(lambda: False, 0.02)
