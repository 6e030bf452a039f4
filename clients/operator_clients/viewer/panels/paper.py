"""What the panels are written on: boxes, lines that never wrap by themselves, paragraphs, columns."""

import io
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from operator_clients.format import clean
from operator_clients.viewer.layout import Size
from operator_clients.viewer.theme import INFO, STRONG

Part: TypeAlias = str | tuple[str, str]
"""A piece of text, or one with its style."""

FRAME_WIDTH = 4
"""Columns that border and padding take."""
FRAME_HEIGHT = 2
_SENTENCE_ENDS = ".!?…:\n"
UNWRAPPED = 10_000
"""A width that nothing reaches: what is laid out for it stays on one line, which is cut when it is drawn."""

# Text.wrap wants a console, for justified text only; nothing is ever written to this one.
_UNUSED = Console(file=io.StringIO(), width=80)


def inner(size: Size) -> Size:
    """What is left of ``size`` inside a box."""
    return Size(size.width - FRAME_WIDTH, size.height - FRAME_HEIGHT)


def line(*parts: Part) -> Text:
    """One line, cut with an ellipsis where it is too long. Text from outside cannot break out of it."""
    text = Text(no_wrap=True, overflow="ellipsis", end="\n")
    for part in parts:
        if isinstance(part, str):
            text.append(clean(part))
        else:
            text.append(clean(part[0]), style=part[1] or None)
    return text


def typed(mark: str, text: str, width: int) -> Text:
    """What is being typed, behind ``mark``: its end is what is seen where ``width`` columns are not enough."""
    room = max(1, width - cell_len(mark) - 1)
    shown = clean(text)[-room:]
    while cell_len(shown) > room:
        shown = shown[1:]
    return line((mark, f"{STRONG} {INFO}"), (shown, STRONG), ("▏", INFO))


def cells(columns: Iterable[tuple[str, str]]) -> Text:
    """One line of single characters, each with its style; neighbours of one style are one piece."""
    text = line()
    for style, run in groupby(columns, key=itemgetter(1)):
        text.append("".join(char for char, _ in run), style=style or None)
    return text


def paragraph(text: str, width: int, style: str = "") -> list[Text]:
    """``text`` wrapped to ``width`` columns; its own line breaks are kept."""
    lines: list[Text] = []
    for one in text.splitlines() or [""]:
        lines.extend(Text(clean(one), style=style).wrap(_UNUSED, max(1, width)))
    for one_line in lines:
        one_line.no_wrap, one_line.overflow = True, "ellipsis"
    return lines


def reflowed(text: str) -> str:
    """``text`` without the line breaks in the middle of its sentences; whoever wrote it did not know the width."""
    joined = ""
    for one in text.splitlines():
        within = joined and one and joined[-1] not in _SENTENCE_ENDS and not one[0].isupper()
        joined += f" {one}" if within else f"\n{one}" if joined else one
    return joined


def hanging(head: Text, text: str, width: int, style: str = "") -> list[Text]:
    """``head`` followed by ``text``, which is wrapped and indented to where it began."""
    indent = head.cell_len
    body = paragraph(text, max(8, width - indent), style)
    first = Text.assemble(head, body[0], no_wrap=True, overflow="ellipsis")
    pad = " " * indent
    return [first, *(Text.assemble(pad, rest, no_wrap=True, overflow="ellipsis") for rest in body[1:])]


def sides(left: Text, right: Text, width: int) -> Text:
    """``left`` and ``right`` on one line of ``width``; ``right`` stays whole as long as it fits at all."""
    room = width - right.cell_len - 1
    if room < 1:
        return left
    if left.cell_len > room:
        left = left.copy()
        left.truncate(room, overflow="ellipsis")
    gap = " " * (width - left.cell_len - right.cell_len)
    return Text.assemble(left, gap, right, no_wrap=True, overflow="ellipsis")


def fit(lines: Sequence[Text], height: int, *, more: str = "more") -> list[Text]:
    """At most ``height`` lines; where some are left out, the last one says how many."""
    if len(lines) <= height:
        return list(lines)
    if height < 1:
        return []
    left_out = len(lines) - height + 1
    return [*lines[: height - 1], line((f"… {left_out} {more}", "dim"))]


def shortened(lines: Sequence[Text], room: Size) -> list[Text]:
    """The lines of a paragraph that fit, with an ellipsis where it goes on."""
    if len(lines) <= room.height:
        return list(lines)
    kept = [text.copy() for text in lines[: max(0, room.height)]]
    if kept:
        kept[-1].rstrip()
        kept[-1].truncate(max(1, room.width - 1), overflow="crop")
        kept[-1].append("…")
    return kept


def boxed(
    title: Text,
    lines: Sequence[RenderableType],
    size: Size,
    *,
    border: str,
    subtitle: Text | None = None,
    heavy: bool = False,
) -> Panel:
    """A box of exactly ``size`` with ``lines`` in it."""
    return Panel(
        Group(*lines),
        title=title,
        title_align="left",
        subtitle=subtitle,
        subtitle_align="right",
        box=box.HEAVY if heavy else box.ROUNDED,
        border_style=border,
        padding=(0, 1),
        width=size.width,
        height=size.height,
    )
