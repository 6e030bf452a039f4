"""``operatord eval run``: real trials on a daemon of its own, of which nothing is left however it ends."""

import contextlib
import os
import re
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.standins.claude import Reply, error, message, standing, text

from operatord.evaluation.results import FILE_NAME, Results
from operatord.evaluation.seen import Seen
from operatord.leftovers import MARKER, Follower

from .real_daemon import BIN, START_S, until

_HEAD = """
title = "A few trials"
seed = 3
trials = 1
[controls]
trials = 0
watch = "2s"
[limits]
healthy = "60s"
settle = "300ms"
detect = "30s"
diagnose = "60s"
recover = "500ms"
[[variant]]
name = "rules"
diagnoser = "rules"
"""
_KILL = """
[[case]]
name = "kill"
targets = ["primary"]
fault = [{ kind = "kill", causes = ["process_killed"] }]
"""
_TWO_PRIMARIES = """
[[case]]
name = "two-primaries"
targets = ["primary"]
[[case.fault]]
kind = "kill"
causes = ["process_killed"]
[[case.fault]]
kind = "kill"
target = "primary of another group"
causes = ["process_killed"]
"""
_LATENCY = """
[[case]]
name = "latency"
targets = ["replica"]
fault = [{ kind = "latency", causes = ["network_slow"] }]
"""


class Evaluation:
    """Runs campaigns, and looks for what is left of them."""

    def __init__(self, directory: Path) -> None:
        self.out = directory / "out"
        self._directory = directory
        self._marker = secrets.token_hex(8)
        self.left = Follower(self._marker)

    def command(self, text: str, *options: str) -> list[str]:
        file = self._directory / "c.toml"
        file.write_text(text)
        return [str(BIN / "operatord"), "eval", "run", str(file), "--out", str(self.out), *options]

    def begin(self, command: list[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            env={**os.environ, MARKER: self._marker},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, text: str, *options: str, code: int = 0) -> str:
        with self.begin(self.command(text, *options)) as process:
            out, err = process.communicate(timeout=4 * START_S)
        assert process.returncode == code, f"{out}\n{err}\n{self._log()}"
        return out + err

    def results(self) -> dict[str, Seen]:
        results = Results(self.out / FILE_NAME)
        try:
            return {trial.case: seen for trial, seen in results.results(results.run())}
        finally:
            results.close()

    def nothing_is_left(self) -> None:
        until(lambda: not self.left.look(), "everything to be gone")
        assert not (self.out / "eval-daemons").exists()

    def _log(self) -> str:
        log = self.out / "eval-daemon.log"
        return log.read_text() if log.exists() else ""


@pytest.fixture
def evaluation(tmp_path: Path) -> Iterator[Evaluation]:
    made = Evaluation(tmp_path)
    yield made
    for left in made.left.look():
        with contextlib.suppress(ProcessLookupError):
            os.kill(left.pid, signal.SIGKILL)


def test_a_killed_primary_is_found_and_scored_and_the_report_says_so(evaluation: Evaluation) -> None:
    assert "report-1.md" in evaluation.run(_HEAD + _KILL)
    seen = evaluation.results()["kill"]
    assert (seen.status, [one.kind for one in seen.injected]) == ("ran", ["kill"])
    report = (evaluation.out / "report-1.md").read_text()
    for rate in ("detection", "right node", "right cause class", "valid evidence"):
        assert re.search(rf"^\| {rate} \| 100.0 % .* 1/1 \|$", report, re.MULTILINE), report
    assert (evaluation.out / "report-1.svg").exists()
    assert str(evaluation.out) not in report
    evaluation.nothing_is_left()


@pytest.mark.soak
def test_what_could_not_be_run_is_not_graded_and_is_tried_again_on_resume(evaluation: Evaluation) -> None:
    text = _HEAD + _TWO_PRIMARIES + _KILL
    told = evaluation.run(text)
    seen = evaluation.results()
    assert seen["two-primaries"].status == "not_run"
    assert "majority" in seen["two-primaries"].reason
    assert seen["kill"].status == "ran"
    assert "2 trials, 1 not run" in told
    again = evaluation.run(text, "--resume")
    assert "two-primaries on primary" in again
    assert "kill on primary, rules" not in again, "what was run is not run again"
    evaluation.nothing_is_left()


@pytest.mark.soak
def test_a_fault_that_this_host_cannot_do_is_not_run_and_the_others_are(evaluation: Evaluation) -> None:
    evaluation.run(_HEAD + _LATENCY + _KILL)
    seen = evaluation.results()
    if seen["latency"].status == "not_run":
        assert "latency cannot be injected here" in seen["latency"].reason
    assert seen["kill"].status == "ran"
    evaluation.nothing_is_left()


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_but_its_results(evaluation: Evaluation, number: signal.Signals) -> None:
    with evaluation.begin(evaluation.command(_HEAD.replace('"500ms"', '"60s"') + _KILL)) as process:
        assert process.stderr is not None
        until(evaluation.left.look, "processes to be there")
        for line in process.stderr:
            if "kill on primary" in line:
                break
        log = evaluation.out / "eval-daemon.log"
        until(lambda: "command fault" in log.read_text(), "the fault", 120)
        process.send_signal(number)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "--resume goes on with it" in err
    assert evaluation.results() == {}
    evaluation.nothing_is_left()
    assert "Traceback" not in err


@pytest.mark.soak
def test_a_daemon_that_dies_in_a_trial_is_replaced_and_nobody_is_graded_for_it(evaluation: Evaluation) -> None:
    text = _HEAD.replace("trials = 1", "trials = 2", 1).replace('"500ms"', '"60s"') + _KILL
    with evaluation.begin(evaluation.command(text, "--only", "repeat=1,2")) as process:
        until((evaluation.out / "eval-daemon.log").exists, "the daemon")
        log = evaluation.out / "eval-daemon.log"
        until(lambda: "command fault" in log.read_text(), "the fault", 120)
        keepers = [one for one in evaluation.left.look() if "operatord start" in one.command]
        assert keepers
        os.kill(keepers[0].pid, signal.SIGTERM)
        log_of_first = log.read_text().count("command fault")
        until(lambda: log.read_text().count("command fault") > log_of_first, "the next trial", 200)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert evaluation.results()["kill"].status == "not_run"
    evaluation.nothing_is_left()


@pytest.mark.soak
@pytest.mark.parametrize(
    ("reply", "status", "says"),
    [
        (error(429, "rate_limit_error", "too many requests", retry_after="60"), "not_run", "HTTP 429"),
        (message([text("I would rather not")], "refusal"), "ran", ""),
    ],
)
def test_an_api_that_fails_is_not_held_against_the_model_and_a_refusal_is(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, reply: Reply, status: str, says: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test-0123456789abcdef")
    with standing() as api:
        api.script = lambda _request, _number: reply
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        told = evaluation.run(
            _HEAD.replace('diagnoser = "rules"', 'diagnoser = "claude"') + _KILL, code=1 if status == "not_run" else 0
        )
        assert api.requests
    seen = evaluation.results()["kill"]
    assert (seen.status, says in seen.reason) == (status, True), told
    if status == "ran":
        report = (evaluation.out / "report-1.md").read_text()
        assert re.search(r"^\| right cause class \| 0.0 % .* 0/1 \|$", report, re.MULTILINE), report
    evaluation.nothing_is_left()
