"""Results are kept trial by trial, go on where they stopped, and are read back as they were; the report shows them."""

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from operator_protocol.errors import Conflict, NotFound, Unavailable
from operatord.cli.main import main
from operatord.evaluation.execute import Hopeless, execute
from operatord.evaluation.intervals import Rate, difference, middle
from operatord.evaluation.plan import Trial, make_plan
from operatord.evaluation.results import Results
from operatord.evaluation.seen import Look, Seen

from .trials import CAMPAIGN, RIGHT, campaign, seen, ticket


class Rehearsal:
    """Runs trials without a subject: some cannot be run, one hangs, one runs into a defect."""

    def __init__(self, trouble: Mapping[int, BaseException | None] | None = None) -> None:
        self.trouble = trouble or {}
        self.ran: list[int] = []

    async def run(self, trial: Trial) -> Seen:
        self.ran.append(trial.number)
        if trial.number in self.trouble:
            error = self.trouble[trial.number]
            if error is None:
                await asyncio.Event().wait()
            else:
                raise error
        if trial.is_control:
            return Seen("ran", looks=[Look(0.0, True)])
        shown = seen(ticket(RIGHT))
        return Seen("ran", injected=shown.injected * len(trial.injections), looks=shown.looks, tickets=shown.tickets)


def carry_out(results: Results, run: int, runner: Rehearsal, *, deadline_s: float = 30.0) -> tuple[int, list[str]]:
    log: list[str] = []
    plan = make_plan(campaign())
    return asyncio.run(execute(plan, runner, results.keeper(run), log.append, deadline_s=deadline_s)), log


def test_whatever_goes_wrong_with_a_trial_makes_it_not_run_and_it_is_tried_again(tmp_path: Path) -> None:
    results = Results(tmp_path / "e.sqlite")
    run = results.begin("c.toml", CAMPAIGN, {"version": "0.1.0"})
    trouble = {2: Unavailable("429: too many requests"), 3: ZeroDivisionError("a defect"), 4: None}
    failed, log = carry_out(results, run, Rehearsal(trouble), deadline_s=0.2)
    assert failed == 3
    kept = results.results(results.run(run))
    reasons = {trial.number: what.reason for trial, what in kept if what.status == "not_run"}
    assert reasons == {
        2: "429: too many requests",
        3: "ZeroDivisionError: a defect",
        4: "not done within 0.2 s",
    }
    assert "  not run: 429: too many requests" in log
    again = Rehearsal()
    assert carry_out(results, run, again)[0] == 0
    assert again.ran == [2, 3, 4]
    assert {what.status for _, what in results.results(results.run(run))} == {"ran"}
    results.close()


def test_when_nothing_can_be_run_any_more_the_run_ends_and_goes_on_later(tmp_path: Path) -> None:
    results = Results(tmp_path / "e.sqlite")
    run = results.begin("c.toml", CAMPAIGN, {})
    with pytest.raises(Hopeless):
        carry_out(results, run, Rehearsal({5: Hopeless("the daemon is gone")}))
    assert results.done(run) == {1, 2, 3, 4}
    results.close()
    results = Results(tmp_path / "e.sqlite")
    later = Rehearsal()
    carry_out(results, run, later)
    assert later.ran[0] == 5
    results.close()


def test_what_was_seen_is_read_back_as_it_was(tmp_path: Path) -> None:
    results = Results(tmp_path / "e.sqlite")
    run = results.begin("c.toml", CAMPAIGN, {})
    trial = make_plan(campaign())[0]
    results.keep(run, trial, seen(ticket(RIGHT)))
    assert results.results(results.run()) == [(trial, seen(ticket(RIGHT)))]
    with pytest.raises(NotFound, match="no run 9"):
        results.run(9)
    results.close()


def test_results_of_a_newer_version_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    Results(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    with pytest.raises(Conflict, match="schema 9, this version knows 1"):
        Results(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (9,)
    connection.close()
    with pytest.raises(Unavailable):
        Results(Path("/proc/none/e.sqlite"))


def test_the_command_line_shows_plans_reports_and_comparisons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, db = tmp_path / "c.toml", tmp_path / "e.sqlite"
    file.write_text(CAMPAIGN, encoding="utf-8")
    assert main(["eval", "plan", str(file)]) == 0
    assert capsys.readouterr().out.endswith("22 trials\n")
    results = Results(db)
    run = results.begin(str(file), CAMPAIGN, {"version": "0.1.0"})
    carry_out(results, run, Rehearsal({3: Unavailable("<429> | too many")}), deadline_s=5.0)
    results.end(run)
    results.close()
    report = tmp_path / "report.md"
    assert main(["eval", "show", "--db", str(db), "--report", str(report)]) == 0
    text = report.read_text(encoding="utf-8")
    assert "22 trials, 1 of them not run" in text
    assert "| right cause class | - |" in text
    assert "\\<429\\> \\| too many" in text
    assert "## Held out" in text
    drawing = ET.parse(tmp_path / "report.svg").getroot()  # noqa: S314 - our own
    assert drawing.tag.endswith("svg")
    capsys.readouterr()
    assert main(["eval", "show", "--db", str(db), "--report", str(report)]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["eval", "show", "--db", str(db), "--list"]) == 0
    assert "Every fault" in capsys.readouterr().out
    assert main(["eval", "compare", f"{run}:nobody", f"{run}:rules", "--db", str(db)]) == 0
    assert "| detection | " in capsys.readouterr().out
    assert main(["eval", "compare", "1:who", "1", "--db", str(db)]) == 1


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # The last two are the rule of Wilson for rates of 0 and 1: z²/(n + z²).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)],
)
def test_rates_have_wilson_intervals(hits: int, of: int, low: float, high: float) -> None:
    """Figures from Newcombe, Stat. Med. 17 (1998) 857, table I."""
    assert list(Rate(hits, of).interval) == pytest.approx([low, high], abs=1e-4)


def test_without_trials_there_is_no_rate_and_nothing_is_known_of_it() -> None:
    assert (Rate(0, 0).value, Rate(0, 0).interval) == (None, (0.0, 1.0))


def test_a_difference_has_newcombes_interval() -> None:
    """56/70 against 48/80: Newcombe, Stat. Med. 17 (1998) 873, table II, case (a), method 10."""
    found = difference(Rate(56, 70), Rate(48, 80))
    assert found is not None
    assert list(found) == pytest.approx([0.2, 0.0524, 0.3339], abs=1e-4)
    assert difference(Rate(1, 2), Rate(0, 0)) is None


def test_a_median_has_an_interval_from_six_samples_on() -> None:
    assert middle([]).value is None
    assert (middle([3.0, 1.0, 2.0]).value, middle([3.0, 1.0, 2.0]).interval) == (2.0, None)
    assert middle([float(number) for number in range(6)]).interval == (0.0, 5.0)
    assert middle([float(number) for number in range(1, 21)]).interval == (6.0, 15.0)
