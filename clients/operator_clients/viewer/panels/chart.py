"""A load over time: eighth blocks, an axis with its unit, baseline and threshold as lines, marks where things fell.

One column is one sample, so that a dip of one second is seen as one. Blocks and not braille: a filled area can be read
from the last row of a room, dots cannot.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text
from sparklines import sparklines

from operator_clients.format import compact
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import cells, line
from operator_clients.viewer.story import Mark
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, INFO, WARN
from operator_protocol.models import WorkloadSample

FLOOR_OPS = 0.1
"""Values are floored at this, so that a sample of nothing is still seen as a sample."""
HEADROOM = 1.15
"""The top of the scale over the baseline, so that a steady load does not touch the border."""
LEAST_TOP_OPS = 10.0
"""The top of the scale for a load that does next to nothing."""
_MOST_OPS = 1e12
"""What is above it is no figure."""
UNIT = "ops/s"
_SCALE_WIDTH = 6
"""A figure of up to five columns, and the axis."""
_TICK_S = 10
_LABEL_EVERY_S = 30
_LABELLED_FROM_WIDTH = 64
_UNIT_FROM_HEIGHT = 4
_FULL, _EMPTY = "█", " "
_BASELINE, _THRESHOLD, _GUIDE = "┄", "╌", "┊"
MARKS = {"fault": ("F", FAULT), "detection": ("D", WARN), "recovery": ("R", GOOD)}


class _Scale(NamedTuple):
    """Values to rows; row 0 is the top one."""

    top: float
    rows: int

    def row(self, value: float) -> int:
        """The row in which ``value`` ends."""
        return self.rows - 1 - min(self.rows - 1, max(0, math.ceil(value / self.top * self.rows - 1e-9) - 1))


def chart(samples: Sequence[WorkloadSample], marks: Sequence[Mark], room: Size) -> list[Text]:
    """Exactly ``room``: the rows of the area, the newest sample at the right, and the time axis below."""
    columns = max(1, room.width - _SCALE_WIDTH)
    shown = list(samples)[-columns:]
    placed = _placed(shown, marks, columns)
    area = _area(shown, placed, Size(columns, max(1, room.height - 1)))
    return [*area, _time_axis(len(shown), placed, columns)]


def _area(samples: list[WorkloadSample], marks: dict[int, Mark], room: Size) -> list[Text]:
    values = [_floored(sample.ops_per_sec) for sample in samples]
    baseline, threshold = (_level(value) for value in (samples[-1].baseline, samples[-1].threshold))
    scale = _Scale(max(*values, (baseline or 0.0) * HEADROOM, LEAST_TOP_OPS), room.height)
    lines = {scale.row(value): look for value, look in ((baseline, _BASELINE), (threshold, _THRESHOLD)) if value}
    blocks = sparklines(values, num_lines=room.height, minimum=0.0, maximum=scale.top)
    empty = room.width - len(values)
    area = []
    for row, rising in enumerate(blocks):
        level = lines.get(row, "")
        before = [_cell(_EMPTY, None, level, marks.get(column)) for column in range(empty)]
        taken = [
            _cell(block, sample, level, marks.get(empty + place))
            for place, (block, sample) in enumerate(zip(rising, samples, strict=True))
        ]
        area.append(_scale_label(scale, row, baseline, threshold).append_text(cells([*before, *taken])))
    return area


def _cell(block: str, sample: WorkloadSample | None, level: str, mark: Mark | None) -> tuple[str, str]:
    """A level shows through what is full, as a gap in it; in what is empty as itself; a rising block hides it."""
    colour = "" if sample is None else BAD if sample.degraded else GOOD
    if block == _FULL and level == _THRESHOLD:
        return level, f"{colour} reverse"
    if block != _EMPTY:
        return block, colour
    # Between the tops of a load that is as it should be a line is only noise.
    if level and not (level == _BASELINE and sample is not None and not sample.degraded):
        return level, INFO if level == _BASELINE else WARN
    return (_GUIDE, MARKS[mark.kind][1]) if mark is not None else (_EMPTY, "")


def _scale_label(scale: _Scale, row: int, baseline: float | None, threshold: float | None) -> Text:
    """The figure of what lies in that row; the lowest row is that of zero unless something else is."""
    told: tuple[str, str] = ("", "")
    if row == scale.rows - 1:
        told = ("0", DIM)
    if row == 0:
        told = (UNIT, DIM) if scale.rows >= _UNIT_FROM_HEIGHT else (compact(scale.top), DIM)
    if threshold and scale.row(threshold) == row:
        told = (compact(threshold), WARN)
    if baseline and scale.row(baseline) == row:
        told = (compact(baseline), INFO)
    return line((f"{told[0]:>{_SCALE_WIDTH - 1}}", told[1]), ("┤" if told[0] else "│", DIM))


def _floored(value: float) -> float:
    return min(max(value, FLOOR_OPS), _MOST_OPS) if math.isfinite(value) else FLOOR_OPS


def _level(value: float | None) -> float | None:
    return None if value is None or not 0.0 < value < _MOST_OPS else value


def _placed(samples: list[WorkloadSample], marks: Sequence[Mark], columns: int) -> dict[int, Mark]:
    """Columns of the marks: of the sample whose second each fell in; two in one second stand side by side, in order."""
    placed: dict[int, Mark] = {}
    if not samples[0].sampled_at:
        return placed
    taken = columns
    for mark in reversed(marks):
        behind = sum(sample.sampled_at > mark.at for sample in samples)
        taken = min(columns - max(1, behind), taken - 1)
        if mark.at < samples[0].sampled_at or taken < 0:
            break
        placed[taken] = mark
    return placed


def _time_axis(seconds: int, marks: dict[int, Mark], columns: int) -> Text:
    """How far back it goes, a tick each ten seconds, and where the fault, its detection and its recovery fell."""
    axis = [("─", DIM)] * columns
    for back in range(_TICK_S, seconds, _TICK_S):
        axis[columns - 1 - back] = ("┴", DIM)
    label = f"{seconds} s ago "
    wide = columns >= _LABELLED_FROM_WIDTH
    begin = columns - seconds
    # Before the first sample where there is room for it, else over its first columns, where it hides ticks.
    labels = {begin - len(label) if begin >= len(label) else begin: label} if seconds > _TICK_S else {}
    if wide:
        labels |= {columns - back: f"{back}s" for back in range(_LABEL_EVERY_S, seconds - len(label), _LABEL_EVERY_S)}
    for start, words in labels.items():
        place = range(max(0, start), max(0, start) + len(words))
        # Half a label reads as another number.
        if place.stop < columns and not any(column in marks for column in place):
            axis[place.start : place.stop] = [(char, DIM) for char in words]
    for column, mark in marks.items():
        axis[column] = MARKS[mark.kind]
    return line(" " * (_SCALE_WIDTH - 1), ("└", DIM)).append_text(cells(axis))
