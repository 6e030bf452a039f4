"""A diagnosis as Markdown, for the viewer, the command line and the export of a ticket."""

import re

from operator_protocol.models import Diagnosis, Hypothesis, Recommendation, Ticket
from operatord.workers.agent.rules.causes import TITLES

_SPECIAL = re.compile(r"[\\`*<]|(?<!\w)_|_(?!\w)|\](?=[(\[])")
"""What would turn into emphasis, code, HTML or a link; an underscore inside a word does not."""


def render(diagnosis: Diagnosis, ticket: Ticket) -> str:
    """The whole of it, top to bottom in the order in which it is read."""
    cited = set(diagnosis.cited)
    title: dict[str, str] = {str(cause): text for cause, text in TITLES.items()}
    lines = [
        f"# Ticket {ticket.id}: {_plain(diagnosis.summary)}",
        "",
        f"**Cause:** {_plain(diagnosis.cause)} ({title.get(diagnosis.cause, 'not in the list')})  ",
        f"**Component:** {_plain(diagnosis.component)}  ",
        f"**Confidence:** {diagnosis.confidence:.0%}, by {_plain(diagnosis.source)}{_looking(diagnosis)}",
        "",
        _plain(diagnosis.explanation),
        "",
        "## Blast radius",
        "",
        _plain(diagnosis.blast_radius),
        *_section("Not settled yet", [_possible(one) for one in diagnosis.hypotheses]),
        *_section("About this answer", [*(f"- {_plain(one)}" for one in diagnosis.remarks), *_cost(diagnosis)]),
        *_section("Timeline", [f"- {_plain(entry)}" for entry in diagnosis.timeline]),
        *_section(
            "Evidence",
            [
                f"{'**' if item.id in cited else ''}[{item.id}]{'**' if item.id in cited else ''} "
                f"*{item.kind}* {_plain(item.text)}  "
                for item in diagnosis.evidence
            ],
        ),
        *_section(
            "Considered and rejected",
            [
                f"- **{_plain(rival.cause)}**: {_plain(rival.rejected_because)} [{', '.join(map(str, rival.evidence))}]"
                for rival in diagnosis.alternatives
            ],
        ),
        *_section("What to do", [_action(number, one) for number, one in enumerate(diagnosis.actions, start=1)]),
        *_section("What would change this answer", [_plain(diagnosis.would_change_my_mind)]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _cost(diagnosis: Diagnosis) -> list[str]:
    cost = diagnosis.usage.get("cost_usd")
    if not isinstance(cost, int | float):
        return []
    return [f"- It took {diagnosis.usage.get('calls')} calls and {cost:.4f} USD."]


def _looking(diagnosis: Diagnosis) -> str:
    return "; preliminary, it is looking again" if diagnosis.preliminary else ""


def _possible(one: Hypothesis) -> str:
    sure = f"{one.confidence:.0%} sure" if one.confidence is not None else "not shown, and not ruled out"
    cited = f" [{', '.join(map(str, one.evidence))}]" if one.evidence else ""
    waits = f"; it waits to see whether {_plain(one.waits_for)}" if one.waits_for else ""
    return f"- **{_plain(one.cause)}**, {sure}{cited}{waits}"


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if any(lines) else []


def _action(number: int, action: Recommendation) -> str:
    return (
        f"{number}. **{_plain(action.kind)} {_plain(action.target)}** (risk: {action.risk}): "
        f"{_plain(action.expected)}. Verify: {_plain(action.verify)}."
    )


def _plain(text: str) -> str:
    """Text that came from a log line must not turn into headings, links or HTML."""
    return _SPECIAL.sub(r"\\\g<0>", text)
