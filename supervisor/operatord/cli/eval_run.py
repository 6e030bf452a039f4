"""``operatord eval run``: a campaign on a daemon of its own, and its report."""

import argparse
import asyncio
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from operator_protocol.errors import Conflict, Unavailable
from operatord.durations import format_duration
from operatord.evaluation.campaign import read_campaign
from operatord.evaluation.choosing import campaign_file, only
from operatord.evaluation.execute import execute
from operatord.evaluation.live import LiveRunner
from operatord.evaluation.plan import Trial, make_plan
from operatord.evaluation.plot import draw
from operatord.evaluation.report import render
from operatord.evaluation.results import FILE_NAME, Results
from operatord.evaluation.summary import score_all
from operatord.paths import resolve_dirs

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class _Task:
    """What there is to do."""

    file: str
    text: str
    trials: Sequence[Trial]
    planned: int
    """Trials of the whole campaign."""
    resumed: int | None
    """Number of the run to go on with."""


def run_campaign(args: argparse.Namespace) -> int:
    """Run it; 0 if all of it was tried, 1 if not one trial could be run."""
    os.umask(0o077)
    file = campaign_file(args.campaign)
    campaign, text = read_campaign(file)
    plan = make_plan(campaign)
    trials = only(plan, args.only)
    if campaign.subject != "valkey":
        raise Unavailable(f"campaigns on {campaign.subject} cannot be run yet", "they can be planned")
    place = _place(args)
    results = Results(Path(args.db) if args.db else place / FILE_NAME)
    try:
        number = _resumed(results, text) if args.resume else None
        runner = LiveRunner(campaign, place / "eval-daemons", place / "eval-daemon.log", _tell)
        number, code = asyncio.run(_run(_Task(file.name, text, trials, len(plan), number), runner, results))
        if number is not None:
            _report(results, number, Path(args.out) if args.out else None)
        return code
    finally:
        results.close()


def _place(args: argparse.Namespace) -> Path:
    place = Path(args.out).absolute() if args.out else resolve_dirs(None, args.state_dir)[1]
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"{place} cannot be made: {error.strerror}", "choose another with --out") from error
    return place


def _resumed(results: Results, text: str) -> int:
    for run in results.runs():
        if run.text == text:
            return run.id
    raise Conflict("there is no run of this campaign to go on with", "leave out --resume, or name its --out or --db")


async def _run(task: _Task, runner: LiveRunner, results: Results) -> tuple[int | None, int]:
    """The run's number, if it began, and the exit code."""
    began = time.monotonic()
    work = asyncio.create_task(_work(task, runner, results))
    interrupted = _cancelled_by_signals(work)
    try:
        number, failed = await work
    except asyncio.CancelledError:
        if not interrupted:
            raise
        _tell("stopped; --resume goes on with it")
        return None, INTERRUPTED
    _tell(f"{len(task.trials)} trials, {failed} not run, in {format_duration(time.monotonic() - began)}")
    return number, 1 if failed == len(task.trials) else 0


async def _work(task: _Task, runner: LiveRunner, results: Results) -> tuple[int, int]:
    try:
        await runner.open(task.trials)
        number = task.resumed
        if number is None:
            number = results.begin(task.file, task.text, _about(runner))
        _tell(f"run {number}: {len(task.trials)} trials")
        failed = await execute(task.trials, runner, results.keeper(number), _tell, deadline_s=runner.deadline_s)
        if results.run(number).kept == task.planned:  # with --only the others are yet to be tried
            results.end(number)
        return number, failed
    finally:
        await runner.close()


def _cancelled_by_signals(work: "asyncio.Task[tuple[int, int]]") -> list[bool]:
    """Ctrl+C, TERM and HUP end the work through every ``finally``; a second one does not keep it from cleaning up."""
    interrupted: list[bool] = []

    def interrupt() -> None:
        if not interrupted:
            interrupted.append(True)
            _tell("stopping everything")
            work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    return interrupted


def _about(runner: LiveRunner) -> dict[str, str]:
    return {
        "operatord": version("operatord"),
        "host": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "isolated": "yes" if runner.isolated else "no",
    }


def _report(results: Results, number: int, out: Path | None) -> None:
    run = results.run(number)
    scored = score_all(run.campaign, results.results(run))
    if out is None:
        print(render(run, scored, None), end="")
        return
    report = out / f"report-{number}.md"
    plot = report.with_suffix(".svg")
    try:
        plot.write_text(draw(run.campaign.title, scored), encoding="utf-8")
        report.write_text(render(run, scored, plot.name), encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"cannot write {report}: {error.strerror}", "operatord eval show writes it, too") from error
    print(report)


def _tell(text: str) -> None:
    print(f"operatord: {text}", file=sys.stderr, flush=True)
