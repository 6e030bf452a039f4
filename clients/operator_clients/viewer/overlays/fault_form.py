"""The form of one fault: target, parameters, times; beside it what the guard rails would answer; then the question."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import RenderableType
from rich.text import Text

from operator_clients import when
from operator_clients.ctl.catalogue import allowed, amount
from operator_clients.format import clean, duration
from operator_clients.viewer.keymap import Action, Binding, binding_of
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.confirm import Confirm
from operator_clients.viewer.overlays.fault_answers import RANDOM, FaultAnswers, Verdict
from operator_clients.viewer.overlays.fault_target import TargetList
from operator_clients.viewer.overlays.lists import LIST_KEYS, Cursor, around, pointed
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.overlays.prompt import Prompt
from operator_clients.viewer.panels.paper import FRAME_HEIGHT, boxed, hanging, inner, line, paragraph, shortened
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, INFO, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.codec import Body
from operator_protocol.models import FaultKind, FaultParam, Node, Scalar
from operator_protocol.records import to_body
from operator_protocol.state import State

_TARGET, _FOR, _COUNTDOWN, _FORCE, _INJECT = "target", "undo after", "countdown", "force", "inject"
_NEVER, _CONFIGURED = "only by recover (r)", "3 s, or as configured"
_NO, _YES = "no", "yes"
_LABEL = 13
_VALUE = 22
_MOST_WIDTH = 110
_MEANINGS_FROM_WIDTH = 100
_ANSWER_LINES = 4


class _Row(NamedTuple):
    """One line of the form."""

    key: str
    label: str
    meaning: str
    choices: Sequence[str] = ()
    """What ← and → go through; empty of what is typed."""
    shown: str = ""
    """In place of an empty value."""


class FaultForm(Overlay):
    """Everything has a default, so the shortest way is ENTER on the last row."""

    keymap = (
        Binding(Action.CHOOSE, ("enter",), "change", "Change the value of the row; on the last row: go on"),
        Binding(Action.LESS, ("left",), "before", "The choice before", in_footer=False),
        Binding(Action.MORE, ("right",), "next choice", "The next choice", in_footer=False),
        Binding(Action.INJECT, ("i",), "inject", "Go on to the question whether to inject it", "fault"),
        *LIST_KEYS,
        CLOSE_KEY,
    )

    def __init__(self, kind: FaultKind, look: Ask) -> None:
        self.title = f"Fault: {clean(kind.name)}"
        self._kind = kind
        self._answers = FaultAnswers(look)
        self._values: dict[str, str] = {_TARGET: RANDOM, _FORCE: _NO}
        self._params = {f"param {param.name}": param for param in kind.params}
        self._cursor: Cursor[str] = Cursor()
        self._nodes: list[Node] = []
        self._seen: object = None
        self._state: State | None = None

    def see(self, state: State) -> None:
        """Ask the guard rails whenever what they judge by has changed."""
        self._nodes = sorted(state.nodes.values(), key=lambda node: (node.group, node.id))
        faults = [(one.id, one.state) for one in state.faults.values()]
        fresh, self._state = state is not self._state, state
        seen = ([(one.id, one.role, one.state) for one in self._nodes], faults)
        if fresh or seen != self._seen:
            self._seen = seen
            self._ask_rails()

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Move, change a value, or go on to the question."""
        binding, rows = binding_of(key, self.keymap), self._rows()
        names = [row.key for row in rows]
        if binding is None or self._cursor.move(binding.action, names):
            return None
        row = rows[self._cursor.place(names)]
        if binding.action is Action.INJECT or (binding.action is Action.CHOOSE and row.key == _INJECT):
            return self._question()
        if binding.action is Action.CHOOSE:
            return self._edit(row)
        if binding.action in (Action.LESS, Action.MORE) and row.choices:
            here = self._values.get(row.key, row.choices[0])
            place = row.choices.index(here) if here in row.choices else 0
            step = 1 if binding.action is Action.MORE else -1
            self._set(row.key, row.choices[(place + step) % len(row.choices)])
        return None

    def size(self, view: View, screen: Size) -> Size:
        """As high as form, description and answer are."""
        width = min(screen.width - 2, _MOST_WIDTH)
        room = inner(Size(width, 0)).width
        about = min(3, len(paragraph(self._kind.description, room)))
        return Size(width, min(len(self._rows()) + about + _ANSWER_LINES + 4 + FRAME_HEIGHT, screen.height))

    def draw(self, view: View, size: Size) -> RenderableType:
        """The form; below it the answer of the guard rails for the target that is chosen."""
        room, rows = inner(size), self._rows()
        names = [row.key for row in rows]
        place = self._cursor.place(names)
        head = [*shortened(paragraph(self._kind.description, room.width, DIM), Size(room.width, 3)), line("")]
        answer = shortened(told_of(self._verdict(), room.width), Size(room.width, _ANSWER_LINES))
        gap = [line("")] * (_ANSWER_LINES - len(answer))
        foot = [line(""), *answer, *gap, *self._what_enter_does(view, rows[place], room.width)]
        shown, where = around(
            [pointed(self._row(row, room.width), chosen=number == place) for number, row in enumerate(rows)],
            place,
            room.height - len(head) - len(foot),
        )
        return boxed(
            line((self.title, STRONG)),
            [*head, *shown, *foot],
            size,
            border=FAULT,
            subtitle=line((where, DIM)) if where else None,
            heavy=True,
        )

    def _rows(self) -> list[_Row]:
        targets = [*self._answers.random_targets(self._nodes), *(node.id for node in self._nodes)]
        role = clean(self._answers.default_role) or "node"
        rows = [_Row(_TARGET, _TARGET, "which node, with the answer of the guard rails for each", targets)]
        rows[0] = rows[0]._replace(shown=f"a random {role}")
        for key, param in self._params.items():
            choices = [*param.choices] or ([_NO, _YES] if isinstance(param.default, bool) else [])
            rows.append(_Row(key, clean(param.name), clean(param.meaning), choices, _default(param)))
        rows.append(_Row(_FOR, _FOR, "undone by itself after 30s, 2m, …", shown=_NEVER))
        rows.append(_Row(_COUNTDOWN, _COUNTDOWN, "seconds to call it off in, with r", shown=_CONFIGURED))
        rows.append(_Row(_FORCE, _FORCE, "yes: do it even if a guard rail says no", [_NO, _YES]))
        rows.append(_Row(_INJECT, "", ""))
        return rows

    def _row(self, row: _Row, width: int) -> Text:
        if row.key == _INJECT:
            return line(("Inject… ", f"{STRONG} {FAULT}"), (self._in_short(), ""))
        value = self._shown(row)
        style = WARN if row.key == _FORCE and value == _YES else STRONG if self._values.get(row.key) else ""
        arrows = " ←→" if row.choices else ""
        cell = clean(value) + arrows
        text = line(f"{row.label:<{_LABEL}}", (f"{cell:<{_VALUE}} ", style))
        if width >= _MEANINGS_FROM_WIDTH:
            text.append(row.meaning, style=DIM)
        return text

    def _shown(self, row: _Row) -> str:
        value = self._values.get(row.key, "")
        return row.shown if not value or (row.key == _TARGET and value == RANDOM) else value

    def _what_enter_does(self, view: View, row: _Row, width: int) -> list[Text]:
        key = f"{STRONG} {INFO}"
        if view.readonly:
            return [line(("this viewer is read-only: it can be looked at, not injected", WARN)), line("")]
        if row.key == _INJECT:
            return [line(("ENTER", key), " asks once more before anything is broken"), line("")]
        rule = f" ({allowed(to_body(self._params[row.key]))})" if row.key in self._params else ""
        meaning = shortened(paragraph(f"{row.meaning}{rule}", width, DIM), Size(width, 1))
        does = " lists them" if row.key == _TARGET else " takes the next" if row.choices else " types it"
        return [*meaning, line(("ENTER", key), does, "   ", ("i", key), " goes on to the question whether to inject")]

    def _edit(self, row: _Row) -> Overlay | None:
        if row.key == _TARGET:
            return TargetList(self._kind.name, self._answers, lambda target: self._set(_TARGET, target))
        if row.choices:
            here = self._values.get(row.key, row.shown or row.choices[0])
            place = row.choices.index(here) if here in row.choices else 0
            self._set(row.key, row.choices[(place + 1) % len(row.choices)])
            return None
        return self._prompt(row)

    def _prompt(self, row: _Row) -> Prompt:
        param = self._params.get(row.key)
        rule = "" if param is None else f" Allowed: {allowed(to_body(param))}."
        empty = f" Empty: {row.shown}." if row.shown else ""

        def accept(text: str, ask: Ask) -> str:
            del ask
            if text and row.key in (_FOR, _COUNTDOWN) and (wrong := _wrong_time(row.key, text)):
                return wrong
            self._set(row.key, text)
            return ""

        about = f"{row.meaning}.{rule}{empty}"
        return Prompt(
            f"{clean(self._kind.name)}: {row.label}", about, accept, does="takes it", text=self._values.get(row.key, "")
        )

    def _set(self, key: str, value: str) -> None:
        self._values[key] = value
        if key in self._params or key == _FORCE:
            self._ask_rails()

    def _ask_rails(self) -> None:
        self._answers.ask(self._kind.name, self._given(), force=self._values[_FORCE] == _YES)

    def _given(self) -> dict[str, str]:
        """The parameters that are not left at their default, as text: the daemon knows types and units."""
        given = {}
        for key, param in self._params.items():
            if value := self._values.get(key, ""):
                given[param.name] = value
        return given

    def _verdict(self) -> Verdict:
        return self._answers.about(self._values[_TARGET], self._nodes)

    def _in_short(self) -> str:
        target = self._values[_TARGET]
        role = clean(self._answers.default_role) or "node"
        whom = f"a random {role}" if target == RANDOM else target
        if target not in (RANDOM, *(node.id for node in self._nodes)):
            whom = f"a random {target}"
        given = ", ".join(f"{name} {value}" for name, value in self._given().items())
        return clean(f"{self._kind.name} on {whom}" + (f", {given}" if given else ""))

    def _question(self) -> Confirm:
        values = self._values
        args: Body = {"kind": self._kind.name, "params": self._given(), "force": values[_FORCE] == _YES}
        args["target"] = None if values[_TARGET] == RANDOM else values[_TARGET]
        if values.get(_COUNTDOWN):
            args["countdown"] = when.seconds(values[_COUNTDOWN])
        if values.get(_FOR):
            args["for"] = when.seconds(values[_FOR])

        def said(width: int) -> list[Text]:
            lines = [line(""), *paragraph(self._in_short(), width, STRONG), *paragraph(self._kind.description, width)]
            verdict = self._verdict()
            lines += [line(""), *told_of(verdict, width)]
            if values[_FORCE] == _YES:
                lines += paragraph(
                    "! force: it is done even where a guard rail or the cooldown forbids it", width, WARN
                )
            ends, starts = "undone by r", "the countdown"
            if values.get(_FOR):
                ends = f"undone by itself after {duration(when.seconds(values[_FOR]))}; before that: r"
            if values.get(_COUNTDOWN):
                starts = duration(when.seconds(values[_COUNTDOWN]))
            lines += [
                line(""),
                *paragraph(f"It begins after {starts}; r stops it until then. It is {ends}.", width, DIM),
            ]
            return lines

        return Confirm(
            "Break it?",
            said,
            risk="destructive" if args["force"] else "disruptive",
            yes="injects it",
            cmd="fault",
            args=args,
            everything=True,
        )


def told_of(verdict: Verdict, width: int) -> list[Text]:
    """The answer of the guard rails, with a sign of its own."""
    if verdict.allowed is None:
        return hanging(line(("? guard rails: ", WARN)), verdict.text, width, DIM)
    if verdict.allowed:
        return hanging(line(("✓ guard rails: ", GOOD)), verdict.text, width, GOOD)
    hint = verdict.hint.replace("--force overrides", "force: yes overrides that")
    lines = hanging(line(("✗ refused: ", f"{STRONG} {BAD}")), verdict.text, width, BAD)
    return [*lines, *paragraph(hint, width, DIM)] if hint else lines


def _default(param: FaultParam) -> str:
    value: Scalar = param.default
    if isinstance(value, bool):
        return _YES if value else _NO
    if isinstance(value, int | float):
        return amount(value, param.unit)
    return str(value or "…")


def _wrong_time(key: str, text: str) -> str:
    try:
        seconds = when.seconds(text)
    except ValueError as error:
        return str(error)
    if key == _COUNTDOWN and seconds != int(seconds):
        return "a countdown has whole seconds"
    return "a fault of no duration is none" if key == _FOR and not seconds else ""
