"""Weighing a bundle against the decision table.

Everything that is said here is said of findings, and every finding used is cited: the verdict of a bundle from which
a cited item was taken away is another one, or a weaker one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from operator_protocol.models import Alternative
from operatord.workers.agent.bundle.findings import Bundle, Finding
from operatord.workers.agent.rules.books import book_of
from operatord.workers.agent.rules.causes import Cause
from operatord.workers.agent.rules.rows import Row, Sign

MAX_ALTERNATIVES = 4
_OPEN_RIVAL_COST = 0.1
"""Doubt that an alternative adds which nothing rules out."""
_LEAST_CONFIDENT = 0.05


@dataclass(frozen=True, slots=True)
class Argument:
    """A sign that was found, in words, with the items that show it."""

    means: str
    findings: tuple[Finding, ...]

    def ids(self) -> list[int]:
        """The numbers of the items."""
        return [one.id for one in self.findings]

    def __str__(self) -> str:
        return f"{self.means} {cite(self.ids())}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of the table."""

    cause: Cause
    row: Row
    confidence: float
    needs: tuple[Argument, ...]
    helps: tuple[Argument, ...]
    alternatives: tuple[Alternative, ...]

    def cited(self) -> list[int]:
        """Every item that the answer rests on, those of the rejections included."""
        own = [number for argument in (*self.needs, *self.helps) for number in argument.ids()]
        return sorted({*own, *(number for rival in self.alternatives for number in rival.evidence)})


def weigh(bundle: Bundle) -> Verdict:
    """The first row that holds, how sure it is, and why its rivals do not hold."""
    book = book_of(bundle.subject)
    row = next(row for row in book.table if holds(bundle, row))
    needs, helps = _found(bundle, row.needs), _found(bundle, row.helps)
    doubt = doubt_of(bundle, row)
    alternatives = []
    for rival in book.rivals[row.cause]:
        rejected = rejection(bundle, book.rows(rival), rival)
        if rejected is not None:
            alternatives.append(rejected)
        elif any(holds(bundle, other) for other in book.rows(rival)):
            doubt += _OPEN_RIVAL_COST
            alternatives.append(_outweighed(rival, needs))
    return Verdict(
        cause=row.cause,
        row=row,
        confidence=round(max(_LEAST_CONFIDENT, 1.0 - doubt), 3),
        needs=needs,
        helps=helps,
        alternatives=tuple(alternatives[:MAX_ALTERNATIVES]),
    )


def cite(ids: list[int]) -> str:
    """``[3, 5]``."""
    return f"[{', '.join(map(str, ids))}]"


def doubt_of(bundle: Bundle, row: Row) -> float:
    """The doubt that is left about ``row``, taken by itself."""
    doubt = 1.0 - row.base
    for sign in row.helps:
        if sign.find(bundle):
            doubt *= 1.0 - sign.weight
    return doubt


def holds(bundle: Bundle, row: Row) -> bool:
    """Whether all that ``row`` needs is found, and nothing rules it out."""
    return all(sign.find(bundle) for sign in row.needs) and not any(sign.find(bundle) for sign in row.against)


def _found(bundle: Bundle, signs: tuple[Sign, ...]) -> tuple[Argument, ...]:
    return tuple(
        Argument(fill(bundle, sign.means), tuple(findings)) for sign in signs if (findings := sign.find(bundle))
    )


def rejection(bundle: Bundle, rows: Sequence[Row], rival: Cause) -> Alternative | None:
    """Why ``rival`` is not it, by the first thing that speaks against it; None if nothing does."""
    if any(holds(bundle, row) for row in rows):
        return None
    for sign in (sign for row in rows for sign in row.against):
        findings = sign.find(bundle)
        if findings:
            return Alternative(rival, fill(bundle, sign.means), [one.id for one in findings])
    return None


def _outweighed(rival: Cause, needs: tuple[Argument, ...]) -> Alternative:
    ids = [number for argument in needs for number in argument.ids()]
    return Alternative(rival, "possible as well, but it explains less of what was seen", ids)


def fill(bundle: Bundle, text: str) -> str:
    """``text`` of a sign, with the names of the scene."""
    focus = bundle.focus
    return text.format(node=focus.node or "the node", group=focus.group or "the group")
