"""``operatord eval``: what a campaign would do, doing it, and what came of those that were run."""

import argparse
import json
from pathlib import Path

from operator_protocol.errors import Conflict, Unavailable
from operator_protocol.records import to_body
from operatord.evaluation.campaign import read_campaign
from operatord.evaluation.choosing import campaign_file, shipped_campaigns
from operatord.evaluation.plan import make_plan
from operatord.evaluation.plot import draw
from operatord.evaluation.report import compare, render
from operatord.evaluation.results import FILE_NAME, Results, Run
from operatord.evaluation.summary import Scored, score_all
from operatord.paths import resolve_dirs


def run(args: argparse.Namespace) -> int:
    """Dispatch to what was asked for."""
    if args.what == "plan":
        return _plan(args)
    if args.what == "run":
        from operatord.cli.eval_run import run_campaign  # a daemon and its client, which the others do without

        return run_campaign(args)
    path = Path(args.db) if args.db else resolve_dirs(None, args.state_dir)[1] / FILE_NAME
    results = Results(path)
    try:
        return _show(args, results) if args.what == "show" else _compare(args, results)
    finally:
        results.close()


def _plan(args: argparse.Namespace) -> int:
    if args.campaign is None:
        return _shipped(args)
    campaign, _ = read_campaign(campaign_file(args.campaign))
    trials = make_plan(campaign)
    if args.json:
        print(json.dumps([to_body(trial) for trial in trials]))
        return 0
    for trial in trials:
        print(f"{trial.number:>5}  {trial.label}" + ("  (held out)" if trial.held_out else ""))
    print(f"{len(trials)} trials")
    return 0


def _shipped(args: argparse.Namespace) -> int:
    """The campaigns that can be named without a file."""
    found = [(name, read_campaign(file)[0]) for name, file in shipped_campaigns().items()]
    told = [{"name": name, "title": one.title, "trials": len(make_plan(one))} for name, one in found]
    if args.json:
        print(json.dumps(told))
        return 0
    for one in told:
        print(f"{one['name']:<12} {one['trials']:>5} trials  {one['title']}")
    return 0


def _show(args: argparse.Namespace, results: Results) -> int:
    if args.list:
        for one in results.runs():
            state = "" if one.ended_at else ", not finished"
            print(f"{one.id:>4}  {one.campaign.title} ({one.file}): {one.kept} results{state}")
        return 0
    found = results.run(args.run)
    scored = _scored(results, found)
    if args.report is None:
        print(render(found, scored, None), end="")
        return 0
    report = Path(args.report)
    plot = report.with_suffix(".svg")
    try:
        if report.exists() or plot.exists():
            raise Conflict(f"{report} or {plot.name} exists", "name a new file")
        plot.write_text(draw(found.campaign.title, scored), encoding="utf-8")
        report.write_text(render(found, scored, plot.name), encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"cannot write {report}: {error.strerror}", "name another file") from error
    print(report)
    return 0


def _compare(args: argparse.Namespace, results: Results) -> int:
    """``RUN`` or ``RUN:VARIANT`` each."""
    sides = []
    for text in (args.one, args.other):
        number, _, variant = text.partition(":")
        if not number.isdigit():
            raise Conflict(f"{text!r} is neither RUN nor RUN:VARIANT", "operatord eval show --list has the numbers")
        scored = _scored(results, results.run(int(number)))
        if variant and variant not in {one.trial.variant for one in scored}:
            raise Conflict(f"run {number} has no results of a variant {variant!r}")
        sides.append([one for one in scored if not variant or one.trial.variant == variant])
    print("\n".join(compare(sides[0], sides[1], (args.one, args.other))))
    return 0


def _scored(results: Results, found: Run) -> list[Scored]:
    return score_all(found.campaign, results.results(found))
