"""Agent: its steps as they happen, then the diagnosis with what speaks for it and what was ruled out."""

from typing import NamedTuple

from rich.console import RenderableType
from rich.text import Text

from operator_clients.viewer.chronicle import about
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import UNWRAPPED, boxed, fit, hanging, inner, line, paragraph, shortened
from operator_clients.viewer.story import Work
from operator_clients.viewer.theme import BAD, DIM, GOOD, INFO, SPINNER, STEP, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import Action, ActionStatus, AgentStep, Alternative, Diagnosis, EvidenceItem

_BAR = 10
_DENSE_HEIGHT = 10
_SURE = 0.75
_UNSURE = 0.4
_MOST_ACTIONS = 2
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
        idle = [line(("Watching. Nothing to diagnose.", DIM))]
        return boxed(_title(view, None), idle, size, border=DIM)
    if work.diagnosis is None:
        return boxed(_title(view, work), _steps(work, room), size, border=INFO, subtitle=_thinking(view, work))
    actions = _actions(work, room)
    rest = Size(room.width, room.height - len(actions))
    body = [*actions, *fit(_diagnosis(work, work.diagnosis, rest), rest.height, more="more lines")]
    source = line(
        (f"{work.diagnosis.confidence:.0%} sure", _sure_style(work.diagnosis)), (f", by {work.diagnosis.source}", DIM)
    )
    return boxed(_title(view, work), body, size, border=INFO, subtitle=source)


def _actions(work: Work, room: Size) -> list[Text]:
    """How the last things to be done about it stand; above the diagnosis, which may be longer than the panel."""
    shown = list(work.actions.values())[-_MOST_ACTIONS:] if room.height > _MOST_ACTIONS + 2 else []
    return [line(("→ ", _ACTION[one.status]), (_action(one), _ACTION[one.status])) for one in shown]


def _action(action: Action) -> str:
    """What a person may do about it first: a small panel cuts the rest."""
    what = f"{action.kind} {action.target}"
    if action.status == "proposed":
        return f"approve {action.id}: {what} ({action.risk}); operatorctl approve {action.id}"
    told = action.result or (f"by {action.decided_by}" if action.decided_by else "")
    return f"{what} {action.status}" + (f": {told}" if told else "")


def _title(view: View, work: Work | None) -> Text:
    title = line(("Agent", STRONG))
    if work is not None:
        ticket = view.state.tickets.get(work.ticket)
        title.append(f" ticket #{work.ticket}")
        if ticket is not None:
            title.append(f" {about(ticket.invariant, ticket.node)}", style=DIM)
    return title


def _thinking(view: View, work: Work) -> Text:
    if work.ticket not in view.state.tickets:
        return line(("ticket closed", DIM))
    return line((f"{SPINNER[view.tick() % len(SPINNER)] if view.animate else '…'} thinking", INFO))


def _steps(work: Work, room: Size) -> list[Text]:
    """The newest steps, the last one at the bottom; wrapped where there is room for it."""
    lines: list[Text] = []
    for step in work.steps:
        lines.extend(_step(step, room.width) if room.height >= _DENSE_HEIGHT else [_step(step, UNWRAPPED)[0]])
    return lines[-room.height :] if lines else [line(("Reading the dossier...", DIM))]


def _step(step: AgentStep, width: int) -> list[Text]:
    look = STEP[step.kind]
    head = line((f"{look.glyph} ", f"{STRONG} {look.style}"), (f"{look.word:<9}", look.style))
    return hanging(head, step.text, width, "italic" if step.kind == "thought" else "")


class _Section(NamedTuple):
    """A heading and its items, each wrapped to as many lines as it takes."""

    heading: str
    items: list[list[Text]]


def _diagnosis(work: Work, diagnosis: Diagnosis, room: Size) -> list[Text]:
    """Summary, cause, confidence; then what speaks for it, what was ruled out, what to do; details where they fit."""
    if room.height < _DENSE_HEIGHT:
        return _in_brief(diagnosis, room)
    lines = shortened(paragraph(diagnosis.summary, room.width, STRONG), Size(room.width, 3))
    lines.extend([_cause(diagnosis), _confidence(diagnosis)])
    lines.extend(_sections(_parts(diagnosis, room.width), room.height - len(lines)))
    for title, more in (("", paragraph(diagnosis.explanation, room.width)), ("steps", _all_steps(work, room.width))):
        if more and len(lines) + len(more) + 2 <= room.height:
            lines.extend([line(""), *([line((title, DIM))] if title else []), *more])
    return lines


def _parts(diagnosis: Diagnosis, width: int) -> list[_Section]:
    evidence = {item.id: item for item in diagnosis.evidence}
    actions = [
        [line("  → ", (f"{one.kind} {one.target}", STRONG), (f"  {one.risk}", DIM))] for one in diagnosis.actions
    ]
    sections = [
        _Section("because", [_evidence(cited, evidence.get(cited), width) for cited in diagnosis.cited]),
        _Section("ruled out", [_rejected(alternative, width) for alternative in diagnosis.alternatives]),
        _Section("recommended", actions),
    ]
    return [section for section in sections if section.items]


def _sections(sections: list[_Section], height: int) -> list[Text]:
    """All of it if there is room; else one line an item, and of each section as much as its fair share holds."""
    whole = [
        text for heading, items in sections for text in (line((heading, DIM)), *(one for item in items for one in item))
    ]
    if len(whole) <= height:
        return whole
    lines: list[Text] = []
    shares = _shares([len(section.items) for section in sections], height - len(sections))
    for (heading, items), share in zip(sections, shares, strict=True):
        count = "" if share == len(items) else f", {share} of {len(items)}"
        lines.append(line((f"{heading}{count}", DIM)))
        lines.extend(_first_line(item) for item in items[:share])
    return lines


def _shares(wanted: list[int], rows: int) -> list[int]:
    """Rows handed out one by one, in turn, to those that still want some."""
    shares = [0] * len(wanted)
    while rows > 0 and shares != wanted:
        for position, want in enumerate(wanted):
            if shares[position] < want and rows > 0:
                shares[position] += 1
                rows -= 1
    return shares


def _first_line(item: list[Text]) -> Text:
    if len(item) == 1:
        return item[0]
    first = item[0].copy()
    first.append("…")
    return first


def _all_steps(work: Work, width: int) -> list[Text]:
    return [text for step in work.steps for text in _step(step, width)]


def _in_brief(diagnosis: Diagnosis, room: Size) -> list[Text]:
    lines = shortened(paragraph(diagnosis.summary, room.width, STRONG), Size(room.width, 2))
    lines.append(_cause(diagnosis))
    evidence = {item.id: item for item in diagnosis.evidence}
    rejected = [_rejected(one, UNWRAPPED)[0] for one in diagnosis.alternatives]
    cited = [_evidence(number, evidence.get(number), UNWRAPPED)[0] for number in diagnosis.cited]
    space = room.height - len(lines)
    kept = min(len(rejected), max(1, space // 3)) if rejected else 0
    lines.extend(cited[: space - kept])
    lines.extend(rejected[: room.height - len(lines)])
    return lines


def _cause(diagnosis: Diagnosis) -> Text:
    return line(
        ("cause ", DIM),
        (diagnosis.cause, f"{STRONG} {BAD}"),
        (f" on {diagnosis.component}" if diagnosis.component else "", ""),
    )


def _sure_style(diagnosis: Diagnosis) -> str:
    return GOOD if diagnosis.confidence >= _SURE else WARN if diagnosis.confidence >= _UNSURE else BAD


def _confidence(diagnosis: Diagnosis) -> Text:
    filled = max(0, min(_BAR, int(diagnosis.confidence * _BAR)))
    return line(
        ("sure  ", DIM),
        ("▰" * filled, _sure_style(diagnosis)),
        ("▱" * (_BAR - filled), DIM),
        f" {diagnosis.confidence:.0%}",
    )


def _evidence(number: int, item: EvidenceItem | None, width: int) -> list[Text]:
    head = line(("  ✓ ", GOOD), (f"[{number}] ", DIM))
    return hanging(head, item.text if item else "(not among the evidence)", width)


def _rejected(alternative: Alternative, width: int) -> list[Text]:
    cited = "".join(f" [{number}]" for number in alternative.evidence)
    head = line(("  ✗ ", BAD), (f"{alternative.cause}: ", STRONG))
    return hanging(head, f"{alternative.rejected_because}{cited}", width)
