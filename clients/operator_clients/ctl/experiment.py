"""``experiment run`` and ``experiment check``: experiments as files.

Standard error has what happens while it happens; standard output has the path of the report, or the report itself
with ``--json``, and nothing else.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE, REFUSED, USAGE, Usage
from operator_clients.ctl.output import clean, count
from operator_clients.ctl.session import Session, to_json
from operator_clients.experiment.chart import make_chart
from operator_clients.experiment.document import make_document
from operator_clients.experiment.engine import Engine
from operator_clients.experiment.files import choose_files, write_report
from operator_clients.experiment.live import Live
from operator_clients.experiment.markdown import sketch
from operator_clients.experiment.model import Experiment
from operator_clients.experiment.outcome import Outcome
from operator_clients.experiment.reading import BadFile, read_experiment
from operator_clients.experiment.rehearsal import rehearse
from operator_clients.experiment.rollback import rescue
from operator_clients.experiment.shipped import experiment_file, names
from operator_clients.experiment.stage import Interrupts, Stage
from operator_clients.experiment.subscription import topics_of
from operator_protocol.errors import OperatorError

_EXAMPLES = """\
  operatorctl experiment check deploy/experiments/kill-a-primary.toml
  operatorctl experiment run deploy/experiments/kill-a-primary.toml --dry-run
  operatorctl experiment run deploy/experiments/kill-a-primary.toml --report reports
  operatorctl experiment run gray.toml --json | jq .verdict"""


def run(args: argparse.Namespace, session: Session) -> int:
    """Read the file; then check it, rehearse it or run it."""
    if args.action == "check" and (args.report is not None or args.dry_run):
        raise Usage("experiment check takes neither --report nor --dry-run", "they belong to: experiment run")
    try:
        experiment = read_experiment(experiment_file(args.file))
    except BadFile as error:
        return _bad_file(error, session)
    if args.action == "check":
        session.show(
            {"file": args.file, "ok": True, "title": experiment.title, "steps": len(experiment.steps)},
            f"{clean(args.file)}: {clean(experiment.title)}, {count(len(experiment.steps), 'step')}, no mistake found",
        )
        return DONE
    if args.dry_run:
        with session.feed(topics_of(experiment)) as feed:
            stage = Stage(feed, Live(sys.stderr, quiet=True), Interrupts())
            rehearsal = rehearse(experiment, stage)
        session.show(rehearsal.document(), rehearsal.lines())
        return DONE if rehearsal.ok else REFUSED
    return _run(args, experiment, session)


def _run(args: argparse.Namespace, experiment: Experiment, session: Session) -> int:
    files = choose_files(args.report, args.file, time.time()) if args.report is not None else None
    live = Live(sys.stderr, quiet=args.quiet)
    interrupts = Interrupts()
    with _noted(interrupts), session.feed(topics_of(experiment)) as feed:
        stage = Stage(feed, live, interrupts)
        outcome = Engine(experiment, stage, lambda: rescue(session, stage)).run()
        document = make_document(experiment, outcome, stage.record)
        chart = make_chart(experiment.title, outcome, stage.record)
        _sum_up(live, outcome, sketch(chart) if chart.bars else [])
        unwritten: OperatorError | None = None
        if files is not None:
            try:
                write_report(files, document, chart)
            except OperatorError as error:
                unwritten = error
        if session.as_json:
            print(to_json(document), flush=True)
        elif files is not None and unwritten is None:
            print(files.chosen, flush=True)
    if unwritten is not None:
        print(f"operatorctl: {unwritten}", file=sys.stderr)
        return outcome.exit_code or REFUSED
    return outcome.exit_code


def _sum_up(live: Live, outcome: Outcome, drawing: list[str]) -> None:
    for one in outcome.expectations:
        if not one.met:
            live.plain(f"  not as expected: {one.what} ({one.where}){': ' + one.note if one.note else ''}")
    for line in drawing:
        live.drawing(line)
    verdict = outcome.verdict.replace("_", " ")
    met = sum(one.met for one in outcome.expectations)
    live.line(
        outcome.took_s,
        verdict,
        _reason(outcome) or f"{met} of {count(len(outcome.expectations), 'expectation')} met",
        "green" if outcome.verdict == "passed" else "red",
    )


def _reason(outcome: Outcome) -> str:
    """Why it ended before its end; of a step that ended it only the number, for the step's own line says why."""
    for step in outcome.steps:
        if outcome.reason and step.told == outcome.reason:
            return f"at step {step.number}"
    return outcome.reason


def _bad_file(error: BadFile, session: Session) -> int:
    if session.as_json:
        problems = [problem._asdict() for problem in error.problems]
        print(to_json({"error": error.to_wire(), "file": error.file, "problems": problems}))
    for problem in error.problems:
        print(f"operatorctl: {clean(problem.told(error.file))}", file=sys.stderr)
    return USAGE


@contextmanager
def _noted(interrupts: Interrupts) -> Iterator[None]:
    """Ctrl+C, SIGTERM and SIGHUP are written down: the run ends where it can put right what it did."""

    def note(signum: int, _frame: FrameType | None) -> None:
        interrupts.note(signum)

    previous = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def configure(parser: argparse.ArgumentParser) -> None:
    """The action, the file, and where the report goes."""
    parser.add_argument("action", choices=("run", "check"), help="run it, or only look for mistakes in the file")
    parser.add_argument(
        "file",
        metavar="FILE.toml",
        help=f"the experiment (docs/experiments.md), or the name of an example: {', '.join(names())}",
    )
    parser.add_argument(
        "--report",
        metavar="DIR|FILE",
        help="write the report: JSON, Markdown and a plot, into a directory or beside FILE.md or FILE.json",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="ask the daemon whether it could be run now, and change nothing"
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing while it runs")


EXPERIMENT = Subcommand(configure, run, _EXAMPLES)
