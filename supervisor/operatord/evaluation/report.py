"""The report of a run, for people: Markdown, with a plot beside it."""

import time
from collections.abc import Collection, Sequence

from operatord.evaluation.intervals import Middle, Rate, difference
from operatord.evaluation.plan import make_plan
from operatord.evaluation.results import Run
from operatord.evaluation.summary import RATES, TIMES, Scored, Summary, grouped, summarise

Lines = list[str]
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_<>[]|"})


def render(run: Run, scored: Sequence[Scored], plot: str | None) -> str:
    """The whole report; ``plot`` is the name of the SVG beside it."""
    lines = [f"# {_plain(run.campaign.title)}", ""]
    if run.campaign.description:
        lines += [run.campaign.description.strip(), ""]
    lines += [*_about(run, scored), ""]
    if plot:
        lines += [f"![Rates of each variant with their 95 % intervals]({plot})", ""]
    seen = [one for one in scored if not one.trial.held_out]
    held_out = [one for one in scored if one.trial.held_out]
    lines += ["## Results", "", *_by_variant(seen), ""]
    if held_out:
        lines += ["## Held out", "", "Faults, parameters and targets that were not looked at before.", ""]
        lines += [*_by_variant(held_out), ""]
    for variant, some in grouped(scored, _variant).items():
        lines += [f"## By case: {_plain(variant)}", "", *_by_case(some), ""]
    lines += _not_run(scored)
    lines += _misses(scored, {one.name for one in run.campaign.variant if one.autonomy == "execute"})
    lines += ["Rates have Wilson intervals, medians those of their order statistics, 95 % each.", ""]
    return "\n".join(lines).rstrip() + "\n"


def compare(one: Sequence[Scored], other: Sequence[Scored], names: tuple[str, str]) -> Lines:
    """A table of two sets of trials and of how they differ; an interval without 0 is a difference."""
    left, right = summarise(one), summarise(other)
    rows = []
    for name, called in RATES.items():
        a, b = left.rates[name], right.rates[name]
        differs = difference(b, a)
        told = "-" if differs is None else f"{differs[0]:+.1%} ({differs[1]:+.1%} to {differs[2]:+.1%})"
        rows.append([called, rate(a), rate(b), told])
    rows += [
        [f"{called}, s", median(left.times[name]), median(right.times[name]), ""] for name, called in TIMES.items()
    ]
    rows.append(["tokens", f"{left.tokens:,}", f"{right.tokens:,}", ""])
    rows.append(["cost, USD", f"{left.cost_usd:.4f}", f"{right.cost_usd:.4f}", ""])
    rows.append(["trials, not run", _trials(left), _trials(right), ""])
    return table(["", *map(_plain, names), "difference"], rows)


def rate(one: Rate) -> str:
    """``98.0 % (93.0 to 99.4), 98/100``."""
    if one.value is None:
        return "-"
    low, high = one.interval
    return f"{100 * one.value:.1f} % ({100 * low:.1f} to {100 * high:.1f}), {one.hits}/{one.of}"


def median(one: Middle) -> str:
    """``1.20 (0.90 to 1.60), n=24``."""
    if one.value is None:
        return "-"
    told = f" ({one.interval[0]:.2f} to {one.interval[1]:.2f})" if one.interval else ""
    return f"{one.value:.2f}{told}, n={one.of}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Lines:
    """A Markdown table."""
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def _about(run: Run, scored: Sequence[Scored]) -> Lines:
    began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.began_at))
    not_run = sum(one.score is None for one in scored)
    planned = len(make_plan(run.campaign))
    known = "".join(f", {_plain(str(key))} {_plain(str(value))}" for key, value in sorted(run.about.items()))
    return [
        f"Run {run.id} of `{run.file}`, {began}, seed {run.campaign.seed}{known}: {len(scored)} of {planned} "
        f"trials, {not_run} of them not run (they are in no figure)."
        + ("" if run.ended_at else " **It is not finished.**")
    ]


def _by_variant(scored: Sequence[Scored]) -> Lines:
    summaries = {name: summarise(some) for name, some in grouped(scored, _variant).items()}
    rows = [[called, *(rate(one.rates[name]) for one in summaries.values())] for name, called in RATES.items()]
    rows += [
        [f"{called}, s", *(median(one.times[name]) for one in summaries.values())] for name, called in TIMES.items()
    ]
    rows.append(["precision of the answers", *(_share(one.precision) for one in summaries.values())])
    rows.append(["stray tickets", *(str(one.strays) for one in summaries.values())])
    rows.append(["tokens", *(f"{one.tokens:,}" for one in summaries.values())])
    rows.append(["cost, USD", *(f"{one.cost_usd:.4f}" for one in summaries.values())])
    rows.append(["trials, not run", *(_trials(one) for one in summaries.values())])
    return table(["", *map(_plain, summaries)], rows)


def _by_case(scored: Sequence[Scored]) -> Lines:
    rows = []
    for name, some in grouped(scored, lambda one: f"{one.trial.case} {one.trial.target}".strip()).items():
        one = summarise(some)
        told = [_short(one.rates[key]) for key in RATES]
        rows.append([_plain(name), *told, median(one.times["detect_s"]), _trials(one)])
    return table(["", *RATES.values(), "to detect, s", "trials, not run"], rows)


def _not_run(scored: Sequence[Scored]) -> Lines:
    some = [one for one in scored if one.score is None]
    if not some:
        return []
    return [
        "## Not run",
        "",
        *(f"- {one.trial.number}, {_plain(one.trial.label)}: {_plain(one.seen.reason)}" for one in some),
        "",
    ]


def _misses(scored: Sequence[Scored], acting: Collection[str]) -> Lines:
    """What is counted against somebody; that nobody mended it is no miss of one who may not act."""
    lines = []
    for one in scored:
        if one.score is None:
            continue
        wrong = [
            called
            for name, called in RATES.items()
            if getattr(one.score, name) is (name == "false_positive")
            and (name != "mitigated" or one.trial.variant in acting)
        ]
        if wrong:
            said = {
                f"{answer.diagnosis.cause} in {answer.diagnosis.component}"
                for ticket in one.seen.tickets
                for answer in ticket.answers[-1:]
            }
            on = ", ".join(f"{fault.kind} on {fault.node}" for fault in one.seen.injected) or "nothing"
            told = f"; answers: {', '.join(sorted(said))}" if said else ""
            lines.append(
                f"- {one.trial.number}, {_plain(one.trial.label)} ({_plain(on)}): {', '.join(wrong)}{_plain(told)}"
            )
    return ["## What went wrong", "", *lines, ""] if lines else []


def _variant(one: Scored) -> str:
    return one.trial.variant


def _trials(one: Summary) -> str:
    return f"{one.trials}, {one.not_run}"


def _short(one: Rate) -> str:
    return "-" if one.value is None else f"{one.hits}/{one.of}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _plain(text: str) -> str:
    """On one line, and neither markup nor a border of a table."""
    return " ".join(text.split()).translate(_SPECIAL)
