"""Cluster: every node with its state, its role and who leads, grouped by what shares data or votes together."""

from collections.abc import Iterator
from itertools import groupby

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import clean
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import boxed, fit, inner, line
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, LEADER, NODE, SIGNAL, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import ClusterHealth, Fault, Node, Scalar

_ADDRESS_FROM_WIDTH = 54
_SHOWN_DETAILS = 4


def render(view: View, size: Size) -> RenderableType:
    """The cluster panel."""
    health, room = view.state.cluster, inner(size)
    nodes = sorted(view.state.nodes.values(), key=lambda node: (node.group, node.id))
    detection = view.story.detection()
    if not nodes:
        return boxed(_title(health), [line(("Waiting for the first look at the cluster...", DIM))], size, border=DIM)
    return boxed(
        _title(health),
        _lines(view, nodes, room),
        size,
        border=_border(health, nodes, loud=view.fresh(detection) and view.pulse()),
        heavy=view.fresh(detection),
        subtitle=_verdict(health, nodes),
    )


def _title(health: ClusterHealth | None) -> Text:
    return line(("Cluster", STRONG), f" {health.subject}" if health else "")


def _border(health: ClusterHealth | None, nodes: list[Node], *, loud: bool) -> str:
    if health is None or health.ok is None:
        return WARN
    if not health.ok:
        return f"{STRONG} {BAD}" if loud else BAD
    return GOOD if all(node.state == "up" for node in nodes) else WARN


def _verdict(health: ClusterHealth | None, nodes: list[Node]) -> Text:
    up = sum(node.state == "up" for node in nodes)
    count = f"{up}/{len(nodes)} up"
    if health is None or health.ok is None:
        reason = f": {health.reason}" if health and health.reason else ""
        return line((f"? not known{reason}", WARN))
    if not health.ok:
        return line((f"✗ {count}", f"{STRONG} {BAD}"), (f" {health.reason}" if health.reason else "", BAD))
    look = NODE["up" if up == len(nodes) else "degraded"]
    word = "healthy" if up == len(nodes) else "degraded"
    return line((f"{look.glyph} {word}", look.style), f" {count}")


def _lines(view: View, nodes: list[Node], room: Size) -> list[Text]:
    """As much as fits: three lines a node under its group's name, then two, one, and at last no group lines."""
    groups = [(name, list(members)) for name, members in groupby(nodes, key=lambda node: node.group)]
    for depth in (3, 2, 1):
        spaced = [*_grouped(view, groups, room.width, depth, gap=True)]
        if len(spaced) <= room.height:
            return spaced
        dense = [*_grouped(view, groups, room.width, depth, gap=False)]
        if len(dense) <= room.height:
            return dense
    flat = [_node(view, node, room.width, group) for name, members in groups for node, group in _first(name, members)]
    return fit(flat, room.height, more="more nodes")


def _first(name: str, members: list[Node]) -> Iterator[tuple[Node, str]]:
    for position, node in enumerate(members):
        yield node, name if position == 0 else ""


def _grouped(view: View, groups: list[tuple[str, list[Node]]], width: int, depth: int, *, gap: bool) -> Iterator[Text]:
    for position, (name, members) in enumerate(groups):
        if gap and position:
            yield line("")
        yield line((name or _role_of_all(members) or "no group", DIM))
        for node in members:
            text = _node(view, node, width)
            yield text if depth >= 2 else _with_dissent(text, node, width)
            if depth >= 2:
                yield _signals(node)
            if depth >= 3:
                yield _details(node)


def _node(view: View, node: Node, width: int, group: str | None = None) -> Text:
    """``shard-0 ★ ● valkey-0  primary  up``; the group only where it has no line of its own."""
    look = NODE[node.state]
    star = LEADER if node.leader or node.role == "primary" else " "
    text = line("" if group is None else (f"{clean(group)[:8]:<8}", DIM), (f"{star} ", WARN))
    text.append(f"{look.glyph} ", style=f"{STRONG} {look.style}")
    text.append(f"{clean(node.id):<8} ", style=STRONG if node.state == "up" else f"{STRONG} {look.style}")
    text.append(f"{clean(node.role):<7} ")
    text.append(look.word, style=look.style)
    fault = _fault_on(view, node)
    if fault is not None:
        text.append(_fault_mark(fault, width - text.cell_len), style=f"{STRONG} {FAULT}")
    elif group is None and width >= _ADDRESS_FROM_WIDTH:
        text.append(f"  {clean(node.address)}", style=DIM)
    return text


def _role_of_all(members: list[Node]) -> str:
    roles = {node.role for node in members}
    return clean(roles.pop()) if len(roles) == 1 else ""


def _with_dissent(text: Text, node: Node, width: int) -> Text:
    """With the signals that contradict its state: a server that is down and that its cluster still takes for up."""
    against = {"down": "up", "up": "down"}.get(node.state)
    for name, state in node.signals.items():
        if state == against:
            said = f" {name} {SIGNAL[state].glyph}"
            if text.cell_len + len(said) <= width:
                text.append(said, style=SIGNAL[state].style)
    return text


def _fault_mark(fault: Fault, room: int) -> str:
    """``◄ kill``, with the countdown while it runs; less where there is no room for it."""
    left = f" in {fault.remaining}" if fault.state == "countdown" and fault.remaining else ""
    whole = f" ◄ {clean(fault.kind)}{left}"
    return whole if len(whole) <= room else f" ◄{left.removeprefix(' in')}"


def _fault_on(view: View, node: Node) -> Fault | None:
    return next((fault for fault in view.state.faults.values() if fault.target == node.id), None)


def _signals(node: Node) -> Text:
    parts = [(f"{name} {SIGNAL[state].glyph}  ", SIGNAL[state].style) for name, state in node.signals.items()]
    return line("    ", *parts)


def _details(node: Node) -> Text:
    known = [(name, value) for name, value in node.detail.items() if value not in (None, "")][:_SHOWN_DETAILS]
    return line("    ", ("  ".join(f"{name} {_scalar(value)}" for name, value in known), DIM))


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
