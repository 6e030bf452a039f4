"""Agent: its steps as they happen, then the diagnosis with what speaks for it and what was ruled out."""

from rich.console import RenderableType
from rich.text import Text

from operator_clients.viewer.chronicle import about
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels import diagnosis
from operator_clients.viewer.panels.paper import UNWRAPPED, boxed, fit, hanging, inner, line
from operator_clients.viewer.story import Work
from operator_clients.viewer.theme import BAD, DIM, GOOD, INFO, SPINNER, STEP, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import Action, ActionStatus, AgentStep, Ticket

_MOST_ACTIONS = 2
_AUTONOMY = {
    "observe": "it only looks",
    "approve": "it acts when somebody approves",
    "execute": "it acts by itself, up to what is",
}
_ACTION: dict[ActionStatus, str] = {
    "proposed": WARN,
    "approved": INFO,
    "running": INFO,
    "succeeded": GOOD,
    "failed": BAD,
    "rejected": DIM,
    "expired": DIM,
}


def render(view: View, size: Size) -> RenderableType:
    """The agent panel."""
    work, room = view.story.work(view.state), inner(size)
    if work is None:
        return boxed(_title(view, None), _idle(view), size, border=DIM)
    if work.diagnosis is None:
        return boxed(_title(view, work), _steps(work, room), size, border=INFO, subtitle=_thinking(view, work))
    actions = _actions(work, room)
    rest = Size(room.width, room.height - len(actions))
    told = diagnosis.glance(work.diagnosis, _all_steps(work, room.width), rest)
    body = [*actions, *fit(told, rest.height, more="more lines")]
    return boxed(_title(view, work), body, size, border=INFO, subtitle=diagnosis.source(work.diagnosis))


def detail(view: View, width: int) -> list[Text]:
    """What it may do, every step, the whole diagnosis, and what came of it; then the tickets that wait."""
    work = view.story.work(view.state)
    lines = [*_idle(view)] if work is None else [_title(view, work), *_switch(view)]
    if work is not None:
        lines += [line(""), *(_all_steps(work, width) or [line(("no steps were seen", DIM))])]
        if work.diagnosis is not None:
            lines += [line(""), *diagnosis.whole(work.diagnosis, width)]
        for action in work.actions.values():
            lines += [line(""), *_whole_action(action, width)]
    others = [one for one in view.state.tickets.values() if work is None or one.id != work.ticket]
    if others:
        lines += [line(""), line(("other tickets", DIM)), *(_ticket(one) for one in others)]
    return lines


def _idle(view: View) -> list[Text]:
    return [line(("Watching. Nothing to diagnose.", DIM)), *_switch(view)]


def _switch(view: View) -> list[Text]:
    """Whether it may act, and how far."""
    agent = view.state.agent
    if agent is None:
        return []
    if not agent.on:
        return [line(("○ switched off", WARN), f" {agent.off_reason}")]
    limit = f" {agent.execute_up_to}" if agent.autonomy == "execute" else ""
    return [line(("● on", GOOD), (f", {_AUTONOMY[agent.autonomy]}{limit}", DIM))]


def _ticket(ticket: Ticket) -> Text:
    return line(f"#{ticket.id} ", (ticket.status, WARN), f" {about(ticket.invariant, ticket.node)}")


def _actions(work: Work, room: Size) -> list[Text]:
    """How the last things to be done about it stand; above the diagnosis, which may be longer than the panel."""
    shown = list(work.actions.values())[-_MOST_ACTIONS:] if room.height > _MOST_ACTIONS + 2 else []
    if room.height < diagnosis.DENSE_HEIGHT:
        # One line, and the rest for the reasons; the list of tickets has them all.
        waiting = [one for one in work.actions.values() if one.status == "proposed"]
        shown = waiting[:1] or shown[-1:]
    return [line(("→ ", _ACTION[one.status]), (_action(one), _ACTION[one.status])) for one in shown]


def _action(action: Action) -> str:
    """What a person may do about it first: a small panel cuts the rest."""
    what = f"{action.kind} {action.target}"
    if action.status == "proposed":
        return f"approve {action.id}: {what} ({action.risk}); press t, or operatorctl approve {action.id}"
    told = action.result or (f"by {action.decided_by}" if action.decided_by else "")
    return f"{what} {action.status}" + (f": {told}" if told else "")


def _whole_action(action: Action, width: int) -> list[Text]:
    style = _ACTION[action.status]
    lines = hanging(line((f"→ action {action.id} ", f"{STRONG} {style}")), _action(action), width, style)
    for words in (action.reason, action.expected):
        lines += hanging(line("  "), words, width, DIM) if words else []
    return lines


def _title(view: View, work: Work | None) -> Text:
    title = line(("Agent", STRONG))
    if work is not None:
        ticket = view.state.tickets.get(work.ticket)
        title.append(f" ticket #{work.ticket}")
        if ticket is not None:
            title.append_text(line((f" {about(ticket.invariant, ticket.node)}", DIM)))
    return title


def _thinking(view: View, work: Work) -> Text:
    if work.ticket not in view.state.tickets:
        return line(("ticket closed", DIM))
    return line((f"{SPINNER[view.tick() % len(SPINNER)] if view.animate else '…'} thinking", INFO))


def _steps(work: Work, room: Size) -> list[Text]:
    """The newest steps, the last one at the bottom; wrapped where there is room for it."""
    lines: list[Text] = []
    for step in work.steps:
        lines.extend(_step(step, room.width) if room.height >= diagnosis.DENSE_HEIGHT else [_step(step, UNWRAPPED)[0]])
    return lines[-room.height :] if lines else [line(("Reading the dossier...", DIM))]


def _step(step: AgentStep, width: int) -> list[Text]:
    look = STEP[step.kind]
    head = line((f"{look.glyph} ", f"{STRONG} {look.style}"), (f"{look.word:<9}", look.style))
    return hanging(head, step.text, width, "italic" if step.kind == "thought" else "")


def _all_steps(work: Work, width: int) -> list[Text]:
    return [text for step in work.steps for text in _step(step, width)]
