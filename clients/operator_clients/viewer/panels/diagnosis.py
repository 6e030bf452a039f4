"""A diagnosis as text: what happened, how sure that is, what speaks for it, what was ruled out, what to do."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import UNWRAPPED, hanging, line, paragraph, shortened
from operator_clients.viewer.panels.wording import scalar
from operator_clients.viewer.theme import BAD, DIM, GOOD, STRONG, WARN
from operator_protocol.models import Alternative, Diagnosis, EvidenceItem, Hypothesis, Recommendation

_BAR = 10
DENSE_HEIGHT = 10
"""Rooms lower than this get the diagnosis in brief."""
_GUESSES = 2
"""So many of a first answer are shown in brief."""
_SURE = 0.75
_UNSURE = 0.4


class _Section(NamedTuple):
    """A heading and its items, each wrapped to as many lines as it takes."""

    heading: str
    items: list[list[Text]]


def glance(diagnosis: Diagnosis, steps: Sequence[Text], room: Size) -> list[Text]:
    """Summary, cause, confidence; then what speaks for it, what was ruled out, what to do; details where they fit."""
    if room.height < DENSE_HEIGHT:
        return _in_brief(diagnosis, room)
    lines = shortened(paragraph(diagnosis.summary, room.width, STRONG), Size(room.width, 3))
    lines.extend([_cause(diagnosis), _confidence(diagnosis)])
    sections, more = _parts(diagnosis, room.width), _told(diagnosis, room.width)
    rows, kept = room.height - len(lines), _height(more[:1])
    if sum(1 + len(section.items) for section in sections) + kept <= rows:
        rows -= kept  # the explanation is worth more than the ends of long lines
    lines.extend(_sections(sections, rows))
    more.append(_Section("steps", [list(steps)] if steps else []))
    for heading, items in more:
        body = [text for item in items for text in item]
        if body and len(lines) + len(body) + 2 <= room.height:
            lines.extend([line(""), line((heading, DIM)), *body])
    return lines


def whole(diagnosis: Diagnosis, width: int) -> list[Text]:
    """All of it."""
    cited = [item.id for item in diagnosis.evidence if item.id in diagnosis.cited]
    others = [[item] for item in diagnosis.evidence if item.id not in cited]
    lines = [line(("diagnosis", f"{STRONG} {GOOD}"), _source(diagnosis))]
    lines += [*paragraph(diagnosis.summary, width, STRONG), _cause(diagnosis), _confidence(diagnosis)]
    sections = [
        *_parts(diagnosis, width, expected=True),
        *_told(diagnosis, width),
        _Section("seen, not cited", [_seen(item, width) for (item,) in others]),
    ]
    for heading, items in sections:
        if items:
            lines += [line(""), line((heading, DIM)), *(text for item in items for text in item)]
    return lines


def source(diagnosis: Diagnosis) -> Text:
    """How sure it is, who says so, and what that cost."""
    cost = diagnosis.usage.get("cost_usd")
    told = f", {cost:.3f} USD" if isinstance(cost, float) and cost else ""
    return line(
        ("preliminary, " if diagnosis.preliminary else "", WARN),
        (f"{diagnosis.confidence:.0%} sure", _sure_style(diagnosis)),
        (f", by {diagnosis.source}{told}", DIM),
    )


def _source(diagnosis: Diagnosis) -> tuple[str, str]:
    return f"  by {diagnosis.source}{', preliminary' if diagnosis.preliminary else ''}", DIM


def _told(diagnosis: Diagnosis, width: int) -> list[_Section]:
    """What stands below the reasons, in the order of its weight."""
    cost = "  ".join(f"{name} {scalar(value)}" for name, value in diagnosis.usage.items() if value is not None)
    texts = [
        ("explanation", [diagnosis.explanation]),
        ("what else it touches", [diagnosis.blast_radius]),
        ("timeline", diagnosis.timeline),
        ("what would change its mind", [diagnosis.would_change_my_mind]),
        ("remarks", diagnosis.remarks),
        ("what it cost", [cost]),
    ]
    return [_Section(heading, [paragraph(text, width) for text in told if text]) for heading, told in texts]


def _seen(item: EvidenceItem, width: int) -> list[Text]:
    return hanging(line((f"  · [{item.id}] ", DIM)), item.text, width)


def _parts(diagnosis: Diagnosis, width: int, *, expected: bool = False) -> list[_Section]:
    evidence = {item.id: item for item in diagnosis.evidence}
    actions = [_recommended(one, width, expected=expected) for one in diagnosis.actions]
    possible = [_possible(one, width) for one in diagnosis.hypotheses]
    sections = [
        _Section("not settled yet", possible),
        _Section("because", [_evidence(cited, evidence.get(cited), width) for cited in diagnosis.cited]),
        _Section("ruled out", [_rejected(alternative, width) for alternative in diagnosis.alternatives]),
        _Section("recommended", actions),
    ]
    return [section for section in sections if section.items]


def _possible(one: Hypothesis, width: int) -> list[Text]:
    sure = f"{one.confidence:.0%} sure" if one.confidence is not None else "not shown yet"
    waits = f"; it waits to see whether {one.waits_for}" if one.waits_for else ""
    return hanging(line(("  ? ", WARN), (f"{one.cause}: ", STRONG)), f"{sure}{waits}", width)


def _recommended(one: Recommendation, width: int, *, expected: bool) -> list[Text]:
    first = line("  → ", (f"{one.kind} {one.target}", STRONG), (f"  {one.risk}", DIM))
    return [first, *(hanging(line("    "), one.expected, width, DIM) if one.expected and expected else [])]


def _sections(sections: list[_Section], height: int) -> list[Text]:
    """One line an item, then what is left to the longer ones; where there is not even that, a fair share of each."""
    lines: list[Text] = []
    shares = _shares([len(section.items) for section in sections], height - len(sections))
    spare = height - len(sections) - sum(shares)
    extra = iter(_shares([len(item) - 1 for section in sections for item in section.items], spare))
    for (heading, items), share in zip(sections, shares, strict=True):
        count = "" if share == len(items) else f", {share} of {len(items)}"
        lines.append(line((f"{heading}{count}", DIM)))
        for item, more in zip(items[:share], extra, strict=False):
            lines.extend(_cut(item, 1 + more))
    return lines


def _height(sections: Sequence[_Section]) -> int:
    """With a blank line and a heading above each."""
    return sum(2 + len(item) for section in sections for item in section.items[:1])


def _shares(wanted: list[int], rows: int) -> list[int]:
    """Rows handed out one by one, in turn, to those that still want some."""
    shares = [0] * len(wanted)
    while rows > 0 and shares != wanted:
        for position, want in enumerate(wanted):
            if shares[position] < want and rows > 0:
                shares[position] += 1
                rows -= 1
    return shares


def _cut(item: list[Text], rows: int) -> list[Text]:
    if len(item) <= rows:
        return item
    last = item[rows - 1].copy()
    last.append("…")
    return [*item[: rows - 1], last]


def _in_brief(diagnosis: Diagnosis, room: Size) -> list[Text]:
    lines = shortened(paragraph(diagnosis.summary, room.width, STRONG), Size(room.width, 2))
    lines.append(_cause(diagnosis))
    lines.extend(_possible(one, UNWRAPPED)[0] for one in diagnosis.hypotheses[:_GUESSES])
    evidence = {item.id: item for item in diagnosis.evidence}
    rejected = [_rejected(one, UNWRAPPED)[0] for one in diagnosis.alternatives]
    cited = [_evidence(number, evidence.get(number), UNWRAPPED)[0] for number in diagnosis.cited]
    space = room.height - len(lines)
    kept = min(len(rejected), max(1, space // 3)) if rejected and space > 1 else 0
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
    sure = diagnosis.confidence
    filled = max(0, min(_BAR, int(sure * _BAR))) if math.isfinite(sure) else 0
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
