"""Narration: which chapter this is, what happens and what to watch, and the countdown in large digits."""

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import age
from operator_clients.viewer.chronicle import progress
from operator_clients.viewer.digits import large
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import boxed, inner, line, paragraph, reflowed, shortened
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, INFO, SPINNER, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import ChapterState, Fault

_DIGITS_GAP = 3
_LOW_HEIGHT = 6
_MOST_DOTS = 20


def render(view: View, size: Size) -> RenderableType:
    """The narration panel. Where it is low, the last line is written on the border, which leaves more for the text."""
    chapter, countdown = view.state.demo, _countdown(view)
    room = inner(size)
    figure = large(countdown.remaining or 0, room.height) if countdown else []
    aside = max((len(row) for row in figure), default=0)
    text_width = room.width - (aside + _DIGITS_GAP if figure else 0)
    foot, low = _foot(view, chapter, countdown), room.height < _LOW_HEIGHT
    lines = _words(view, None if low else foot, Size(text_width, room.height))
    if figure:
        lines = _beside(lines, figure, text_width, room.height)
    late = chapter is not None and chapter.overdue
    border = f"{STRONG} {FAULT}" if countdown else WARN if late else INFO
    subtitle = line() if chapter is None else _dots(chapter)
    if low and foot is not None:
        subtitle = Text.assemble(foot, "  ", subtitle)
    heavy = countdown is not None or late
    return boxed(_title(chapter), lines, size, border=border, heavy=heavy, subtitle=subtitle or None)


def detail(view: View, width: int) -> list[Text]:
    """The chapter with all of its text, how long it has been on, and what comes next."""
    chapter, countdown = view.state.demo, _countdown(view)
    if chapter is None:
        return _words(view, None, Size(width, 1))
    lines = [Text.assemble(_title(chapter), "  ", _dots(chapter), no_wrap=True, overflow="ellipsis"), line("")]
    lines += paragraph(reflowed(chapter.narration), width)
    if countdown is not None:
        figure = large(countdown.remaining or 0, _LOW_HEIGHT)
        lines += [line(""), *(line((row, f"{STRONG} {FAULT}")) for row in figure)]
    foot = _foot(view, chapter, countdown)
    lines += [line(""), *([foot] if foot is not None else [])]
    if chapter.entered_at:
        lines.append(line((f"in this chapter for {age(view.now - chapter.entered_at)}", DIM)))
    return [*lines, *([_next(chapter)] if chapter.next_title else [])]


def _countdown(view: View) -> Fault | None:
    running = [fault for fault in view.state.faults.values() if fault.state == "countdown" and fault.remaining]
    return running[0] if running else None


def _title(chapter: ChapterState | None) -> Text:
    if chapter is None:
        return line(("Narration", STRONG))
    return line((progress(chapter), f"{STRONG} {INFO}"), " ", (chapter.title, STRONG))


def _next(chapter: ChapterState) -> Text:
    return line((f"next: {chapter.next_title}", DIM))


def _dots(chapter: ChapterState) -> Text:
    if not 0 < chapter.total <= _MOST_DOTS:
        return line()
    done = max(0, min(chapter.index, chapter.total - 1))
    return line(("━" * done, INFO), ("●", f"{STRONG} {INFO}"), ("┄" * (chapter.total - done - 1), DIM))


def _words(view: View, foot: Text | None, room: Size) -> list[Text]:
    """The narration, and on the last line what the countdown or the expectation says and which key goes on."""
    chapter = view.state.demo
    if chapter is None:
        live = "No demo is running here; what you see is live."
        return [line(("No demo was running when this was recorded." if view.recorded else live, DIM))]
    space = room.height - (foot is not None)
    text = shortened(paragraph(reflowed(chapter.narration), room.width), Size(room.width, space))
    if foot is None:
        return text
    gap = space - len(text)
    after = [_next(chapter)] if chapter.next_title and not chapter.busy and gap > 1 else []
    return [*text, *[line("")] * (gap - len(after)), foot, *after]


def _foot(view: View, chapter: ChapterState | None, countdown: Fault | None) -> Text | None:
    if countdown is not None:
        what = f"{countdown.kind} {countdown.target}"
        way_out = ("", "") if view.recorded or view.readonly else ("r stops it", DIM)
        return line((what, f"{STRONG} {FAULT}"), f" in {countdown.remaining}…  ", way_out)
    if chapter is None:
        return None
    expectation: tuple[str, str] = {
        None: ("", ""),
        True: ("✓ as expected  ", GOOD),
        False: ("… not seen yet  ", WARN),
    }[chapter.expectation_met]
    if chapter.overdue:
        return line(("✗ not as expected  ", f"{STRONG} {BAD}"), (chapter.key_hint, f"{STRONG} {INFO}"))
    if chapter.busy:
        spinner = SPINNER[view.tick() % len(SPINNER)] if view.animate else "…"
        return line(expectation, (f"{spinner} ", WARN), (chapter.key_hint or "working, one moment", DIM))
    if chapter.key_hint and not view.recorded:
        return line(expectation, ("▶ ", INFO), (chapter.key_hint, f"{STRONG} {INFO}"))
    return line(expectation) if expectation[0] else None


def _beside(lines: list[Text], figure: list[str], text_width: int, height: int) -> list[Text]:
    """``lines`` on the left, the digits on the right."""
    beside = []
    for row in range(min(height, max(len(lines), len(figure)))):
        text = lines[row].copy() if row < len(lines) else Text()
        text.truncate(text_width, overflow="ellipsis", pad=True)
        digits = figure[row] if row < len(figure) else ""
        gap = " " * _DIGITS_GAP
        beside.append(Text.assemble(text, gap, (digits, f"{STRONG} {FAULT}"), no_wrap=True, overflow="crop"))
    return beside
