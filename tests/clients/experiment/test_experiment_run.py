"""``operatorctl experiment`` as a process against a scripted cluster: every way a run can end, and what it leaves."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.clients.ctl.conftest import Ctl, Popen
from tests.clients.experiment.conftest import HEAD, Write
from tests.clients.experiment.lab import Lab
from tests.clients.scripted import Script, ScriptedDaemon, any_json

from operator_protocol.codec import Body
from operator_protocol.errors import DeadlineExceeded

FAULT = '[[step]]\nname = "kill"\naction = "fault"\nkind = "kill"\ntarget = "primary"\n'
DETECT = (
    '[[step]]\naction = "wait"\nevent = "violation.opened"\nmatch = { invariant = "node_down", node = "$kill" }\n'
    "within = 5\n"
)
RECOVER = '[[step]]\naction = "recover"\nwithin = 5\n'
FULL = (
    FAULT
    + DETECT
    + '[[step]]\naction = "expect"\nthat = ["node.$kill.state == \'down\'", "workload.degraded == true"]\n'
    + RECOVER
    + '[[step]]\naction = "wait"\nevent = "violation.closed"\n'
    + "[expect]\nmax_detection = 5\nmax_recovery = 5\nlowest_throughput = 0\nmax_errors = 0\n"
)


def until_said(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stderr is not None
    while word not in (line := process.stderr.readline()):
        assert line or process.poll() is None, f"it ended without a word of {word!r}"


def test_a_run_as_it_should_be(lab: Lab, ctl: Ctl, write: Write, tmp_path: Path) -> None:
    done = ctl("experiment", "run", write(FULL), "--report", str(tmp_path / "reports"))
    assert done.returncode == 0, done.stderr
    report = Path(done.stdout.rstrip("\n"))
    assert report.parent == tmp_path / "reports"
    assert sorted(path.suffix for path in report.parent.iterdir()) == [".json", ".md", ".svg"]
    document = json.loads(report.with_suffix(".json").read_text())
    assert (document["verdict"], document["exit_code"], document["schema_version"]) == ("passed", 0, 1)
    assert [step["state"] for step in document["steps"]] == ["done"] * 5
    assert all(one["met"] for one in document["expectations"])
    assert {one["where"] for one in document["expectations"]} == {
        "steady_state",
        "step 2",
        "step 3",
        "step 4",
        "max_detection",
        "max_recovery",
        "lowest_throughput",
        "max_errors",
        "always",
    }
    fault = document["faults"][0]
    assert (fault["target"], fault["detected"]["node"], fault["owed"]) == ("valkey-1", "valkey-1", False)
    assert document["steady_state"]["after"]["held"] is True
    assert document["load"]["lowest"] == 0.0
    assert lab.daemon.asked("workload")[-1] == {"action": "stop"}
    assert f"({report.with_suffix('.svg').name})" in report.read_text()
    for told in ("load", "steady", "fault", "wait", "expect", "recover", "passed"):
        assert f" s  {told}" in done.stderr


def test_the_report_can_be_named_and_is_one_document_under_json(
    lab: Lab, ctl: Ctl, write: Write, tmp_path: Path
) -> None:
    done = ctl("experiment", "run", write(FULL), "--report", str(tmp_path / "out.json"), "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert any_json(done.stdout) == json.loads((tmp_path / "out.json").read_text())
    assert (tmp_path / "out.md").exists()
    assert (tmp_path / "out.svg").exists()


def test_without_report_or_json_nothing_is_on_standard_output(lab: Lab, ctl: Ctl, write: Write) -> None:
    done = ctl("experiment", "run", write(FAULT + RECOVER))
    assert (done.returncode, done.stdout) == (0, "")


def test_parameters_and_times_are_sent_as_they_are_written(lab: Lab, ctl: Ctl, write: Write) -> None:
    slow = (
        '[[step]]\naction = "fault"\nkind = "slow"\ntarget = "valkey-1"\nparams = { percent = 80 }\nfor = "30s"\n'
        'force = true\n[[step]]\naction = "restart"\nprocess = "$target"\n'
    )
    done = ctl("experiment", "run", write(slow))
    assert done.returncode == 0, done.stderr
    assert lab.daemon.asked("fault") == [
        {"kind": "slow", "target": "valkey-1", "countdown": 0.0, "for": 30.0, "force": True, "params": {"percent": 80}}
    ]
    assert lab.daemon.asked("restart") == [{"name": "valkey-1"}]
    assert lab.daemon.asked("recover") == [{"id": "mine"}]


def test_an_expectation_that_fails_is_exit_1_and_everything_is_recovered(lab: Lab, ctl: Ctl, write: Write) -> None:
    never = FAULT + '[[step]]\naction = "expect"\nthat = "node.$kill.state == \'up\'"\nwithin = 0.5\n' + RECOVER
    done = ctl("experiment", "run", write(never), "--json")
    document = any_json(done.stdout)
    assert (done.returncode, document["verdict"]) == (1, "failed")
    assert "node.valkey-1.state == 'up': 'down' against 'up'" in document["reason"]
    assert [step["state"] for step in document["steps"]] == ["done", "failed", "not_run"]
    assert lab.daemon.asked("recover") == [{"id": "mine"}]
    assert document["rollback"] == {
        "needed": True,
        "recovered": ["kill valkey-1"],
        "verified": True,
        "message": "recovered kill valkey-1; verified",
    }
    assert document["steady_state"]["after"]["held"] is True
    assert lab.daemon.asked("workload")[-1] == {"action": "stop"}


def test_what_took_too_long_is_exit_1_but_the_run_goes_on(lab: Lab, ctl: Ctl, write: Write) -> None:
    hasty = FAULT + DETECT.replace("within = 5", "within = 0\ntimeout = 5") + RECOVER
    done = ctl("experiment", "run", write(hasty), "--json")
    document = any_json(done.stdout)
    assert done.returncode == 1
    assert [step["state"] for step in document["steps"]] == ["done", "failed", "done"]
    missed = next(one for one in document["expectations"] if not one["met"])
    assert (missed["where"], missed["limit"]) == ("step 2", 0.0)
    assert missed["measured"] > 0


def test_a_wait_that_times_out_is_exit_4_and_everything_is_recovered(lab: Lab, ctl: Ctl, write: Write) -> None:
    lab.detects = False
    done = ctl("experiment", "run", write(FAULT + DETECT.replace("within = 5", "timeout = 0.5") + RECOVER), "--json")
    document = any_json(done.stdout)
    assert (done.returncode, document["verdict"]) == (4, "timed_out")
    assert "no violation.opened invariant=node_down node=valkey-1 since the injection" in document["reason"]
    assert document["rollback"]["recovered"] == ["kill valkey-1"]


def test_a_refused_fault_is_exit_1_with_the_daemons_reason_and_nothing_is_owed(
    lab: Lab, ctl: Ctl, write: Write
) -> None:
    done = ctl("experiment", "run", write(FAULT.replace('"primary"', '"valkey-5"')), "--json")
    document = any_json(done.stdout)
    assert (done.returncode, document["verdict"]) == (1, "refused")
    assert "the last live copy" in document["reason"]
    assert done.stderr.count("the last live copy") == 1
    assert lab.daemon.asked("recover") == []


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (FAULT.replace('"kill"', '"kil"'), "no fault is called 'kil'; there are kill, slow, latency"),
        (FAULT.replace('kind = "kill"', 'kind = "latency"'), "cannot be injected here: the kernel module sch_netem"),
        (FAULT.replace('"primary"', '"valkey-9"'), "there is no target 'valkey-9'"),
        (FAULT + "params = { percent = 3 }\n", "kill has no parameter 'percent'; it has none"),
        ('[[step]]\naction = "restart"\nprocess = "monitr"\n', "there is no process 'monitr'; there are monitor,"),
    ],
)
def test_what_the_daemon_does_not_have_is_refused_before_anything_is_done(
    lab: Lab, ctl: Ctl, write: Write, steps: str, told: str
) -> None:
    rehearsed = ctl("experiment", "run", write(steps), "--dry-run")
    assert rehearsed.returncode == 1
    assert told in rehearsed.stdout
    done = ctl("experiment", "run", write(steps))
    assert done.returncode == 1
    assert done.stderr.count(told) == 1
    assert lab.daemon.asked("fault") == []
    assert lab.daemon.asked("workload") == [{"action": "show"}]


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(lab: Lab, ctl: Ctl, write: Write) -> None:
    done = ctl("experiment", "run", write(FULL), "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1. fault     kill primary" in done.stdout
    assert "now not: workload.ops_per_sec >= 0.9 * baseline: no sample of the load yet" in done.stdout
    assert "it could be run now" in done.stdout
    assert {request.cmd for request in lab.daemon.requests} <= {"status", "workload", "faults"}
    assert lab.daemon.asked("workload") == [{"action": "show"}]


def test_no_steady_state_means_that_nothing_is_injected(lab: Lab, ctl: Ctl, write: Write) -> None:
    impossible = HEAD.replace("0.9 * baseline", "9 * baseline").replace("within = 10", "within = 6", 1)
    done = ctl("experiment", "run", write(FULL, head=impossible), "--json")
    document = any_json(done.stdout)
    assert (done.returncode, document["verdict"]) == (1, "failed")
    assert "no steady state within 6.0 s: workload.ops_per_sec >= 9 * baseline: 2,000 against 18,000" in done.stderr
    assert lab.daemon.asked("fault") == []
    assert lab.daemon.asked("workload")[-1] == {"action": "stop"}


def test_a_steady_state_that_speaks_of_a_load_needs_one(lab: Lab, ctl: Ctl, write: Write) -> None:
    done = ctl("experiment", "run", write(FAULT, head=HEAD.replace("[load]\nrate = 2000\n", "")))
    assert done.returncode == 1
    assert "speaks of the load, but none runs: add a [load] with a rate" in done.stderr


def test_a_watched_condition_that_breaks_ends_the_run_and_everything_is_recovered(
    lab: Lab, ctl: Ctl, write: Write
) -> None:
    lab.errors_per_sec = 50.0
    watched = '{ that = "workload.errors_per_sec <= 10", during = true, tolerate = 0.3 }'
    head = HEAD.replace('baseline"]', f'baseline", {watched}]')
    done = ctl("experiment", "run", write(FAULT + '[[step]]\naction = "hold"\nfor = 30\n', head=head), "--json")
    document = any_json(done.stdout)
    assert (done.returncode, document["verdict"]) == (1, "failed")
    assert "did not hold for over 0.3 s: workload.errors_per_sec <= 10: 50 against 10" in document["reason"]
    assert document["took_s"] < 20
    watch = next(one for one in document["expectations"] if "longest break" in one["what"])
    assert (watch["met"], watch["note"]) == (False, "worst 50 errors/s")
    assert document["rollback"]["verified"] is True


def test_a_load_that_ran_before_is_put_back(lab: Lab, ctl: Ctl, write: Write) -> None:
    lab.running, lab.rate = True, 700.0
    lab.stop_takes_s = 0.3  # what it does until then is no sign of life afterwards
    head = HEAD.replace("again_within = 10", "again_within = 0.5")
    done = ctl("experiment", "run", write(FAULT + RECOVER + '[[step]]\naction = "load"\ndo = "stop"\n', head=head))
    assert done.returncode == 1, "the steady state does not come back without a load"
    asked = [args for args in lab.daemon.asked("workload") if args["action"] != "show"]
    assert asked == [{"action": "rate", "rate": 2000}, {"action": "stop"}, {"action": "start", "rate": 700.0}]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_interrupted_recovers_stops_the_load_and_says_so(
    lab: Lab, start_ctl: Popen, write: Write, signum: int, code: int
) -> None:
    process = start_ctl("experiment", "run", write(FAULT + '[[step]]\naction = "hold"\nfor = 60\n'), "--json")
    until_said(process, " s  fault")
    process.send_signal(signum)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    document = any_json(out)
    assert document["verdict"] == ("interrupted" if signum == signal.SIGINT else "terminated")
    assert document["steps"][1]["state"] == "cut_short"
    assert document["rollback"]["recovered"] == ["kill valkey-1"]
    assert document["rollback"]["verified"] is True
    assert document["steady_state"]["after"] is None
    assert lab.daemon.asked("recover") == [{"id": "mine"}]
    assert lab.daemon.asked("workload")[-1] == {"action": "stop"}
    assert lab.fault is None


def test_a_signal_during_the_countdown_calls_the_fault_off(lab: Lab, start_ctl: Popen, write: Write) -> None:
    process = start_ctl("experiment", "run", write(FAULT + "countdown = 20\n"), "--json")
    until_said(process, " s  steady")
    # The first second of the countdown has certainly been heard of in the second one.
    while lab.fault is None or lab.fault.remaining == 20:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    document = any_json(out)
    assert process.returncode == 130
    assert (document["faults"], document["rollback"]["verified"]) == ([], True)
    assert document["rollback"]["recovered"] == ["the countdown of kill"]
    assert lab.fault is None


def test_a_second_signal_does_not_keep_it_from_recovering(lab: Lab, start_ctl: Popen, write: Write) -> None:
    process = start_ctl("experiment", "run", write(FAULT + '[[step]]\naction = "hold"\nfor = 60\n'))
    until_said(process, " s  fault")
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "recovered kill valkey-1; verified" in err
    assert lab.fault is None


def test_a_recovery_that_fails_is_not_reported_as_success(lab: Lab, ctl: Ctl, write: Write) -> None:
    lab.recovers = False
    done = ctl("experiment", "run", write(FAULT, head=HEAD.replace("again_within = 10", "again_within = 1")), "--json")
    document = any_json(done.stdout)
    assert done.returncode == 1
    assert document["rollback"]["verified"] is False
    assert "valkey-1 does not come back" in document["rollback"]["message"]
    owed = next(one for one in document["expectations"] if one["where"] == "always")
    assert (owed["met"], owed["measured"]) == (False, 1)


def test_an_injection_that_nobody_answered_for_in_time_is_recovered_all_the_same(
    lab: Lab, ctl: Ctl, write: Write
) -> None:
    def late(args: Body) -> Script:
        yield from lab.inject(args)
        raise DeadlineExceeded("fault was not done in time")

    lab.daemon.on("fault", late)
    done = ctl("experiment", "run", write(FAULT), "--json")
    document = any_json(done.stdout)
    assert (done.returncode, document["verdict"]) == (4, "timed_out")
    assert document["rollback"]["recovered"] == ["kill valkey-1"]
    assert lab.fault is None


def test_a_fault_that_someone_else_took_back_is_not_recovered_again(
    lab: Lab, start_ctl: Popen, write: Write, daemon: ScriptedDaemon
) -> None:
    process = start_ctl("experiment", "run", write(FAULT + '[[step]]\naction = "wait"\nevent = "fault.recovered"\n'))
    until_said(process, " s  fault")
    daemon.later(0, lambda: lab.recovered("observation"))
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert daemon.asked("recover") == []


def test_a_daemon_that_goes_away_is_exit_3_and_the_report_says_what_became_of_the_fault(
    lab: Lab, start_ctl: Popen, write: Write, tmp_path: Path
) -> None:
    steps = FAULT + '[[step]]\naction = "hold"\nfor = 60\n'
    process = start_ctl("experiment", "run", write(steps), "--report", str(tmp_path / "lost.md"))
    until_said(process, " s  fault")
    lab.daemon.stop()
    out, err = process.communicate(timeout=90)
    assert process.returncode == 3, err
    assert out.rstrip("\n") == str(tmp_path / "lost.md")
    document = json.loads((tmp_path / "lost.json").read_text())
    assert document["verdict"] == "daemon_lost"
    assert "stopped answering" in document["reason"]
    assert document["rollback"]["needed"] is True
    assert "operatord recover" in document["rollback"]["message"]
    assert "the daemon went away" in (tmp_path / "lost.md").read_text()


def test_a_daemon_that_goes_away_is_not_taken_for_a_load_that_does(lab: Lab, start_ctl: Popen, write: Write) -> None:
    watched = '{ that = "workload.errors_per_sec == 0", during = true }'
    head = HEAD.replace('baseline"]', f'baseline", {watched}]')
    process = start_ctl(
        "experiment", "run", write(FAULT + '[[step]]\naction = "hold"\nfor = 60\n', head=head), "--json"
    )
    until_said(process, " s  fault")
    lab.daemon.stop()
    out, err = process.communicate(timeout=90)
    assert (process.returncode, any_json(out)["verdict"]) == (3, "daemon_lost"), err


def test_a_daemon_that_was_replaced_is_asked_whether_it_owes_anything(
    lab: Lab, start_ctl: Popen, write: Write, daemon: ScriptedDaemon
) -> None:
    process = start_ctl("experiment", "run", write(FAULT + '[[step]]\naction = "hold"\nfor = 60\n'), "--json")
    until_said(process, " s  fault")
    daemon.stop()
    successor = ScriptedDaemon(daemon.directory)
    # It knows all of it before it answers for the first time.
    Lab(successor, lab.fault)
    with successor:
        out, err = process.communicate(timeout=90)
        assert process.returncode == 3, err
        assert successor.asked("recover") == [{"id": "mine"}]
    document = any_json(out)
    assert document["rollback"]["verified"] is True
    assert document["rollback"]["message"] == "the daemon was replaced; the new one owes nothing of this run"


def test_without_a_daemon_it_is_exit_3(ctl: Ctl, write: Write) -> None:
    done = ctl("experiment", "run", write(FULL))
    assert (done.returncode, done.stdout) == (3, "")
    assert "no daemon answers" in done.stderr


def test_a_bad_file_is_exit_2_with_a_line_for_each_mistake(ctl: Ctl, write: Write) -> None:
    path = write('[[step]]\naction = "hodl"\n[[step]]\naction = "hold"\nfro = 3\n')
    done = ctl("experiment", "run", path)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"operatorctl: {path}:11: step[1].action: 'hodl' is not one of")
    checked = ctl("experiment", "check", path, "--json")
    assert checked.returncode == 2
    assert [problem["line"] for problem in any_json(checked.stdout)["problems"]] == [11, 12, 14]


def test_check_needs_no_daemon(ctl: Ctl, write: Write) -> None:
    path = write(FULL)
    done = ctl("experiment", "check", path)
    assert (done.returncode, done.stdout) == (0, f"{path}: A test, 5 steps, no mistake found\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("check", "x.toml", "--dry-run"), "experiment check takes neither --report nor --dry-run"),
        (("run", "none.toml"), "none.toml: cannot be read: No such file or directory"),
        (("walk", "x.toml"), "invalid choice: 'walk'"),
    ],
)
def test_a_wrong_command_line_of_experiment_is_exit_2(ctl: Ctl, words: tuple[str, ...], told: str) -> None:
    done = ctl("experiment", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_report_that_cannot_be_written_is_told_before_the_run(lab: Lab, ctl: Ctl, write: Write) -> None:
    done = ctl("experiment", "run", write(FULL), "--report", "/proc/none")
    assert done.returncode == 2
    assert "--report /proc/none: " in done.stderr
    assert lab.daemon.requests == []
