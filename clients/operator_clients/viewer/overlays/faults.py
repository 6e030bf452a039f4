"""The fault menu: what can be broken here, what that does, what undoes it; and the way to the form of one fault."""

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import clean
from operator_clients.viewer.keymap import Action, Binding, binding_of
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.confirm import sent
from operator_clients.viewer.overlays.fault_answers import FaultAnswers
from operator_clients.viewer.overlays.fault_form import FaultForm, told_of
from operator_clients.viewer.overlays.lists import LIST_KEYS, Cursor, around, pointed
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.panels.paper import boxed, inner, line, paragraph, shortened, sides
from operator_clients.viewer.theme import BAD, DIM, FAULT, INFO, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.errors import BadRequest
from operator_protocol.events import Outcome
from operator_protocol.models import Fault, FaultKind
from operator_protocol.records import from_body
from operator_protocol.state import State

DEFAULT = ""
"""In the place of a kind: the daemon's default fault."""
_DEFAULT_NAME = "the default"
_MOST_WIDTH = 100
_HEIGHT = 20


class FaultMenu(Overlay):
    """The catalogue of this daemon. ENTER on the first row does what a presenter wants most, at once."""

    title = "Break something"
    keymap = (
        Binding(Action.CHOOSE, ("enter", "right"), "choose", "The default: break it now. Another: its form", "fault"),
        Binding(Action.RECOVER, ("r",), "recover", "Undo every fault that is owed, or stop its countdown", "recover"),
        *LIST_KEYS,
        CLOSE_KEY,
    )

    def __init__(self, look: Ask) -> None:
        self._look = look
        self._cursor: Cursor[str] = Cursor()
        self._kinds: dict[str, FaultKind] = {}
        self._problem = ""
        self._state: State | None = None
        self._default = FaultAnswers(look)

    def see(self, state: State) -> None:
        """Ask for the catalogue, anew after a resync: it may be that of another daemon."""
        if state is not self._state:
            self._state = state
            self._look("faults", {}, self._take)
            self._default.ask("kill", {}, force=False)

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Move, open a form, or break the default at once."""
        binding = binding_of(key, self.keymap)
        if binding is None or self._cursor.move(binding.action, self._names):
            return None
        if binding.action is Action.RECOVER:
            ask("recover", {}, lambda _: None)
            return None
        if binding.action is not Action.CHOOSE:
            return None
        chosen = self._kinds.get(self._cursor.chosen(self._names) or DEFAULT)
        if chosen is None:
            if key != "enter":
                return None
            return Closed(everything=True) if sent(ask, "fault", {}) else None
        return None if chosen.missing else FaultForm(chosen, self._look)

    def size(self, view: View, screen: Size) -> Size:
        """Never higher or lower while one moves through it."""
        return Size(min(screen.width - 2, _MOST_WIDTH), min(screen.height, max(_HEIGHT, len(self._names) + 4)))

    def draw(self, view: View, size: Size) -> RenderableType:
        """Kinds on the left, what is known of the chosen one on the right, what is in force below."""
        room = inner(size)
        below = _in_force(view, room.width)
        height = room.height - len(below)
        place = self._cursor.place(self._names)
        left = max(len(_DEFAULT_NAME), *(len(name) for name in self._names)) + 4
        rows, where = around(
            [pointed(self._name(name), chosen=number == place) for number, name in enumerate(self._names)],
            place,
            height,
        )
        about = shortened(
            self._about(self._names[place], view, room.width - left - 2), Size(room.width - left - 2, height)
        )
        lines = []
        for number in range(height):
            name = rows[number] if number < len(rows) else line("")
            detail = about[number] if number < len(about) else line("")
            lines.append(_beside(name, detail, left))
        return boxed(
            line((self.title, STRONG)),
            [*lines, *below],
            size,
            border=FAULT,
            subtitle=line((where, DIM)) if where else None,
            heavy=True,
        )

    @property
    def _names(self) -> list[str]:
        return [DEFAULT, *self._kinds]

    def _name(self, name: str) -> Text:
        kind = self._kinds.get(name)
        if kind is None:
            return line((_DEFAULT_NAME, INFO))
        return line((f"✗ {name}", DIM)) if kind.missing else line(name)

    def _about(self, name: str, view: View, width: int) -> list[Text]:
        kind = self._kinds.get(name)
        if kind is not None:
            return about_kind(kind, width)
        role = self._default.default_role or "node of the usual role"
        verdict = self._default.about("random", view.state.nodes.values())
        lines = paragraph(f"kill a random {role} after a countdown of 3, 2, 1.", width, STRONG)
        lines += [line(""), *told_of(verdict, width), line("")]
        if view.readonly:
            lines += paragraph("This viewer is read-only: it is refused.", width, WARN)
        else:
            lines += paragraph(
                "ENTER does it now. r stops it while it counts down, and undoes it afterwards.", width, INFO
            )
        if self._problem:
            lines += [line(""), *paragraph(f"✗ the catalogue is not known: {self._problem}", width, WARN)]
        elif not self._kinds:
            lines += [line(""), line(("asking the daemon what else can be broken…", DIM))]
        return lines

    def _take(self, outcome: Outcome) -> None:
        self._problem = "" if outcome.error is None else clean(str(outcome.error))
        if outcome.result is None:
            return
        kinds = {}
        for body in outcome.result.get("kinds") or []:
            try:
                kind = from_body(FaultKind, body)
            except BadRequest:
                continue
            kinds[clean(kind.name)] = kind
        self._kinds = kinds


def about_kind(kind: FaultKind, width: int) -> list[Text]:
    """What it does, what undoes it, what it needs, what is missing."""
    from operator_clients.ctl.catalogue import allowed, amount  # argparse: only for what is looked at
    from operator_protocol.records import to_body

    lines = [line((clean(kind.name), f"{STRONG} {FAULT}")), *paragraph(kind.description, width)]
    lines += [line(""), *paragraph(f"Undone by {kind.undone_by}", width, DIM)]
    if kind.missing:
        lines += [line(""), *paragraph(f"✗ not here: {kind.missing}", width, f"{STRONG} {BAD}")]
    elif kind.needs:
        lines += paragraph(f"Needs {kind.needs}", width, DIM)
    for param in kind.params:
        default = param.default
        shown = amount(default, param.unit) if type(default) in (int, float) else str(default)  # type: ignore[arg-type]
        lines.append(line(""))
        lines += paragraph(f"{param.name} {shown}: {param.meaning} ({allowed(to_body(param))})", width)
    if not kind.missing:
        lines += [line(""), line(("ENTER", f"{STRONG} {INFO}"), (" chooses where and how; nothing is done yet", DIM))]
    return lines


def _beside(name: Text, detail: Text, left: int) -> Text:
    name = name.copy()
    name.truncate(left, overflow="ellipsis", pad=True)
    return Text.assemble(name, ("│ ", DIM), detail, no_wrap=True, overflow="ellipsis")


def _in_force(view: View, width: int) -> list[Text]:
    """What is broken already, so that nobody breaks a second thing without knowing."""
    faults = list(view.state.faults.values())
    if not faults:
        return []
    told = ", ".join(_state(fault) for fault in faults)
    return [
        line(("─" * width, DIM)),
        sides(line((f"◄ {told}", f"{STRONG} {FAULT}")), line(("r", f"{STRONG} {INFO}"), (" recovers", DIM)), width),
    ]


def _state(fault: Fault) -> str:
    left = f" in {fault.remaining}" if fault.state == "countdown" and fault.remaining else f" {fault.state}"
    return clean(f"{fault.kind} {fault.target}{left}")
