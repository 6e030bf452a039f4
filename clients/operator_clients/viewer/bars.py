"""What stands around the panels: header, footer, the list of keys, and the notices that replace everything."""

import math

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import age
from operator_clients.viewer.keymap import KEYMAP, REPLAY_KEYMAP, Binding, key_label, keys_label
from operator_clients.viewer.layout import MIN_HEIGHT, MIN_WIDTH, Size
from operator_clients.viewer.panels.paper import boxed, hanging, line, paragraph, shortened, sides
from operator_clients.viewer.session import Notice, Shell, Tape
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, INFO, LEADER, NODE, STRONG, TONE, WARN
from operator_clients.viewer.timeline import recorded_at, timeline
from operator_clients.viewer.view import View

NOTICE_LINES = 2
_LINK = {
    "live": ("● live", GOOD),
    "joining": ("◐ joining", WARN),
    "stale": ("◐ stale", WARN),
    "lost": ("✗ lost", BAD),
}


def header(view: View, shell: Shell, width: int) -> Text:
    """Whose screen this is and how the cluster does; a banner instead when the data cannot be trusted."""
    if shell.tape is not None:
        return _replay_header(view, shell, shell.tape, width)
    if shell.status in ("stale", "lost"):
        old = age(shell.age_s) if math.isfinite(shell.age_s) else "very"
        return _banner(f"✗ connection lost, data {old} old; it comes back by itself", BAD, width)
    if shell.resynced:
        return _banner(f"↻ resynchronised: {shell.resynced}", WARN, width)
    if shell.status == "joining":
        return _banner("↻ resynchronising", WARN, width)
    glyph, style = _LINK[shell.status]
    return sides(_situation(view, (" OPERATOR ", f"{STRONG} reverse")), line((f"{glyph} ", style)), width)


def _situation(view: View, badge: tuple[str, str]) -> Text:
    left = line(badge, "  ", (view.state.version.get("subject", ""), STRONG), "  ")
    for fault in view.state.faults.values():
        if fault.state != "countdown":
            left.append_text(line((f"◄ {fault.kind} {fault.target}  ", f"{STRONG} {FAULT}")))
    left.append_text(_health(view))
    return left


def _replay_header(view: View, shell: Shell, tape: Tape, width: int) -> Text:
    """The same for what is over: that it is a replay, of when, and where the recording has a break."""
    badge = (" REPLAY ", f"{STRONG} {FAULT} reverse")
    right = line((f"recorded {recorded_at(tape)} ", INFO))
    if shell.resynced:
        return sides(line(badge, (f"  ↻ {shell.resynced}", f"{STRONG} {WARN}")), right, width)
    return sides(_situation(view, badge), right, width)


def _banner(text: str, colour: str, width: int) -> Text:
    banner = line((f" {text}", f"{STRONG} {colour} reverse"))
    banner.truncate(width, overflow="ellipsis", pad=True)
    banner.stylize(f"{STRONG} {colour} reverse")
    return banner


def _health(view: View) -> Text:
    health = view.state.cluster
    if health is None or health.ok is None:
        return line((f"{NODE['unknown'].glyph} not known", WARN))
    if health.ok:
        return line((f"{NODE['up'].glyph} healthy", GOOD))
    return line((f"{NODE['down'].glyph} {health.reason or 'not healthy'}", f"{STRONG} {BAD}"))


def footer_lines(shell: Shell, *, tall: bool) -> int:
    """How many lines the footer takes away from the panels; a notice may lie over a panel for its seconds."""
    return 2 if shell.tape is not None and tall else 1


def footer(shell: Shell, width: int, *, tall: bool = False) -> list[Text]:
    """The keys, or for some seconds what came of the last one: one line, two for a long notice.

    In a replay the timeline stands below it; where the terminal is not ``tall`` enough for both, in its place.
    """
    if shell.tape is None:
        return _notice_lines(shell.notice, width) if shell.notice else [_keys(KEYMAP, shell.pending, width)]
    lines = _notice_lines(shell.notice, width) if shell.notice else [_keys(REPLAY_KEYMAP, (), width)] if tall else []
    hint = line() if tall else line(("? keys ", DIM))
    return [*lines, Text.assemble(timeline(shell.tape, width - hint.cell_len), hint)]


def _notice_lines(notice: Notice, width: int) -> list[Text]:
    look = TONE[notice.tone]
    style = f"{STRONG} {look.style}"
    lines = hanging(line((f" {look.glyph} ", style)), notice.text, width - 1, style)
    return shortened(lines, Size(width - 1, NOTICE_LINES))


def _keys(keymap: tuple[Binding, ...], pending: tuple[str, ...], width: int) -> Text:
    right = line((f"… {', '.join(pending)} ", INFO)) if pending else line("")
    left = line(" ")
    for binding in keymap:
        if binding.in_footer:
            left.append(key_label(binding.keys[0]), style=f"{STRONG} {INFO}")
            left.append(f" {binding.label}   ")
    return sides(left, right, width)


def help_box(keymap: tuple[Binding, ...] = KEYMAP, console: str = "") -> tuple[RenderableType, Size]:
    """The list of keys, and the room it takes."""
    column = max(len(keys_label(binding)) for binding in keymap)
    lines = [line((f"{keys_label(binding):<{column}}", f"{STRONG} {INFO}"), f"  {binding.help}") for binding in keymap]
    lines.append(line(""))
    legend = [(f"{look.glyph} {look.word}", look.style) for look in NODE.values()]
    spaced = [part for one in legend for part in (one, "   ")]
    lines.append(line(*spaced, (f"{LEADER} primary, leader", WARN), "   ", ("◄ fault", FAULT)))
    marks = (("F fault", FAULT), "   ", ("D detected", WARN), "   ", ("R recovered", GOOD))
    lines.append(line("on the time axis:   ", *marks))
    if keymap is REPLAY_KEYMAP:
        lines.append(line(" " * 20, ("| daemon restarted", WARN), "   ", ("? frames missing", BAD)))
    if console:
        lines += [line(""), line("the web console, for this daemon alone:"), line((console, INFO))]
    width = max(text.cell_len for text in lines) + 4
    size = Size(min(width, MIN_WIDTH - 2), len(lines) + 2)
    return boxed(line(("Keys", STRONG)), lines, size, border=INFO, heavy=True), size


def waiting(shell: Shell, size: Size) -> list[Text]:
    """What to show as long as no daemon has answered."""
    return _notice(
        size,
        (f"Waiting for a daemon at {shell.endpoint}", STRONG),
        (f"start one with: {shell.start_command}", INFO),
        ("q quits", DIM),
    )


def too_small(size: Size) -> list[Text]:
    """What to show where the panels would not be whole."""
    return _notice(
        size,
        (f"This terminal is {size.width}x{size.height}, too small.", STRONG),
        (f"The five panels need {MIN_WIDTH}x{MIN_HEIGHT}: enlarge it.", INFO),
        ("q quits", DIM),
    )


def _notice(size: Size, *paragraphs: tuple[str, str]) -> list[Text]:
    lines = [text for words, style in paragraphs for text in paragraph(words, size.width, style)]
    above = max(0, (size.height - len(lines)) // 2)
    centred = [line("")] * above
    for text in lines[: size.height]:
        text.pad_left(max(0, (size.width - text.cell_len) // 2))
        centred.append(text)
    return centred
