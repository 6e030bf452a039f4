"""What stands around the panels: header, footer, the list of keys, and the notices that replace everything."""

import math
from collections.abc import Sequence

from rich.text import Text

from operator_clients.format import age
from operator_clients.viewer.interaction import Filter
from operator_clients.viewer.keymap import KEYMAP, REPLAY_KEYMAP, Action, Binding, key_label
from operator_clients.viewer.layout import MIN_HEIGHT, MIN_WIDTH, Size
from operator_clients.viewer.panels.paper import hanging, line, paragraph, shortened, sides, typed
from operator_clients.viewer.shell import Notice, Shell, Tape
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, INFO, NODE, STRONG, TONE, WARN
from operator_clients.viewer.timeline import recorded_at, timeline
from operator_clients.viewer.view import View

NOTICE_LINES = 2
_HELP = Binding(Action.HELP, ("?",), "keys", "Every key, and what it does")
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
        return _banner(f"✗ connection lost, data {old} old; reconnects when the daemon is back", BAD, width)
    if shell.resynced:
        return _banner(f"↻ resynchronised: {shell.resynced}", WARN, width)
    if shell.status == "joining":
        return _banner("↻ resynchronising", WARN, width)
    glyph, style = _LINK[shell.status]
    return sides(_situation(view, (" OPERATOR ", f"{STRONG} reverse")), line((f"{glyph} ", style)), width)


def _situation(view: View, badge: tuple[str, str]) -> Text:
    readonly = (" READ-ONLY", f"{STRONG} {WARN}") if view.readonly else ""
    left = line(badge, readonly, "  ", (view.state.version.get("subject", ""), STRONG), "  ")
    for fault in view.state.faults.values():
        if fault.state != "countdown":
            left.append_text(line((f"◄ {fault.kind} {fault.target}  ", f"{STRONG} {FAULT}")))
    left.append_text(_health(view))
    return left


def _replay_header(view: View, shell: Shell, tape: Tape, width: int) -> Text:
    """The same for what is over: that it is a replay, of when, and where the recording has a break."""
    badge = (" REPLAY ", f"{STRONG} {FAULT} reverse")
    right = line((f"recorded {recorded_at(tape)} ", INFO))
    if tape.label:
        # What is shown must not be taken for something else: the label stands before all that could push it out.
        right = line((f"{recorded_at(tape)} ", INFO))
        left = line(badge, " ", (f" {tape.label} ", f"{STRONG} {WARN} reverse"))
        broken = line((f"  ↻ {shell.resynced}", f"{STRONG} {WARN}"))
        return sides(left.append_text(broken if shell.resynced else _situation(view, ("", ""))), right, width)
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

    The keys are those of the overlay on top, else those of the focused panel. In a replay the timeline stands below
    them; where the terminal is not ``tall`` enough for both, in their place.
    """
    # What is being typed must be seen, whatever there is to say.
    told = shell.notice is not None and (bool(shell.overlays) or not shell.ui.filtering)
    if shell.tape is None:
        return _notice_lines(shell.notice, width) if shell.notice and told else [_keys_line(shell, KEYMAP, width)]
    elsewhere = bool(shell.overlays) or shell.ui.focus is not None
    if shell.notice and told:
        lines = _notice_lines(shell.notice, width)
    else:
        lines = [_keys_line(shell, REPLAY_KEYMAP, width)] if tall or elsewhere else []
    if lines and not tall and elsewhere:
        return lines
    hint = line() if tall else line(("? keys ", DIM))
    return [*lines, Text.assemble(timeline(shell.tape, width - hint.cell_len), hint)]


def _keys_line(shell: Shell, keymap: tuple[Binding, ...], width: int) -> Text:
    if shell.overlays:
        top = shell.overlays[-1]
        # Where the question mark is text, or the list is there already, it leads to no list.
        helps = [_HELP] if not top.wants_text and top.title != _HELP.label.capitalize() else []
        return _keys([*(one for one in top.keymap if one.in_footer), *helps], shell.pending, width)
    if shell.ui.filtering:
        return _prompt(shell.ui.pane.filter, width)
    if shell.ui.focus is not None:
        return _keys([one for one in keymap if one.in_focus], shell.pending, width)
    return _keys([one for one in keymap if one.in_footer], shell.pending, width)


def _prompt(written: Filter, width: int) -> Text:
    """The filter as it is typed."""
    wrong = line((f"  plain text: {written.error}", WARN)) if written.error else line()
    right = line(("ENTER keep  ESC all lines ", DIM))
    room = width - right.cell_len - 1
    left = typed(" /", written.text, room - min(wrong.cell_len, room // 2))
    return sides(Text.assemble(left, wrong), right, width)


def _notice_lines(notice: Notice, width: int) -> list[Text]:
    look = TONE[notice.tone]
    style = f"{STRONG} {look.style}"
    lines = hanging(line((f" {look.glyph} ", style)), notice.text, width - 1, style)
    return shortened(lines, Size(width - 1, NOTICE_LINES))


def _keys(bindings: Sequence[Binding], pending: tuple[str, ...], width: int) -> Text:
    """As many of ``bindings`` as fit; the last two, which lead to the others and away, stay."""
    right = line((f"… {', '.join(pending)} ", INFO)) if pending else line("")
    right.truncate(width // 2, overflow="ellipsis")
    room, shown = width - right.cell_len - bool(right.plain), list(bindings)
    while len(shown) > 2 and _width_of(shown, 2) > room:
        del shown[-3]
    gap = "   " if _width_of(shown, 3) <= room else "  "
    left = line(" ")
    for number, binding in enumerate(shown):
        left.append(gap if number else "")
        left.append(key_label(binding.keys[0]), style=f"{STRONG} {INFO}")
        left.append(f" {binding.label}")
    return sides(left, right, width) if right.plain else left


def _width_of(bindings: Sequence[Binding], gap: int) -> int:
    return sum(len(key_label(one.keys[0])) + len(one.label) + 1 + gap for one in bindings) - gap + 1


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
