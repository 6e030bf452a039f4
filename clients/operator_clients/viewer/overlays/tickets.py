"""The tickets: first those that wait for a decision, then the other unresolved ones, then what was resolved."""

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import clean, time_of_day
from operator_clients.viewer.chronicle import about
from operator_clients.viewer.keymap import Action, Binding, binding_of
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.lists import LIST_KEYS, Cursor, around, pointed
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.overlays.ticket_look import TICKET, named, proposed
from operator_clients.viewer.panels.paper import FRAME_HEIGHT, boxed, inner, line, paragraph, shortened
from operator_clients.viewer.theme import DIM, GOOD, INFO, SEVERITY, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.errors import BadRequest
from operator_protocol.events import Outcome
from operator_protocol.models import Ticket
from operator_protocol.records import from_body
from operator_protocol.state import State

_LISTED = 100
_MOST_WIDTH = 120
_HEIGHT = 14
_SAID_LINES = 4


class TicketsOverlay(Overlay):
    """A list; ENTER opens one with its diagnosis."""

    title = "Tickets"
    keymap = (
        Binding(Action.CHOOSE, ("enter", "right"), "open", "Open the ticket: diagnosis, approve or reject", "ticket"),
        Binding(Action.RECOVER, ("r",), "recover", "Undo every fault that is owed, or stop its countdown", "recover"),
        *LIST_KEYS,
        CLOSE_KEY,
    )

    def __init__(self, look: Ask) -> None:
        self._look = look
        self._cursor: Cursor[int] = Cursor()
        self._state = State()
        self._told: dict[int, Ticket] = {}
        self._unresolved: object = None
        self._answered = False
        self._problem = ""

    def see(self, state: State) -> None:
        """Follow the live state; what has left it is resolved, which the daemon is asked about."""
        self._state = state
        unresolved = (id(state), frozenset(state.tickets))
        if unresolved != self._unresolved:
            self._unresolved = unresolved
            self._look("tickets", {"limit": _LISTED}, self._take)

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Move, open one, or recover."""
        binding, ids = binding_of(key, self.keymap), self._ids
        if binding is None or self._cursor.move(binding.action, ids):
            return None
        if binding.action is Action.RECOVER:
            ask("recover", {}, lambda _: None)
        elif binding.action is Action.CHOOSE and (chosen := self._cursor.chosen(ids)) is not None:
            # Rich's Markdown takes 25 ms to import: not for the list.
            from operator_clients.viewer.overlays.ticket import TicketDetail

            return TicketDetail(chosen, self._look)
        return None

    def size(self, view: View, screen: Size) -> Size:
        """As many rows as there are tickets, if they fit."""
        wanted = max(_HEIGHT, len(self._ids) + _SAID_LINES + 2 + FRAME_HEIGHT)
        return Size(min(screen.width - 2, _MOST_WIDTH), min(wanted, screen.height))

    def draw(self, view: View, size: Size) -> RenderableType:
        """The list, and what the chosen one says."""
        room, ids = inner(size), self._ids
        place = self._cursor.place(ids)
        rows = [pointed(self._row(view, number), chosen=spot == place) for spot, number in enumerate(ids)]
        said = self._said(ids[place], room.width) if ids else []
        said = shortened(said, Size(room.width, _SAID_LINES))
        shown, where = around(rows, place, room.height - 2 - _SAID_LINES)
        gap = [line("")] * (room.height - 2 - _SAID_LINES - len(shown or [1]))
        return boxed(
            line((self.title, STRONG), f" {len(self._state.tickets)} unresolved"),
            [
                line((f"  {'':>5}   {'STATUS':<13}{'SEVERITY':<9}{'SEEN':>4} {'CHANGED':>8}  ABOUT", DIM)),
                *(shown or [self._nothing(view)]),
                *gap,
                line(("─" * room.width, DIM)),
                *said,
            ],
            size,
            border=INFO,
            subtitle=line((where, DIM)) if where else None,
            heavy=True,
        )

    @property
    def _ids(self) -> list[int]:
        resolved = [one.id for one in self._told.values() if one.id not in self._state.tickets]
        unresolved = sorted(self._state.tickets, key=lambda one: (not proposed(self._state, one), -one))
        return [*unresolved, *sorted(resolved, reverse=True)]

    def _ticket(self, number: int) -> Ticket:
        return self._state.tickets.get(number) or self._told[number]

    def _row(self, view: View, number: int) -> Text:
        ticket = self._ticket(number)
        look = TICKET[ticket.status]
        over = number not in self._state.tickets
        severity = DIM if over else SEVERITY[ticket.severity]
        return line(
            (f"{f'#{ticket.id}':>5} ", DIM if over else ""),
            ("→ " if proposed(self._state, number) else "  ", f"{STRONG} {WARN}"),
            (f"{look.glyph} {look.word:<11}", look.style),
            (f"{ticket.severity:<9}", severity),
            (f"{f'{ticket.occurrences}x':>4} ", DIM),
            (f"{time_of_day(ticket.updated_at):>8}  ", DIM),
            (clean(about(ticket.invariant, ticket.node)), DIM if over else ""),
        )

    def _said(self, number: int, width: int) -> list[Text]:
        ticket = self._ticket(number)
        waiting = proposed(self._state, number)
        lines = [line((f"→ {named(one)} waits for your decision: ENTER", f"{STRONG} {WARN}")) for one in waiting[:1]]
        if ticket.diagnosis is not None:
            lines += paragraph(ticket.diagnosis.summary, width, STRONG)
        return [*lines, *paragraph(ticket.message, width)]

    def _nothing(self, view: View) -> Text:
        if view.recorded:
            # A recording holds what was unresolved; who was asked for the others is gone.
            return line(("  ✓ no ticket was unresolved at this moment", GOOD))
        if self._problem:
            return line((f"  ✗ {self._problem}", WARN))
        return line(("  ✓ no ticket: nothing is broken", GOOD)) if self._answered else line(("  asking…", DIM))

    def _take(self, outcome: Outcome) -> None:
        self._answered = True
        self._problem = "" if outcome.error is None else clean(str(outcome.error))
        if outcome.result is None:
            return
        told = {}
        for body in outcome.result.get("tickets") or []:
            try:
                ticket = from_body(Ticket, body)
            except BadRequest:
                continue
            told[ticket.id] = ticket
        self._told = told
