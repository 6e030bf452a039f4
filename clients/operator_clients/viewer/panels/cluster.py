"""Cluster: every node with its state, its role, its signals and who leads, grouped by what shares data or votes."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeAlias

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import clean
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.node import (
    badge,
    details,
    duty,
    fault_mark,
    signals,
    signals_in_brief,
    tell,
    title_of,
)
from operator_clients.viewer.panels.paper import boxed, fit, inner, line, sides
from operator_clients.viewer.theme import BAD, DIM, GOOD, NODE, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import ClusterHealth, Node

_GROUP_WIDTH = 8
_DEEPEST = 8
"""Lines of a node, where there is no room for all of it."""
_Groups: TypeAlias = Sequence[tuple[str, Sequence[Node]]]


def render(view: View, size: Size) -> RenderableType:
    """The cluster panel."""
    health, room, groups = view.state.cluster, inner(size), _groups(view)
    detection = view.story.detection()
    if not groups:
        return boxed(_title(health), [line(("Waiting for the first look at the cluster...", DIM))], size, border=DIM)
    nodes = list(view.state.nodes.values())
    return boxed(
        _title(health),
        _lines(view, groups, room),
        size,
        border=_border(health, nodes, loud=view.fresh(detection) and view.pulse()),
        heavy=view.fresh(detection),
        subtitle=_verdict(health, nodes),
    )


def detail(view: View, width: int) -> list[Text]:
    """Every node with all that is known of it."""
    health, groups = view.state.cluster, _groups(view)
    if not groups:
        return [line(("Waiting for the first look at the cluster...", DIM))]
    nodes = list(view.state.nodes.values())
    lines = [Text.assemble(_title(health), "  ", _verdict(health, nodes), no_wrap=True, overflow="ellipsis")]
    for name, members in groups:
        lines += [line(""), _heading(name, members, width), *_told(view, members, width)]
    return lines


def _groups(view: View) -> _Groups:
    nodes = sorted(view.state.nodes.values(), key=lambda node: (node.group, node.id))
    return [(name, list(members)) for name, members in groupby(nodes, key=lambda node: node.group)]


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


def _lines(view: View, groups: _Groups, room: Size) -> list[Text]:
    """As much as fits: all of each node, fewer lines of it, one, no line for its group, several in a line."""
    count = len(view.state.nodes)
    if room.height >= len(groups) + 4 * count:
        whole: list[Text] = []
        for name, members in groups:
            whole += [_heading(name, members, room.width), *_told(view, members, room.width)]
        if len(whole) <= room.height:
            return whole
    for depth in range(_DEEPEST, 0, -1):
        needed = len(groups) + depth * count
        if needed <= room.height:
            return _grouped(view, groups, room.width, depth, gap=needed + len(groups) - 1 <= room.height)
    if count <= room.height:
        return _flat(view, groups, room.width)
    return fit(_packed(view, groups, room.width), room.height, more="more lines")


def _told(view: View, members: Sequence[Node], width: int) -> list[Text]:
    return [text for node in members for text in tell(view, node, width)]


def _grouped(view: View, groups: _Groups, width: int, depth: int, *, gap: bool) -> list[Text]:
    lines: list[Text] = []
    brief = _fitting(view, groups, width, 0) if depth == 1 else None
    for position, (name, members) in enumerate(groups):
        if gap and position:
            lines.append(line(""))
        lines.append(
            _heading(name, members, width, names=brief in (signals_in_brief, _brief_and_dissent) and not position)
        )
        for node in members:
            told = brief(node) if brief else None
            text = _node(view, node, _beside(width, told), address=depth > 1)
            lines.append(sides(text, _right(node, told, width - text.cell_len), width) if told else text)
            if depth >= 2:
                lines.append(Text.assemble("    ", signals(node), no_wrap=True, overflow="ellipsis"))
            lines += details(node, width, max(0, depth - 2))
    return lines


def _heading(name: str, members: Sequence[Node], width: int, *, names: bool = False) -> Text:
    """``shard-0``; where the signals below are glyphs alone, with what they are."""
    left = line((_label(name, members) or "no group", f"{DIM} bold"))
    if not names:
        return left
    told = line((" ".join(next((node.signals for node in members if node.signals), ())), DIM))
    return sides(left, told, width) if left.cell_len + told.cell_len < width else left


def _flat(view: View, groups: _Groups, width: int) -> list[Text]:
    """One line a node, with the group before its first one."""
    brief = _fitting(view, groups, width, _GROUP_WIDTH)
    lines = []
    for name, members in groups:
        for position, node in enumerate(members):
            named = _label(name, members)[: _GROUP_WIDTH - 1] if not position else ""
            label = line((f"{named:<{_GROUP_WIDTH}}", DIM))
            told = brief(node) if brief else None
            text = _node(view, node, _beside(width - _GROUP_WIDTH, told))
            text = Text.assemble(label, text, no_wrap=True, overflow="ellipsis")
            lines.append(sides(text, _right(node, told, width - text.cell_len), width) if told else text)
    return lines


def _fitting(view: View, groups: _Groups, width: int, indent: int) -> Callable[[Node], Text] | None:
    """How the signals of all nodes fit behind them: each with its name, those that contradict, none.

    Glyphs alone are worth more than the name of the fault, and than all letters of a state, on the longest line.
    """
    nodes = [node for _, members in groups for node in members]
    room = width - indent
    needs = [_node(view, node, room).cell_len for node in nodes]
    for brief in (signals, _brief_and_dissent, signals_in_brief, _dissent):
        left = [_beside(room, brief(node)) for node in nodes]
        long = [(node, most) for node, most, needed in zip(nodes, left, needs, strict=True) if needed > most]
        if not long:
            return brief
        if brief is signals_in_brief and all(_node(view, node, most).cell_len <= most for node, most in long):
            return brief
    return None


def _beside(width: int, told: Text | None) -> int:
    """What is left of ``width`` beside the signals."""
    return width - told.cell_len - 1 if told else width


def _dissent(node: Node) -> Text:
    """The signals that contradict its state: a server that is down and that its cluster still takes for up."""
    against = {"down": "up", "up": "down"}.get(node.state)
    return signals(node, [name for name, state in node.signals.items() if state == against])


def _brief_and_dissent(node: Node) -> Text:
    told = _dissent(node)
    return Text.assemble(told, "  " if told else "", signals_in_brief(node), no_wrap=True)


def _packed(view: View, groups: _Groups, width: int) -> list[Text]:
    """Several nodes in a line; those that are not up have one of their own below."""
    lines: list[Text] = []
    for name, members in groups:
        text = line((f"{_label(name, members)[: _GROUP_WIDTH - 1]:<{_GROUP_WIDTH}}", DIM))
        for node in members:
            item = badge(node)
            if text.cell_len > _GROUP_WIDTH:
                if text.cell_len + 2 + item.cell_len > width:
                    lines.append(text)
                    text = line(" " * _GROUP_WIDTH)
                else:
                    text.append("  ")
            text.append_text(item)
        lines.append(text)
    hit = {fault.target for fault in view.state.faults.values()}
    nodes = (node for _, members in groups for node in members if node.state != "up" or node.id in hit)
    return [*lines, *(sides(_node(view, node, width), signals_in_brief(node), width) for node in nodes)]


def _node(view: View, node: Node, width: int, *, address: bool = False) -> Text:
    """``★ ● valkey-0  primary  up``, with the fault that is on it."""
    text = title_of(node)
    mark = fault_mark(view, node, width - text.cell_len)
    if text.cell_len + mark.cell_len > width:
        text = title_of(node, width - mark.cell_len)
    text.append_text(mark)
    told = line((f"  {node.address}", DIM))
    if address and not mark and text.cell_len + told.cell_len <= width:
        text.append_text(told)
    return text


def _right(node: Node, signs: Text, room: int) -> Text:
    """Its signals, and before them what it is there for."""
    told = duty(node, room - signs.cell_len - 4)
    return Text.assemble(told, "  " if told else "", signs, no_wrap=True)


def _label(name: str, members: Sequence[Node]) -> str:
    """What the group is called; stores share no data that others do not, so theirs has no name of its own."""
    return clean(name) or _role_of_all(members)


def _role_of_all(members: Sequence[Node]) -> str:
    roles = {node.role for node in members}
    return clean(roles.pop()) if len(roles) == 1 else ""
