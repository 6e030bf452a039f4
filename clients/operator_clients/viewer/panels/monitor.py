"""Monitor: which invariants are broken since when, how our own processes fare, and what happened last."""

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import age, byte_size, duration, time_of_day
from operator_clients.viewer.chronicle import LogLine, about
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import boxed, fit, inner, line, paragraph, sides
from operator_clients.viewer.story import Detection
from operator_clients.viewer.theme import BAD, DIM, GOOD, PROCESS, RESTARTED, SEVERITY, STRONG, TONE, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import ProcessState, Violation

RETURNED_SHOWN_S = 15.0
"""For this long a process that came back says so; a restart takes milliseconds, too short to be seen."""
_KINDS = frozenset({"node", "event", "violation", "ticket", "process", "fault", "workload", "link", "command"})
_ORDER = {"worker": 0, "declared": 1, "tool": 2}
"""Which kinds of processes come first; the daemon's own helpers are last."""
_ROOMY_HEIGHT = 14
_TIMES_FROM_WIDTH = 44


def render(view: View, size: Size) -> RenderableType:
    """The monitor panel."""
    room = inner(size)
    detection = view.story.detection()
    violations = sorted(view.state.violations.values(), key=lambda one: (one.severity != "critical", one.first_seen_at))
    fresh = view.fresh(detection)
    body = (
        _roomy(view, violations, detection, room)
        if room.height >= _ROOMY_HEIGHT
        else _dense(view, violations, detection, room)
    )
    if violations:
        border = f"{STRONG} {BAD}" if fresh and view.pulse() else BAD
        verdict = line((f"✗ {len(violations)} broken", f"{STRONG} {BAD}"))
    else:
        border, verdict = GOOD, line(("✓ all invariants hold", GOOD))
        if view.state.cluster is None or view.state.cluster.ok is None:
            border, verdict = WARN, line(("? nothing observed", WARN))
    return boxed(line(("Monitor", STRONG)), body, size, border=border, heavy=fresh, subtitle=verdict)


def _dense(view: View, violations: list[Violation], detection: Detection | None, room: Size) -> list[Text]:
    head = _detected(view, detection, room.width) if detection else []
    others = [one for one in violations if detection is None or one.id != detection.violation.id]
    space = room.height - len(head) - 2
    head.extend(fit([_violation(view, one) for one in others], max(1, space), more="more broken"))
    head.append(_processes_in_a_line(view))
    return [*head, *_log(view, Size(room.width, room.height - len(head)))]


def _roomy(view: View, violations: list[Violation], detection: Detection | None, room: Size) -> list[Text]:
    lines = [_heading("invariants", room.width)]
    if detection:
        lines.extend(_detected(view, detection, room.width))
    if violations:
        for one in violations:
            lines.append(_violation(view, one))
            lines.append(line("    ", (one.message, DIM)))
    elif view.state.cluster is None or view.state.cluster.ok is None:
        lines.append(line(("? ", WARN), "nothing observed"))
    else:
        lines.append(line(("✓ ", GOOD), "all hold"))
    lines = fit(lines, room.height // 2, more="more lines")
    lines.append(_heading("processes", room.width))
    ours = _ours(view)
    named = max((len(one.name) for one in ours), default=0)
    rows = [_process(view, one, named, room.width) for one in ours]
    lines.extend(fit(rows, max(3, room.height // 3), more="more"))
    if not ours:
        lines.append(line(("none reported yet", DIM)))
    lines.append(_heading("what happened", room.width))
    return [*lines, *_log(view, Size(room.width, room.height - len(lines)))]


def _heading(text: str, width: int) -> Text:
    return line((f"{text} ", DIM), ("─" * max(0, width - len(text) - 1), DIM))


def _detected(view: View, detection: Detection, width: int) -> list[Text]:
    style = f"{STRONG} {BAD} reverse" if view.fresh(detection) and view.pulse() else f"{STRONG} {BAD}"
    return paragraph(detection.text, width, style)


def _violation(view: View, violation: Violation) -> Text:
    style = SEVERITY[violation.severity]
    since = age(view.now - violation.first_seen_at)
    return line(
        ("✗ ", f"{STRONG} {style}"),
        (about(violation.invariant, violation.node), style),
        (f"  {violation.severity} for {since}", DIM),
    )


def _ours(view: View) -> list[ProcessState]:
    """Processes that are ours; the subject's servers are in the cluster panel."""
    ours = (one for one in view.state.processes.values() if one.kind != "server")
    return sorted(ours, key=lambda one: (_ORDER.get(one.kind, len(_ORDER)), one.name))


def _processes_in_a_line(view: View) -> Text:
    parts: list[tuple[str, str]] = []
    for process in _ours(view):
        look = PROCESS[process.state]
        if process.kind == "internal" and process.state == "ready" and not process.restarts:
            continue
        parts.append((f"{look.glyph} {process.name}", look.style))
        if process.state != "ready":
            parts.append((f" {look.word}", look.style))
        parts.extend(_return(view, process, brief=True))
        parts.append(("  ", ""))
    return line(*parts) if parts else line(("no process reported yet", DIM))


def _return(view: View, process: ProcessState, *, brief: bool) -> list[tuple[str, str]]:
    back_s = view.mono - view.story.returned.get(process.name, float("-inf"))
    parts = [(f" {RESTARTED}{process.restarts}", WARN)] if process.restarts else []
    if process.state == "ready" and back_s < RETURNED_SHOWN_S:
        parts.append((" back" if brief else f" back {age(back_s)} ago", f"{STRONG} {WARN}"))
    return parts


def _process(view: View, process: ProcessState, named: int, width: int) -> Text:
    look = PROCESS[process.state]
    name = process.name.ljust(min(max(12, named), width // 3))
    left = line((f"{look.glyph} ", look.style), (name, STRONG), (f" {look.word}", look.style))
    for text, style in _return(view, process, brief=False):
        left.append(text, style=style)
    if process.next_start_in is not None:
        left.append(f", again in {duration(process.next_start_in)}", style=WARN)
    if process.kind == "declared" and process.state != "ready" and process.reason:
        left.append_text(line((f": {process.reason}", DIM)))
    usage = [f"pid {process.pid}"] if process.pid is not None else []
    if process.cpu_percent is not None:
        usage.append(f"{process.cpu_percent:.0f}%")
    if process.rss is not None:
        usage.append(byte_size(process.rss))
    while usage and left.cell_len + len(figures := "  ".join(usage)) >= width:
        usage.pop(0)
    return sides(left, line((figures, DIM)), width) if usage else left


def _log(view: View, room: Size) -> list[Text]:
    """The newest lines, the last one at the bottom; with the time of day where there is room for it."""
    if room.height < 1:
        return []
    shown = view.story.detection()
    lines = [one for one in view.story.log if one.kind in _KINDS and not (shown and one.text.startswith(shown.text))]
    lines = lines[-room.height :]
    timed = room.width >= _TIMES_FROM_WIDTH
    return [_log_line(one, timed=timed) for one in lines] or [line(("Watching.", DIM))]


def _log_line(entry: LogLine, *, timed: bool) -> Text:
    look = TONE[entry.tone]
    at = f"{time_of_day(entry.at)} " if timed else ""
    return line((at, DIM), (f"{look.glyph} ", look.style), (entry.text, look.style))
