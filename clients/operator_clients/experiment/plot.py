"""The plot of a run: throughput and p99 latency of the load, and what was injected, detected and recovered when."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from operator_clients.experiment.chart import Chart, Span
from operator_clients.experiment.svg import CHARACTER_PX, Svg

_WIDTH = 960.0
_LEFT, _RIGHT = 74.0, 22.0
_TITLE = 34.0
_LANE = 17.0
_OPS_HEIGHT, _P99_HEIGHT, _STEPS_HEIGHT = 250.0, 96.0, 13.0
_GAP = 30.0
_FOOT = 66.0
_LINES = ("line thin second", "line thin third", "line thin")


class Mark(NamedTuple):
    """An instant with a label."""

    at_s: float
    text: str
    style: str


class Placed(NamedTuple):
    """A label where it is drawn."""

    mark: Mark
    lane: int
    """Counted from the top."""
    leftwards: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """Where seconds and values lie on the drawing."""

    top: float
    height: float
    end_s: float
    highest: float
    lowest: float = 0.0
    """Above zero: the scale is logarithmic and begins here."""

    @property
    def bottom(self) -> float:
        """The y of its lowest value."""
        return self.top + self.height

    def x(self, at_s: float) -> float:
        """Of a second."""
        share = min(max(at_s / self.end_s, 0.0), 1.0)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Of a value."""
        if self.lowest > 0:
            share = math.log(max(value, self.lowest) / self.lowest) / math.log(self.highest / self.lowest)
        else:
            share = value / self.highest
        return self.bottom - min(max(share, 0.0), 1.0) * self.height

    def ticks(self) -> list[float]:
        """Round values to write beside it."""
        if self.lowest <= 0:
            return ticks(self.highest, 5)
        exponents = range(math.ceil(math.log10(self.lowest) - 1e-9), math.floor(math.log10(self.highest) + 1e-9) + 1)
        return [10.0**exponent for exponent in exponents]


def draw(chart: Chart) -> str:
    """The SVG document."""
    marks = marks_of(chart.spans)
    scale = Panel(0, 1, chart.end_s, 1)
    placed = place(marks, scale.x)
    lanes = max((one.lane for one in placed), default=-1) + 1
    top = _TITLE + lanes * _LANE + 10
    with_p99 = any(bar.p99_ms for bar in chart.bars)
    ops = Panel(top, _OPS_HEIGHT, chart.end_s, _highest(chart))
    p99 = Panel(ops.bottom + _GAP, _P99_HEIGHT, chart.end_s, *_range_p99(chart)) if with_p99 else None
    last = p99 or ops
    height = last.bottom + _STEPS_HEIGHT + _FOOT
    svg = Svg(_WIDTH, height, chart.title, _description(chart))
    svg.text(_LEFT, 22, chart.title, "title")
    svg.text(_WIDTH - _RIGHT, 22, chart.verdict.replace("_", " "), "small soft", anchor="end")
    for span in chart.spans:
        for panel in (ops, p99):
            if panel is not None:
                _shade(svg, panel, span, chart.end_s)
    _axes(svg, ops, "operations per second")
    _throughput(svg, ops, chart)
    if p99 is not None:
        _axes(svg, p99, "p99, ms (log)")
        _latency(svg, p99, chart)
    for one in placed:
        x, y = ops.x(one.mark.at_s), _TITLE + one.lane * _LANE
        svg.line(x, y, x, last.bottom, f"{one.mark.style} mark")
    for one in placed:
        x, y = ops.x(one.mark.at_s), _TITLE + one.lane * _LANE
        side = "end" if one.leftwards else "start"
        svg.text(x + (-5 if one.leftwards else 5), y + 10, one.mark.text, f"small halo {one.mark.style}", anchor=side)
    _steps(svg, last, chart)
    _seconds(svg, last)
    _legend(svg, height - 12, chart, with_p99=with_p99)
    return svg.document()


def marks_of(spans: Sequence[Span]) -> list[Mark]:
    """What is marked, in the order of time."""
    marks = []
    for span in spans:
        # With one fault it is plain whose detection and recovery these are.
        whose = f"{span.what} " if len(spans) > 1 else ""
        marks.append(Mark(span.begin, f"{span.what} injected", "injected"))
        if span.detected is not None:
            marks.append(
                Mark(
                    span.detected,
                    f"{whose}detected +{span.detected - span.begin:.2f} s ({span.detected_as})",
                    "detected",
                )
            )
        if span.end is not None:
            since = span.recovering if span.recovering is not None else span.begin
            marks.append(Mark(span.end, f"{whose}recovered in {span.end - since:.2f} s", "recovered"))
    return sorted(marks)


def place(marks: Sequence[Mark], x_of: Callable[[float], float]) -> list[Placed]:
    """Give each label a lane in which it covers no other, and the line of no later one goes through it.

    A label begins at its mark and goes to the right. The next one goes to the highest lane below which no label
    reaches as far as its mark; so those that overlap go downwards like stairs.
    """
    reach: list[float] = []
    """For each lane from the top, how far its last label reaches."""
    placed = []
    for mark in marks:
        x, width = x_of(mark.at_s), len(mark.text) * CHARACTER_PX + 10
        leftwards = x + width > _WIDTH - 6
        begin = x - width if leftwards else x
        lane = len(reach)
        while lane > 0 and reach[lane - 1] <= begin:
            lane -= 1
        if lane == len(reach):
            reach.append(0.0)
        reach[lane] = x if leftwards else x + width
        placed.append(Placed(mark, lane, leftwards))
    return placed


def _shade(svg: Svg, panel: Panel, span: Span, end_s: float) -> None:
    end = end_s if span.end is None else span.end
    undo = end if span.recovering is None else min(span.recovering, end)
    svg.rect(panel.x(span.begin), panel.top, panel.x(undo) - panel.x(span.begin), panel.height, "shade")
    svg.rect(panel.x(undo), panel.top, panel.x(end) - panel.x(undo), panel.height, "undo")


def _axes(svg: Svg, panel: Panel, unit: str) -> None:
    svg.line(_LEFT, panel.bottom, _WIDTH - _RIGHT, panel.bottom, "axis")
    for value in panel.ticks():
        if value > panel.lowest:
            svg.line(_LEFT, panel.y(value), _WIDTH - _RIGHT, panel.y(value), "grid")
        svg.text(
            _LEFT - 8, panel.y(value) + 4, f"{value:,.6g}" if value < 1 else f"{value:,.0f}", "soft small", anchor="end"
        )
    svg.text(16, panel.top + panel.height / 2, unit, "soft small", anchor="middle", turn=-90)


def _throughput(svg: Svg, panel: Panel, chart: Chart) -> None:
    points = [(panel.x(at), panel.y(bar.ops_per_sec)) for bar in chart.bars for at in (max(bar.begin, 0.0), bar.end)]
    if points:
        svg.path([(points[0][0], panel.bottom), *points, (points[-1][0], panel.bottom)], "area", closed=True)
    for bar in chart.bars:
        if bar.errors_per_sec > 0:
            x, top = panel.x(bar.begin), panel.y(bar.errors_per_sec)
            svg.rect(
                x, min(top, panel.bottom - 2), max(panel.x(bar.end) - x, 1.5), max(panel.bottom - top, 2), "errors"
            )
    for value, style, text in (
        (chart.baseline, "baseline", "baseline"),
        (chart.threshold, "threshold", "degraded below"),
    ):
        if value is not None:
            svg.line(_LEFT, panel.y(value), _WIDTH - _RIGHT, panel.y(value), style)
            svg.text(_LEFT + 6, panel.y(value) - 5, f"{text} {value:,.0f}", "soft small halo")
    svg.path(points, "line")


def _latency(svg: Svg, panel: Panel, chart: Chart) -> None:
    for name, style in zip(operations(chart), _LINES, strict=False):
        points = [
            (panel.x(at), panel.y(bar.p99_ms[name]))
            for bar in chart.bars
            if name in bar.p99_ms
            for at in (max(bar.begin, 0.0), bar.end)
        ]
        svg.path(points, style)


def operations(chart: Chart) -> list[str]:
    """The operations whose p99 is drawn: at most three, the same order in every run."""
    names = sorted({name for bar in chart.bars for name in bar.p99_ms if not name.endswith("-FAILED")})
    return names[: len(_LINES)]


def _steps(svg: Svg, panel: Panel, chart: Chart) -> None:
    top = panel.bottom + 3
    for step in chart.steps:
        x, width = panel.x(step.begin), panel.x(step.end) - panel.x(step.begin)
        svg.rect(x, top, max(width - 1, 1), _STEPS_HEIGHT - 1, "step", round_px=2)
        if width > 12:
            svg.text(x + width / 2, top + 10, f"{step.number}", "soft small", anchor="middle")
    if chart.steps:
        svg.text(_LEFT - 8, top + 10, "step", "soft small", anchor="end")


def _seconds(svg: Svg, panel: Panel) -> None:
    y = panel.bottom + _STEPS_HEIGHT + 17
    for value in ticks(panel.end_s, 10):
        svg.text(panel.x(value), y, f"{value:,.6g}", "soft small", anchor="middle")
    svg.text((_LEFT + _WIDTH - _RIGHT) / 2, y + 15, "seconds since the run began", "soft small", anchor="middle")


def _legend(svg: Svg, y: float, chart: Chart, *, with_p99: bool) -> None:
    entries: list[tuple[str, str]] = [("line", "throughput")]
    if with_p99:
        entries += [(style, f"p99 of {name}") for name, style in zip(operations(chart), _LINES, strict=False)]
    if any(bar.errors_per_sec for bar in chart.bars):
        entries.append(("errors", "errors per second"))
    if chart.spans:
        entries += [("shade", "fault in force"), ("undo", "being undone")]
    x = _LEFT
    for style, text in entries:
        if style.startswith("line"):
            svg.line(x, y - 4, x + 18, y - 4, style)
        else:
            svg.rect(x, y - 10, 18, 11, style)
        svg.text(x + 24, y, text, "soft small")
        x += 24 + len(text) * CHARACTER_PX + 22


def ticks(highest: float, about: int) -> list[float]:
    """Round numbers from zero to ``highest``, about so many."""
    raw = highest / max(about, 1)
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw * 0.999)
    return [round(step * number, 9) for number in range(int(highest / step + 1e-9) + 1)]


def _highest(chart: Chart) -> float:
    values = [bar.ops_per_sec for bar in chart.bars] + [chart.baseline or 0.0]
    return max(max(values, default=0.0) * 1.12, 1.0)


def _range_p99(chart: Chart) -> tuple[float, float]:
    """Highest and lowest of the scale: whole decades, so that a few tenths of a millisecond and an outage both show."""
    values = [value for value in _all_p99(chart) if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    return 10.0 ** max(high, low + 1), 10.0**low


def _all_p99(chart: Chart) -> Iterable[float]:
    names = operations(chart)
    return (value for bar in chart.bars for name, value in bar.p99_ms.items() if name in names)


def _description(chart: Chart) -> str:
    told = "; ".join(f"{mark.text} at {mark.at_s:.1f} s" for mark in marks_of(chart.spans))
    return f"Throughput of the load over {chart.end_s:.0f} seconds. {told or 'No fault was injected'}."
