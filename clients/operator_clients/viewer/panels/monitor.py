"""Monitor: what must hold, with its state and since when; how our own processes fare; what happened last."""

from functools import lru_cache

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import age, byte_size, duration, time_of_day
from operator_clients.viewer.chronicle import LogLine
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels import invariants
from operator_clients.viewer.panels.paper import boxed, fit, hanging, inner, line, paragraph, sides
from operator_clients.viewer.story import Detection
from operator_clients.viewer.theme import BAD, DIM, GOOD, PROCESS, RESTARTED, STRONG, TONE, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import ProcessState

RETURNED_SHOWN_S = 15.0
"""For this long a process that came back says so; a restart takes milliseconds, too short to be seen."""
_KINDS = frozenset({"node", "event", "violation", "ticket", "process", "fault", "workload", "link", "command"})
_ORDER = {"worker": 0, "declared": 1, "tool": 2}
"""Which kinds of processes come first; the daemon's own helpers are last."""
_ROOMY_HEIGHT = 14
_LAST_LINES = 3
"""The log itself is in the detail; more of it than this only scrolls by."""
_TIMES_FROM_WIDTH = 44


def render(view: View, size: Size) -> RenderableType:
    """The monitor panel."""
    room = inner(size)
    detection = view.story.detection()
    fresh = view.fresh(detection)
    body = _roomy(view, detection, room) if room.height >= _ROOMY_HEIGHT else _dense(view, detection, room)
    border, verdict = _verdict(view, loud=fresh and view.pulse())
    return boxed(line(("Monitor", STRONG)), body, size, border=border, heavy=fresh, subtitle=verdict)


def detail(view: View, width: int) -> list[Text]:
    """Every invariant, every process of ours, and the whole log, oldest first."""
    detection = view.story.detection()
    lines = [_heading("invariants", width), *(_detected(view, detection, width) if detection else [])]
    lines += [*invariants.whole(view, width), _heading("processes", width), *_processes(view, width)]
    lines.append(_heading("log", width))
    for entry in view.story.log:
        lines += _entry(entry, width)
    return lines


@lru_cache(maxsize=512)
def _entry(entry: LogLine, width: int) -> tuple[Text, ...]:
    """A line of the log, wrapped: costly, and the same at every look. Whoever gets it must not change it."""
    look = TONE[entry.tone]
    head = line((f"{time_of_day(entry.at)} ", DIM), (f"{look.glyph} ", look.style))
    return tuple(hanging(head, entry.text, width, look.style))


def _verdict(view: View, *, loud: bool) -> tuple[str, Text]:
    """Style of the border, and what stands on it."""
    violations, cluster = view.state.violations, view.state.cluster
    if violations:
        told = f"✗ {len(violations)} broken"
        return f"{STRONG} {BAD}" if loud else BAD, line((told, f"{STRONG} {BAD}"))
    if cluster is None or cluster.ok is None:
        return WARN, line(("? nothing observed", WARN))
    known = len(view.state.invariants)
    return GOOD, line((f"✓ all {known} invariants hold" if known else "✓ all invariants hold", GOOD))


def _dense(view: View, detection: Detection | None, room: Size) -> list[Text]:
    head = _detected(view, detection, room.width) if detection else []
    told = detection.violation.id if detection else ""
    # Who died and is back has two lines.
    last = _last(view, Size(room.width, 1 if detection else 2))
    space = room.height - len(head) - 1 - len(last)
    return [*head, *invariants.glance(view, Size(room.width, space), told=told), _processes_in_a_line(view), *last]


def _roomy(view: View, detection: Detection | None, room: Size) -> list[Text]:
    processes = fit(_processes(view, room.width), max(3, room.height // 3), more="more processes")
    last = _last(view, Size(room.width, _LAST_LINES))
    head = [_heading("invariants", room.width), *(_detected(view, detection, room.width) if detection else [])]
    space = room.height - len(head) - len(processes) - len(last) - 2
    lines = [*head, *invariants.glance(view, Size(room.width, space))]
    lines += [_heading("processes", room.width), *processes, _heading("last", room.width), *last]
    return lines


def _heading(text: str, width: int) -> Text:
    return line((f"{text} ", DIM), ("─" * max(0, width - len(text) - 1), DIM))


def _detected(view: View, detection: Detection, width: int) -> list[Text]:
    style = f"{STRONG} {BAD} reverse" if view.fresh(detection) and view.pulse() else f"{STRONG} {BAD}"
    return paragraph(detection.text, width, style)


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


def _processes(view: View, width: int) -> list[Text]:
    ours = _ours(view)
    named = max((len(one.name) for one in ours), default=0)
    return [_process(view, one, named, width) for one in ours] or [line(("none reported yet", DIM))]


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


def _last(view: View, room: Size) -> list[Text]:
    """The newest lines, the last one at the bottom; with the time of day where there is room for it."""
    shown = view.story.detection()
    lines = [one for one in view.story.log if one.kind in _KINDS and not (shown and one.text.startswith(shown.text))]
    timed = room.width >= _TIMES_FROM_WIDTH
    return [_log_line(one, timed=timed) for one in lines[-room.height :]] or [line(("Watching.", DIM))]


def _log_line(entry: LogLine, *, timed: bool) -> Text:
    look = TONE[entry.tone]
    at = f"{time_of_day(entry.at)} " if timed else ""
    return line((at, DIM), (f"{look.glyph} ", look.style), (entry.text, look.style))
