"""One node as text: its title, its signals, its figures, the fault on it, and everything that is known of it."""

from collections.abc import Iterable

from rich.text import Text

from operator_clients.format import age, byte_size, clean, time_of_day
from operator_clients.viewer.panels.paper import hanging, line
from operator_clients.viewer.panels.wording import phrases, scalar
from operator_clients.viewer.theme import BAD, DIM, FAULT, LEADER, NODE, PROCESS, SEVERITY, SIGNAL, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import Fault, Node

_INDENT = "    "
_SHORTEST_WORD = 4


def title_of(node: Node, most: int | None = None) -> Text:
    """``★ ● valkey-0  primary  up``; ``most`` columns, then the word for the state is cut, which its glyph says too."""
    look = NODE[node.state]
    style = STRONG if node.state == "up" else f"{STRONG} {look.style}"
    title = line(
        (f"{LEADER if leads(node) else ' '} ", WARN),
        (f"{look.glyph} ", f"{STRONG} {look.style}"),
        (f"{clean(node.id):<8} ", style),
        f"{clean(node.role):<7} ",
    )
    room = len(look.word) if most is None else most - title.cell_len
    if len(look.word) > room >= _SHORTEST_WORD:
        return title.append(f"{look.word[: room - 1]}…", style=look.style)
    return title.append(look.word, style=look.style)


def badge(node: Node) -> Text:
    """``★●pd0``, where several stand in one line."""
    look = NODE[node.state]
    return line((LEADER if leads(node) else "", WARN), (f"{look.glyph}{clean(node.id)}", look.style))


def leads(node: Node) -> bool:
    """True for who leads or has the writes."""
    return node.leader or node.role == "primary"


def signals(node: Node, names: Iterable[str] | None = None) -> Text:
    """``process ✓  probe ✓  cluster ✗``: of ``names``, or all of them."""
    wanted = node.signals if names is None else {name: node.signals[name] for name in names}
    text = line()
    for name, state in wanted.items():
        text.append_text(line((f"{' ' if text else ''}{name} {SIGNAL[state].glyph}", SIGNAL[state].style)))
    return text


def signals_in_brief(node: Node) -> Text:
    """``✓✓✗``: the same in the same order, without their names."""
    return line(*((SIGNAL[state].glyph, SIGNAL[state].style) for state in node.signals.values()))


def details(node: Node, width: int, most: int) -> list[Text]:
    """Its figures in so many lines at most, whole ones only."""
    return _flow(phrases(node.detail, brief=True), width)[:most]


def duty(node: Node, room: int) -> Text:
    """``leads 4 of 12``: of the regions that a store has a replica of; less, or nothing, where there is no room."""
    leaders, regions = node.detail.get("leaders"), node.detail.get("regions")
    if leaders is None or regions is None:
        return line()
    told = (f"leads {scalar(leaders)} of {scalar(regions)}", f"leads {scalar(leaders)}")
    return line((next((one for one in told if len(one) <= room), ""), DIM))


def fault_mark(view: View, node: Node, room: int) -> Text:
    """``◄ kill``, with the countdown while it runs; less where there is no room for it; empty where there is none."""
    fault = next((fault for fault in view.state.faults.values() if fault.target == node.id), None)
    if fault is None:
        return line()
    left = f" in {fault.remaining}" if fault.state == "countdown" and fault.remaining else ""
    whole = f" ◄ {clean(fault.kind)}{left}"
    return line((whole if len(whole) <= room else f" ◄{left.removeprefix(' in')}", f"{STRONG} {FAULT}"))


def tell(view: View, node: Node, width: int) -> list[Text]:
    """All that is known of ``node``."""
    lines = [Text.assemble(title_of(node), f"  {clean(node.address)}", no_wrap=True, overflow="ellipsis")]
    lines.append(Text.assemble(_INDENT, signals(node), no_wrap=True, overflow="ellipsis"))
    lines += _flow(phrases(node.detail), width)
    for fault in view.state.faults.values():
        if fault.target == node.id:
            lines += hanging(line(_INDENT, ("◄ ", f"{STRONG} {FAULT}")), _fault(view, fault), width, FAULT)
    for violation in view.state.violations.values():
        if violation.node == node.id:
            told = f"{violation.invariant} for {age(view.now - violation.first_seen_at)}: {violation.message}"
            lines += hanging(line(_INDENT, ("✗ ", BAD)), told, width, SEVERITY[violation.severity])
    process = view.state.processes.get(node.id)
    if process is not None:
        look = PROCESS[process.state]
        figures = [f"pid {process.pid}"] if process.pid is not None else []
        figures += [f"{process.cpu_percent:.0f}%"] if process.cpu_percent is not None else []
        figures += [byte_size(process.rss)] if process.rss is not None else []
        figures += [f"restarts {process.restarts}"] if process.restarts else []
        figures += [f"since {time_of_day(process.since_at)}"] if process.since_at else []
        head = line(_INDENT, (f"{look.glyph} process {look.word}  ", look.style))
        lines += hanging(head, "  ".join([*figures, *([process.reason] if process.reason else [])]), width, DIM)
    return lines


def _flow(items: Iterable[str], width: int) -> list[Text]:
    """``items`` one after the other, none of them broken in two."""
    lines: list[Text] = []
    for item in items:
        if lines and lines[-1].cell_len + 2 + len(item) <= width:
            lines[-1].append(f"  {clean(item)}", style=DIM)
        else:
            lines.append(line(_INDENT, (item, DIM)))
    return lines


def _fault(view: View, fault: Fault) -> str:
    params = " ".join(f"{name}={scalar(value)}" for name, value in fault.params.items() if value is not None)
    since = f" for {age(view.now - fault.injected_at)}" if fault.injected_at is not None else ""
    return f"{fault.kind} {params} {fault.state}{since}".replace("  ", " ")
