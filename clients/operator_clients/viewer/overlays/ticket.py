"""One ticket: what it is about, what can be done, the diagnosis, notes and history; and the keys that move it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from operator_clients.ctl.ticket_markdown import history_lines
from operator_clients.format import age, clean, duration, time_of_day
from operator_clients.viewer.chronicle import about
from operator_clients.viewer.interaction import SCROLLING, Extent, Scroll
from operator_clients.viewer.keymap import Action as Key
from operator_clients.viewer.keymap import Binding, binding_of
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.box import SCROLL_KEYS, extent_of, scrolled_box
from operator_clients.viewer.overlays.confirm import RISKS
from operator_clients.viewer.overlays.decide import approving, prompts, rejecting
from operator_clients.viewer.overlays.markdown import markdown_lines
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.overlays.ticket_look import ACTION, TICKET, named, proposed
from operator_clients.viewer.panels.paper import FRAME_WIDTH, hanging, line, paragraph
from operator_clients.viewer.theme import BAD, DIM, FAULT, INFO, SEVERITY, STEP, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.events import Outcome
from operator_protocol.models import Action, Diagnosis, Ticket
from operator_protocol.records import from_body
from operator_protocol.state import State

_MOST_WIDTH = 120
_STEPS = 6
_HEADING = re.compile(r"\A#\s[^\n]*\n*")


class TicketDetail(Overlay):
    """Follows its ticket through every status, also after it was resolved."""

    keymap = (
        Binding(
            Key.APPROVE, ("a",), "approve", "Approve the action that waits; it says first what it risks", "approve"
        ),
        Binding(Key.REJECT, ("x",), "reject", "Reject the action that waits", "reject"),
        Binding(
            Key.FOCUS_NEXT, ("tab",), "action", "The next action that waits, if there are several", in_footer=False
        ),
        Binding(Key.RECOVER, ("r",), "recover", "Undo every fault that is owed, or stop its countdown", "recover"),
        Binding(Key.HISTORY, ("l",), "history", "Show or hide everything that was ever said of it"),
        Binding(Key.NOTE, ("n",), "note", "Write a note on it", "note"),
        Binding(Key.HOLD, ("h",), "hold", "Hold it: nothing moves it until it is reopened or resolved", "hold", False),
        Binding(Key.RESOLVE, ("s",), "solved", "Say that it is resolved", "resolve", False),
        Binding(Key.REOPEN, ("o",), "reopen", "Take it up again", "reopen", False),
        Binding(Key.DIAGNOSE, ("d",), "diagnose", "Have the agent diagnose it, or look again", "diagnose", False),
        *(one._replace(in_footer=False) for one in SCROLL_KEYS),
        CLOSE_KEY,
    )

    def __init__(self, number: int, look: Ask) -> None:
        self.title = f"Ticket #{number}"
        self._number = number
        self._look = look
        self._state = State()
        self._ticket: Ticket | None = None
        self._record: Mapping[str, Any] | None = None
        self._with_history = False
        self._seen: object = None
        self._problem = ""
        self._chosen = 0
        self._scroll = Scroll()
        self._extent = Extent()

    def see(self, state: State) -> None:
        """Take over the ticket as it is; one that has left the state, and its history, are asked for."""
        self._state = state
        live = state.tickets.get(self._number)
        self._ticket = live or self._ticket
        self.keymap = self._fitting_keys()
        mine = [(one.id, one.status) for one in state.actions.values() if one.ticket == self._number]
        seen = (id(state), None if live is None else (live.updated_at, live.status, len(live.notes)), mine)
        if seen != self._seen:
            self._seen = seen
            if live is None or self._with_history:
                self._ask_for_it()

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Scroll, or what the key is bound to; what changes something is asked about first."""
        binding = binding_of(key, self.keymap)
        if binding is None:
            return None
        waiting = proposed(self._state, self._number)
        action = waiting[self._chosen % len(waiting)] if waiting else None
        if binding.action in SCROLLING:
            self._scroll = self._scroll.moved(binding.action, self._extent, follows=False)
        elif binding.action is Key.FOCUS_NEXT:
            self._chosen += 1
        elif binding.action is Key.RECOVER:
            ask("recover", {}, lambda _: None)
        elif binding.action is Key.HISTORY:
            self._with_history = not self._with_history
            # Its newest entry is the last; without it one begins to read anew.
            self._scroll = Scroll(following=self._with_history)
            if self._with_history:
                self._ask_for_it()
        elif binding.action is Key.DIAGNOSE:
            ask("diagnose", {"ticket": self._number}, lambda _: None)
        elif binding.action is Key.APPROVE:
            return approving(action, self._look) if action else None
        elif binding.action is Key.REJECT:
            return rejecting(action) if action else None
        elif binding.action in prompts:
            return prompts[binding.action](self._number)
        return None

    def size(self, view: View, screen: Size) -> Size:
        """All of the height: a diagnosis is long."""
        size = Size(min(screen.width - 2, _MOST_WIDTH), screen.height)
        self._extent = extent_of(self._lines(view, size.width - FRAME_WIDTH), size)
        return size

    def draw(self, view: View, size: Size) -> RenderableType:
        """From where it is scrolled to."""
        return scrolled_box(self.title, self._lines(view, size.width - FRAME_WIDTH), self._scroll, size)

    def _lines(self, view: View, width: int) -> list[Text]:
        ticket = self._ticket
        if ticket is None:
            return [line((f"✗ {self._problem}", WARN) if self._problem else ("asking for it…", DIM))]
        lines = [*_head(view, ticket, width), line(""), *self._to_do(view, ticket, width)]
        lines += [line(""), *_diagnosis(view, ticket, width)]
        if ticket.notes:
            lines += [line(""), line(("Notes", f"{STRONG} {INFO}"))]
            lines += [text for note in ticket.notes for text in hanging(line("• "), clean(note), width)]
        if self._with_history:
            lines += [line(""), *self._history(width)]
        return lines

    def _fitting_keys(self) -> tuple[Binding, ...]:
        """All of them, the last line of the screen being for those that lead somewhere now."""
        if proposed(self._state, self._number):
            shown = {Key.APPROVE, Key.REJECT, Key.RECOVER}
        elif self._ticket is not None and self._ticket.status == "resolved":
            shown = {Key.REOPEN}
        else:
            shown = {Key.RECOVER, Key.HOLD, Key.RESOLVE, Key.DIAGNOSE}
        shown |= {Key.HISTORY, Key.NOTE, Key.CLOSE}
        return tuple(one._replace(in_footer=one.action in shown) for one in type(self).keymap)

    def _to_do(self, view: View, ticket: Ticket, width: int) -> list[Text]:
        """What waits for a decision, with the key; what became of earlier actions; what is broken on purpose."""
        waiting = proposed(self._state, self._number)
        chosen = waiting[self._chosen % len(waiting)] if waiting else None
        lines: list[Text] = []
        for action in _actions(view, self._state, self._number):
            lines += _action(action, width, chosen=action is chosen, keys=not view.inert)
        if not lines:
            lines += paragraph(_nothing_to_do(view, ticket), width, DIM)
        for fault in view.state.faults.values():
            told = f"{fault.kind} {fault.target} is {fault.state}, made on purpose"
            key = () if view.inert else (("r", f"{STRONG} {INFO}"), " recovers it")
            lines.append(line((f"◄ {clean(told)}   ", FAULT), *key))
        return lines

    def _history(self, width: int) -> tuple[Text, ...]:
        if self._record is None:
            return (line((f"✗ {self._problem}", WARN) if self._problem else ("asking for its history…", DIM)),)
        return markdown_lines("\n".join(history_lines(self._record)), width)

    def _ask_for_it(self) -> None:
        self._look("ticket", {"id": self._number, "history": True}, self._take)

    def _take(self, outcome: Outcome) -> None:
        self._problem = "" if outcome.error is None else clean(str(outcome.error))
        if isinstance(outcome.error, NotFound) and self._number not in self._state.tickets:
            # Of an earlier daemon, with another state directory.
            self._ticket = self._record = None
        if outcome.result is None:
            return
        try:
            told = from_body(Ticket, outcome.result.get("ticket") or {})
        except BadRequest as error:
            self._problem = clean(str(error))
            return
        self._record = outcome.result
        if self._number not in self._state.tickets:
            self._ticket = told


def _head(view: View, ticket: Ticket, width: int) -> list[Text]:
    look = TICKET[ticket.status]
    reopened = f", reopened {ticket.reopened}x" if ticket.reopened else ""
    times = f"opened {time_of_day(ticket.opened_at)}, {age(max(0.0, view.now - ticket.opened_at))} ago"
    if ticket.resolved_at is not None:
        times += (
            f"; resolved {time_of_day(ticket.resolved_at)}, after {duration(ticket.resolved_at - ticket.opened_at)}"
        )
    return [
        line(
            (f"{look.glyph} {look.word}", f"{STRONG} {look.style}"),
            "  ",
            (ticket.severity, SEVERITY[ticket.severity]),
            (f"  seen {ticket.occurrences}x{reopened}", DIM),
        ),
        *paragraph(f"{about(ticket.invariant, ticket.node)}: {ticket.message}", width),
        line((times, DIM)),
    ]


def _actions(view: View, state: State, number: int) -> list[Action]:
    """What waits first, then what runs, then what is over, the newest first."""
    work = view.story.works.get(number)
    known = dict(work.actions) if work else {}
    known |= {one.id: one for one in state.actions.values() if one.ticket == number}
    order = {"proposed": 0, "running": 1, "approved": 2}
    return sorted(
        known.values(), key=lambda one: (order.get(one.status, 3), -one.id if one.status not in order else one.id)
    )


def _action(action: Action, width: int, *, chosen: bool, keys: bool) -> list[Text]:
    look, risk = ACTION[action.status], RISKS[action.risk]
    head = line(
        (f"{look.glyph} ", f"{STRONG} {look.style}"),
        (named(action), STRONG),
        (f"  {look.word}", look.style),
        (f"  {risk.glyph} {action.risk}", risk.style) if action.status == "proposed" else "",
    )
    lines = [head]
    if chosen and keys:
        key = f"{STRONG} {INFO}"
        lines.append(line("  ", ("a", key), " approves it   ", ("x", key), " rejects it; it asks once more"))
    if action.status == "proposed" and action.expected:
        lines += hanging(line(("  expected: ", DIM)), clean(action.expected), width)
    if action.result:
        lines += hanging(line(("  ", DIM)), clean(action.result), width, BAD if action.status == "failed" else "")
    return lines


def _nothing_to_do(view: View, ticket: Ticket) -> str:
    if ticket.status == "resolved":
        return "Nothing is left to be done: it is resolved."
    agent = view.state.agent
    if agent is not None and not agent.on:
        return f"The agent is off ({clean(agent.off_reason)}): no action is proposed."
    if agent is not None and agent.autonomy == "observe":
        return "The agent only observes here: it proposes no action (operatord start --autonomy approve)."
    if ticket.diagnosis is None or ticket.diagnosis.preliminary:
        return "No action is proposed yet: the agent is not done."
    advice = ", ".join(clean(f"{one.kind} {one.target}") for one in ticket.diagnosis.actions)
    return "No action waits for you." + (f" What is advised is for a person: {advice}." if advice else "")


def _diagnosis(view: View, ticket: Ticket, width: int) -> Iterable[Text]:
    diagnosis = ticket.diagnosis
    if diagnosis is not None:
        first = "  ! a first answer; the agent looks again" if diagnosis.preliminary else ""
        sure = f"  {diagnosis.confidence:.0%} sure, by {clean(diagnosis.source)}"
        yield line(("Diagnosis", f"{STRONG} {INFO}"), (sure, DIM), (first, WARN))
        yield from paragraph(diagnosis.summary, width, STRONG)
        yield Text("")
        # Its own heading repeats the summary.
        yield from markdown_lines(_HEADING.sub("", diagnosis.markdown) or "\n".join(_plain(diagnosis)), width)
        return
    work = view.story.works.get(ticket.id)
    steps = list(work.steps)[-_STEPS:] if work else []
    yield line(("Diagnosis", f"{STRONG} {INFO}"), ("  not yet" + ("; the agent is at it:" if steps else ""), DIM))
    for step in steps:
        look = STEP[step.kind]
        yield from hanging(line((f"{look.glyph} {look.word:<9}", look.style)), clean(step.text), width)


def _plain(diagnosis: Diagnosis) -> Iterator[str]:
    """Markdown of a diagnosis that came without."""
    yield f"cause: {diagnosis.cause} in {diagnosis.component}"
    yield ""
    yield diagnosis.explanation
    yield ""
    yield from (f"- [{item.id}] {item.text}" for item in diagnosis.evidence)
    yield from (f"- not {one.cause}: {one.rejected_because}" for one in diagnosis.alternatives)
