"""The questions and lines that go before a ticket or an action is moved."""

from collections.abc import Callable, Mapping
from typing import Final

from rich.text import Text

from operator_clients.format import clean, duration
from operator_clients.viewer.keymap import Action as Key
from operator_clients.viewer.overlays.confirm import Confirm
from operator_clients.viewer.overlays.overlay import Ask
from operator_clients.viewer.overlays.prompt import Prompt
from operator_clients.viewer.overlays.ticket_look import ACTION, named
from operator_clients.viewer.panels.paper import hanging, line, paragraph
from operator_clients.viewer.theme import BAD, DIM, GOOD, STRONG
from operator_protocol.events import Outcome
from operator_protocol.models import Action
from operator_protocol.state import State

_NOTE_CHARS = 2_000
_REASON_CHARS = 300


class _Rehearsal:
    """What the daemon says it would do now, or what stands against it."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None

    def take(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def lines(self, width: int) -> list[Text]:
        if self.outcome is None:
            return [line(("? now: ", DIM), ("asking what it would do…", DIM))]
        if self.outcome.error is not None:
            error = self.outcome.error
            return hanging(line(("✗ now: ", BAD)), clean(str(error)), width, BAD)
        would = clean(str((self.outcome.result or {}).get("would") or "nothing is known"))
        return hanging(line(("✓ now it would ", GOOD)), would, width)


def approving(action: Action, look: Ask) -> Confirm:
    """What is approved, what it risks, what it would do now."""
    rehearsal = _Rehearsal()
    args = {"kind": action.kind, "target": action.target, "params": dict(action.params), "ticket": action.ticket}
    look("act", {**args, "dry_run": True}, rehearsal.take)

    def said(width: int) -> list[Text]:
        lines = [line(""), *paragraph(named(action), width, STRONG)]
        if action.reason:
            lines += hanging(line(("why: ", DIM)), clean(action.reason), width)
        if action.expected:
            lines += hanging(line(("expected: ", DIM)), clean(action.expected), width)
        lines += rehearsal.lines(width)
        if action.verify_within is not None:
            within = duration(action.verify_within)
            lines += paragraph(f"It has succeeded if the ticket's violation is over within {within}.", width, DIM)
        return lines

    return Confirm(
        f"Approve action {action.id}?",
        said,
        risk=action.risk,
        yes="approves it",
        cmd="approve",
        args={"id": action.id},
        instead=lambda state: _no_longer(state, action),
    )


def rejecting(action: Action) -> Prompt:
    """Why not; a reason is not needed."""

    def accept(text: str, ask: Ask) -> str:
        ask("reject", {"id": action.id, "reason": text}, lambda _: None)
        return ""

    about = f"{named(action)} is not done, and not proposed again for this ticket. Why not? (may be empty)"
    return Prompt(f"Reject action {action.id}?", about, accept, does="rejects it", limit=_REASON_CHARS)


def _no_longer(state: State, action: Action) -> str:
    now = state.actions.get(action.id)
    if now is None:
        return "it is over"
    return "" if now.status == "proposed" else ACTION[now.status].word


def _mover(cmd: str, title: str, about: str, does: str) -> Callable[[int], Prompt]:
    def prompt(ticket: int) -> Prompt:
        def accept(text: str, ask: Ask) -> str:
            ask(cmd, {"id": ticket, "note": text}, lambda _: None)
            return ""

        return Prompt(
            f"{title} ticket #{ticket}?", f"{about} Why? (may be empty)", accept, does=does, limit=_NOTE_CHARS
        )

    return prompt


def _note(ticket: int) -> Prompt:
    def accept(text: str, ask: Ask) -> str:
        ask("note", {"id": ticket, "text": text}, lambda _: None)
        return ""

    about = "It is kept with the ticket, with your name."
    return Prompt(f"Note on ticket #{ticket}", about, accept, does="writes it", limit=_NOTE_CHARS, may_be_empty=False)


prompts: Final[Mapping[Key, Callable[[int], Prompt]]] = {
    Key.NOTE: _note,
    Key.HOLD: _mover("hold", "Hold", "Nothing moves it until you reopen or resolve it.", "holds it"),
    Key.RESOLVE: _mover("resolve", "Resolve", "It is closed, also if its violation is still open.", "resolves it"),
    Key.REOPEN: _mover("reopen", "Reopen", "It is open again, and the agent looks at it.", "reopens it"),
}
