"""Workload: the operations per second that succeed, now and over the last two minutes."""

import math

from rich.console import RenderableType
from rich.text import Text
from sparklines import sparklines

from operator_clients.format import age, milliseconds, number
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import boxed, inner, line, sides
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import WorkloadSample

FLOOR_OPS = 0.1
"""Values are floored at this, so that a sample of nothing is still seen as a sample."""
HEADROOM = 1.15
"""The top of the scale over the baseline, so that a steady load does not touch the border."""
LEAST_TOP_OPS = 10.0
"""The top of the scale for a load that does next to nothing."""
SILENT_AFTER_S = 4.0

_MARKS = {"fault": ("F", FAULT), "detection": ("D", WARN), "recovery": ("R", GOOD)}


def render(view: View, size: Size) -> RenderableType:
    """The workload panel."""
    samples = list(view.state.workload)
    title = line(("Workload", STRONG))
    if not samples:
        return boxed(title, [line(("Waiting for workload data...", DIM))], size, border=DIM)
    last, room = samples[-1], inner(size)
    colour = BAD if last.degraded else GOOD
    head = _head(view, last, room.width, colour)
    rows = max(1, room.height - len(head) - 1)
    shown = samples[-room.width :]
    graph = _graph(shown, Size(room.width, rows))
    body = [*head, *graph, _axis(view, shown, room.width)]
    verdict = ("▼ degraded", f"{STRONG} {BAD}") if last.degraded else ("● steady", GOOD)
    return boxed(title, body, size, border=BAD if last.degraded else WARN, heavy=last.degraded, subtitle=line(verdict))


def _head(view: View, last: WorkloadSample, width: int, colour: str) -> list[Text]:
    now = line((number(last.ops_per_sec), f"{STRONG} {colour}"), (" ops/s", colour))
    if last.degraded:
        now.append("  DEGRADED", style=f"{STRONG} {BAD}")
    silent_s = view.now - last.sampled_at if last.sampled_at else 0.0
    if silent_s > SILENT_AFTER_S:
        now.append(f"  no sample for {age(silent_s)}", style=WARN)
    errors = line((f"{number(last.errors_per_sec)} errors/s", BAD if last.errors_per_sec else DIM))
    p99 = line("p99 ", (milliseconds(_worst_p99(last)), STRONG))
    return [sides(now, errors, width), sides(_scale(last, width - p99.cell_len - 1), p99, width)]


def _scale(last: WorkloadSample, room: int) -> Text:
    """What the load is measured against, as much of it as there is room for."""
    if last.baseline is None:
        return line(("baseline: measuring", DIM))
    text = line((f"baseline {number(last.baseline)}", DIM))
    if last.threshold is not None and text.cell_len + len(alarm := f"  alarm below {number(last.threshold)}") <= room:
        text.append(alarm, style=DIM)
    return text


def _worst_p99(sample: WorkloadSample) -> float | None:
    """The highest p99 of the operations that were done at all: what the unluckiest kind of request feels."""
    known = [summary.p99 for summary in sample.latency.values() if summary.count and summary.p99 is not None]
    return max(known, default=None)


def _graph(samples: list[WorkloadSample], room: Size) -> list[Text]:
    """The sparkline, newest at the right, each column red where the load was degraded."""
    values = [_floored(sample.ops_per_sec) for sample in samples]
    baseline = samples[-1].baseline or 0.0
    top = max(*values, baseline * HEADROOM, LEAST_TOP_OPS)
    rows = sparklines(values, num_lines=room.height, minimum=0.0, maximum=top)
    pad = " " * (room.width - len(values))
    lines = []
    for row in rows:
        text = line(pad)
        for mark, sample in zip(row, samples, strict=True):
            text.append(mark, style=BAD if sample.degraded else GOOD)
        lines.append(text)
    return lines


def _floored(value: float) -> float:
    return max(value, FLOOR_OPS) if math.isfinite(value) else FLOOR_OPS


def _axis(view: View, samples: list[WorkloadSample], width: int) -> Text:
    """The time axis: how far back it goes, and where the fault, its detection and its recovery fell."""
    cells = [("─", DIM)] * width
    label = f"{len(samples)} s ago "
    labelled = len(label) if len(samples) >= width // 2 and len(label) < width else 0
    cells[:labelled] = [(char, DIM) for char in label[:labelled]]
    if samples[0].sampled_at:
        taken = width
        for mark in reversed(view.story.marks):
            behind = sum(sample.sampled_at > mark.at for sample in samples)
            # Two marks in one second stand side by side, in their order.
            taken = min(width - 1 - behind, taken - 1)
            if mark.at < samples[0].sampled_at or taken < 0:
                break
            if taken < labelled:
                # Half a label reads as another number.
                cells[:labelled] = [("─", DIM)] * labelled
                labelled = 0
            cells[taken] = _MARKS[mark.kind]
    text = line()
    for char, style in cells:
        text.append(char, style=style)
    return text
