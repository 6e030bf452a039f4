"""Whom a fault is for: nodes and roles, each with the answer that the guard rails would give."""

from collections.abc import Callable

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import clean
from operator_clients.viewer.keymap import Action, Binding, binding_of
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.fault_answers import RANDOM, FaultAnswers
from operator_clients.viewer.overlays.lists import LIST_KEYS, Cursor, around, pointed
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.panels.paper import FRAME_HEIGHT, boxed, hanging, inner, line, shortened
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, LEADER, NODE, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import Node
from operator_protocol.state import State

_REASON_LINES = 3
_MOST_WIDTH = 96


class TargetList(Overlay):
    """One row a node; the whole reason of the chosen one stands below."""

    keymap = (Binding(Action.CHOOSE, ("enter", "space"), "take it", "Take this target"), *LIST_KEYS, CLOSE_KEY)

    def __init__(self, kind: str, answers: FaultAnswers, take: Callable[[str], None]) -> None:
        self.title = f"{clean(kind)}: on which node?"
        self._answers = answers
        self._take = take
        self._cursor: Cursor[str] = Cursor()
        self._nodes: dict[str, Node] = {}

    def see(self, state: State) -> None:
        """Follow the nodes."""
        nodes = sorted(state.nodes.values(), key=lambda node: (node.group, node.id))
        self._nodes = {node.id: node for node in nodes}

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Move, or take the chosen one."""
        binding = binding_of(key, self.keymap)
        if binding is None or self._cursor.move(binding.action, self._targets):
            return None
        if binding.action is Action.CHOOSE and (chosen := self._cursor.chosen(self._targets)) is not None:
            self._take(chosen)
            return Closed()
        return None

    def size(self, view: View, screen: Size) -> Size:
        """As many rows as there are targets, if they fit."""
        wanted = len(self._targets) + _REASON_LINES + 1 + FRAME_HEIGHT
        return Size(min(screen.width - 4, _MOST_WIDTH), min(wanted, screen.height))

    def draw(self, view: View, size: Size) -> RenderableType:
        """The targets, and why not."""
        room, targets = inner(size), self._targets
        place = self._cursor.place(targets)
        rows, where = around(
            [pointed(self._row(view, target), chosen=number == place) for number, target in enumerate(targets)],
            place,
            room.height - _REASON_LINES - 1,
        )
        verdict = self._answers.about(targets[place], self._nodes.values())
        sign = {True: ("✓ ", GOOD), False: ("✗ ", BAD), None: ("? ", WARN)}[verdict.allowed]
        hint = f" ({verdict.hint.replace('--force overrides', 'force: yes overrides')})" if verdict.hint else ""
        told = shortened(hanging(line(sign), verdict.text + hint, room.width), Size(room.width, _REASON_LINES))
        return boxed(
            line((self.title, STRONG)),
            [*rows, line(("─" * room.width, DIM)), *told],
            size,
            border=FAULT,
            subtitle=line((where, DIM)) if where else None,
            heavy=True,
        )

    @property
    def _targets(self) -> list[str]:
        return [*self._answers.random_targets(self._nodes.values()), *self._nodes]

    def _row(self, view: View, target: str) -> Text:
        verdict = self._answers.about(target, self._nodes.values())
        word, style = {True: ("✓ allowed", GOOD), False: ("✗ refused", BAD), None: ("? not known", WARN)}[
            verdict.allowed
        ]
        answer = (f"  {word}", style)
        node = self._nodes.get(target)
        if node is None:
            role = self._answers.default_role if target == RANDOM else target
            return line((f"a random {clean(role) or 'node'}".ljust(35), ""), answer)
        look = NODE[node.state]
        star = LEADER if node.leader or node.role == "primary" else " "
        fault = next((f" ◄ {one.kind}" for one in view.state.faults.values() if one.target == target), "")
        head = f"{clean(node.id):<10} {clean(node.role):<8} {clean(node.group):<9}"
        return line((f"{star} ", WARN), (f"{look.glyph} ", look.style), (head, ""), ("  ", ""), answer, (fault, FAULT))
