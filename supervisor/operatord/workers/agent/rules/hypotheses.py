"""What it may be while the evidence is still coming in: the answer, what holds beside it, and what is not shown yet.

Only a preliminary diagnosis has them. They are told, never acted upon.
"""

from collections.abc import Sequence

from operator_protocol.models import Hypothesis
from operatord.workers.agent.bundle.findings import Bundle
from operatord.workers.agent.rules.books import book_of
from operatord.workers.agent.rules.causes import Cause
from operatord.workers.agent.rules.rows import UNKNOWN, Row, Sign
from operatord.workers.agent.rules.weighing import Verdict, doubt_of, fill, holds, rejection

MAX_HYPOTHESES = 3
_TELLING = 0.2
"""Weight of a sign that is worth waiting for."""


def hypotheses(bundle: Bundle, verdict: Verdict) -> list[Hypothesis]:
    """The answer first, then its rivals that hold as well, the likelier first, then those that nothing rules out."""
    book = book_of(bundle.subject)
    held: list[Hypothesis] = []
    open_ones: list[Hypothesis] = []
    for rival in book.rivals[verdict.cause]:
        rows = book.rows(rival)
        if rejection(bundle, rows, rival) is not None:
            continue
        fulfilled = [row for row in rows if holds(bundle, row)]
        if fulfilled:
            held.append(_held(bundle, fulfilled[0], 1.0 - doubt_of(bundle, fulfilled[0])))
        else:
            open_ones.append(_open(bundle, rival, rows))
    held.sort(key=lambda one: -(one.confidence or 0.0))
    own = [] if verdict.row is UNKNOWN else [_held(bundle, verdict.row, verdict.confidence)]
    return [*own, *held, *open_ones][:MAX_HYPOTHESES]


def _held(bundle: Bundle, row: Row, confidence: float) -> Hypothesis:
    missing = [sign for sign in row.helps if sign.weight >= _TELLING and not sign.find(bundle)]
    missing.sort(key=lambda sign: -sign.weight)
    return Hypothesis(row.cause, round(confidence, 3), _in_words(bundle, missing[:1]), _ids(bundle, row.needs))


def _open(bundle: Bundle, cause: Cause, rows: Sequence[Row]) -> Hypothesis:
    row = rows[0]
    missing = [sign for sign in row.needs if not sign.find(bundle)]
    return Hypothesis(cause, None, _in_words(bundle, missing), _ids(bundle, row.needs))


def _in_words(bundle: Bundle, signs: Sequence[Sign]) -> str:
    return "; ".join(fill(bundle, sign.means) for sign in signs)


def _ids(bundle: Bundle, signs: Sequence[Sign]) -> list[int]:
    return sorted({one.id for sign in signs for one in sign.find(bundle)})
