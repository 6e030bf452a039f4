"""Workload: the operations per second that succeed, now and over the last two minutes, and what each of them takes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import age, compact, duration, figure, number, time_of_day
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.chart import MARKS, chart
from operator_clients.viewer.panels.paper import boxed, inner, line, sides
from operator_clients.viewer.story import Mark
from operator_clients.viewer.theme import BAD, DIM, GOOD, INFO, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import LatencySummary, WorkloadSample

SILENT_AFTER_S = 4.0
_TABLE_FROM_HEIGHT = 13
_MARKS_FROM_HEIGHT = 16
_DETAIL_CHART_ROWS = 10
_FAILURES = ("-FAILED", "_ERROR")
"""How the load generators call the operations of a kind that failed."""
_ERRORS = ("errors/s", "err/s")
_WORDS = {"fault": "fault", "detection": "detected", "recovery": "recovered"}


class _Operation(NamedTuple):
    """One kind of operation in the last sample."""

    name: str
    took: LatencySummary
    failed: int


def render(view: View, size: Size) -> RenderableType:
    """The workload panel."""
    samples = list(view.state.workload)
    title = line(("Workload", STRONG))
    if not samples:
        return boxed(title, [line(("Waiting for workload data...", DIM))], size, border=DIM)
    last, room = samples[-1], inner(size)
    table = _table(last) if room.height >= _TABLE_FROM_HEIGHT else [_in_a_line(last, room.width)]
    head = [_now(view, last, room.width), *(table if room.height < _TABLE_FROM_HEIGHT else [])]
    told = _marks_in_a_line(view, room.width) if room.height >= _MARKS_FROM_HEIGHT else None
    below = [*([told] if told is not None else []), *(table if room.height >= _TABLE_FROM_HEIGHT else [])]
    rows = room.height - len(head) - len(below)
    body = [*head, *chart(samples, view.story.marks, Size(room.width, rows)), *below]
    unsure = last.baseline is None or _silent_s(view, last)
    colour = BAD if last.degraded else WARN if unsure else GOOD
    return boxed(title, body, size, border=colour, heavy=last.degraded, subtitle=_verdict(view, last, room.width))


def detail(view: View, width: int) -> list[Text]:
    """The chart as wide as there is room for, the figures of each kind of operation, the marks, and each second."""
    samples = list(view.state.workload)
    if not samples:
        return [line(("Waiting for workload data...", DIM))]
    last = samples[-1]
    lines = [_now(view, last, width), _levels(last)]
    lines += chart(samples, view.story.marks, Size(width, _DETAIL_CHART_ROWS + 1))
    lines += [line(""), *_table(last), line("")]
    lines.append(
        line(f"{number(last.operations)} operations in {duration(last.elapsed)}, {number(last.errors)} failed")
    )
    if view.story.marks:
        lines += [line(""), line(("what was done to it", DIM)), *_marks(view.story.marks)]
    lines += [line(""), line(("each second, newest first", DIM))]
    return [*lines, *(_second(sample) for sample in reversed(samples))]


def _now(view: View, last: WorkloadSample, width: int) -> Text:
    silent_s = _silent_s(view, last)
    colour = BAD if last.degraded else WARN if silent_s else GOOD
    now = line((number(last.ops_per_sec), f"{STRONG} {colour}"), (" ops/s", colour))
    now.append("  ▼ DEGRADED" if last.degraded else "", style=f"{STRONG} {BAD}")
    if silent_s:
        now.append(f"  no sample for {age(silent_s)}", style=WARN)
    style = BAD if last.errors_per_sec > 0 else DIM
    told = f"{'✗ ' if last.errors_per_sec > 0 else ''}{number(last.errors_per_sec)}"
    errors = next(
        (
            text
            for text in (line((f"{told} {word}", style)) for word in _ERRORS)
            if now.cell_len + text.cell_len < width
        ),
        line((told, style)),
    )
    return sides(now, errors, width)


def _silent_s(view: View, last: WorkloadSample) -> float:
    """How long there has been no sample, if that is too long: the load was stopped, or nobody tells of it."""
    silent_s = view.now - last.sampled_at if last.sampled_at else 0.0
    return silent_s if silent_s > SILENT_AFTER_S else 0.0


def _verdict(view: View, last: WorkloadSample, width: int) -> Text:
    """What it is measured against, and how that comes out; the latter stands in the first line, too."""
    word = line(("▼ degraded", f"{STRONG} {BAD}") if last.degraded else ("● steady", GOOD))
    if last.baseline is None:
        word = line(("◐ measuring", WARN))
    if _silent_s(view, last):
        word = line(("◐ no sample", WARN))
    verdict = Text.assemble(_levels(last), "  ", word)
    choices = [verdict, _levels(last), _levels(last, brief=True), word]
    # The border keeps a column on each side.
    return next((text for text in choices if text.cell_len <= width - 2), word)


def _levels(last: WorkloadSample, *, brief: bool = False) -> Text:
    written = compact if brief else number
    if last.baseline is None:
        return line(("baseline: measuring", DIM))
    text = line((f"┄ baseline {written(last.baseline)}", INFO))
    if last.threshold is not None:
        text.append_text(line((f"  ╌ alarm {written(last.threshold)}", WARN)))
    return text


def _operations(sample: WorkloadSample) -> list[_Operation]:
    failed: dict[str, int] = {}
    for name, summary in sample.latency.items():
        for suffix in _FAILURES:
            if name.endswith(suffix):
                failed[name.removesuffix(suffix)] = summary.count
    kinds = {name: one for name, one in sample.latency.items() if not name.endswith(_FAILURES)}
    names = [*kinds, *(name for name in failed if name not in kinds)]
    return [_Operation(name, kinds.get(name, LatencySummary(0)), failed.get(name, 0)) for name in names]


def _is_timed(one: _Operation) -> bool:
    """False where the load generator tells no latency of an interval, as go-ycsb."""
    return any(value is not None for value in (one.took.p50, one.took.p99, one.took.max))


def _in_a_line(sample: WorkloadSample, width: int) -> Text:
    """p50 and p99 of each kind and how many failed, as much of it as there is room for."""
    texts = list(_lines(_operations(sample)))
    return next((text for text in texts if text.cell_len <= width), texts[-1])


def _lines(operations: list[_Operation]) -> Iterator[Text]:
    done = [one for one in operations if one.took.count]
    wrong = [one for one in operations if one.failed]
    if not operations:
        yield line(("no latencies are told", DIM))
    failed = line(*((f"✗ {one.failed} {one.name} ", BAD) for one in wrong))
    worst = max(done, key=lambda one: one.took.p99 or 0.0, default=None)
    if operations and not done and not wrong:
        yield line(("nothing was done", WARN))
    if done and not any(_is_timed(one) for one in done):
        counts = (f"{one.name} {one.took.count:,}  " for one in done)
        yield Text.assemble(failed, line("done: ", *counts, ("latencies are not told", DIM)), no_wrap=True)
        yield Text.assemble(failed, line("done: ", *(f"{one.name} {one.took.count:,}  " for one in done)), no_wrap=True)
        return
    if not wrong:
        pairs = (f"{one.name} p50 {figure(one.took.p50)} p99 {figure(one.took.p99)}  " for one in done)
        yield line(*pairs, ("ms", DIM))
    pairs = (f"{one.name} {figure(one.took.p50)}/{figure(one.took.p99)} " for one in done)
    yield Text.assemble(failed, line(("p50/p99 ms ", DIM), *pairs), no_wrap=True)
    if not wrong:
        highest = (f"{one.name} {figure(one.took.p99)} " for one in done)
        yield line(("p99 ", DIM), *highest, ("ms", DIM))
    said = f"p99 {figure(worst.took.p99)} ms {worst.name}" if worst else "nothing was done"
    yield Text.assemble(failed, line(said), no_wrap=True)
    yield failed if wrong else line(said)


def _table(sample: WorkloadSample) -> list[Text]:
    """A row for each kind of operation."""
    operations = _operations(sample)
    named = max((len(one.name) for one in operations), default=0)
    timed = any(_is_timed(one) for one in operations)
    latencies = f"{'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} " if timed else ""
    rows = [line((f"{'':<{named}} {latencies}{'done':>7} {'failed':>7}", DIM))]
    for one in operations:
        took = one.took
        figures = f"{figure(took.p50):>8} {figure(took.p99):>8} {figure(took.max):>8} " if timed else ""
        cells = f"{figures}{took.count:>7,} "
        rows.append(line((f"{one.name:<{named}} ", STRONG), cells, (f"{one.failed:>7,}", BAD if one.failed else DIM)))
    return rows if operations else []


def _marks(marks: Sequence[Mark]) -> list[Text]:
    """Each mark with its time of day, and how long after its fault it was."""
    lines, fault_at = [], None
    for mark in marks:
        if mark.kind == "fault":
            fault_at = mark.at
        after = f"{duration(mark.at - fault_at)} later" if fault_at is not None and mark.kind != "fault" else ""
        letter, style = MARKS[mark.kind]
        lines.append(line((time_of_day(mark.at), DIM), (f" {letter} {_WORDS[mark.kind]} ", style), after))
    return lines


def _marks_in_a_line(view: View, width: int) -> Text | None:
    """The last fault: when, how long until it was detected, and until it was undone; letters alone on a short line."""
    marks = list(view.story.marks)
    at = next((place for place in reversed(range(len(marks))) if marks[place].kind == "fault"), None)
    if at is None:
        return None
    fault = marks[at]
    first = {mark.kind: mark for mark in reversed(marks[at + 1 :])}
    later = sorted(first.values(), key=lambda one: one.at)
    text = line()
    for words in (_WORDS, dict.fromkeys(_WORDS, "")):
        text = line((f"F {words['fault']} {time_of_day(fault.at)}".replace("  ", " "), MARKS["fault"][1]))
        for mark in later:
            letter, style = MARKS[mark.kind]
            told = f"{letter} {words[mark.kind]} +{duration(mark.at - fault.at)}".replace("  ", " ")
            text.append_text(line((f"  {told}", style)))
        if text.cell_len <= width:
            break
    return text


def _second(sample: WorkloadSample) -> Text:
    """One sample as a line, for whoever looks for a figure."""
    look = ("▼ ", BAD) if sample.degraded else ("  ", "")
    each = "  ".join(
        f"{one.name} {figure(one.took.p50)}/{figure(one.took.p99)}" for one in _operations(sample) if one.took.count
    )
    failed = (f"  ✗ {number(sample.errors_per_sec)} errors/s", BAD) if sample.errors_per_sec else ("", "")
    at = time_of_day(sample.sampled_at) if sample.sampled_at else f"{sample.elapsed:.0f} s"
    return line((f"{at} ", DIM), look, f"{number(sample.ops_per_sec):>8} ops/s  ", (each, DIM), failed)
