"""Many scores in a few figures: rates with their intervals, medians of times, sums of what it cost."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from operatord.evaluation.campaign import Campaign
from operatord.evaluation.intervals import Middle, Rate, middle
from operatord.evaluation.plan import Trial
from operatord.evaluation.score import Score, score
from operatord.evaluation.seen import Seen

RATES: dict[str, str] = {
    "detected": "detection",
    "false_positive": "false positives",
    "localised": "right node",
    "cause_right": "right cause class",
    "evidence_valid": "valid evidence",
    "mitigated": "mitigated",
}
"""Fields of a score that are yes or no, and what people call them."""
TIMES: dict[str, str] = {"detect_s": "to detect", "diagnose_s": "ticket to diagnosis", "recover_s": "to recover"}


@dataclass(frozen=True, slots=True)
class Scored:
    """A trial with what came of it."""

    trial: Trial
    seen: Seen
    score: Score | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Of some trials."""

    trials: int
    not_run: int
    """They are in no rate."""
    rates: dict[str, Rate]
    times: dict[str, Middle]
    precision: float | None
    """Mean share of the answers that name the right node of some fault."""
    strays: int
    tokens: int
    cost_usd: float


def score_all(campaign: Campaign, results: Iterable[tuple[Trial, Seen]]) -> list[Scored]:
    """Score what was seen by the rules of this version."""
    who = {variant.name: variant.diagnoser for variant in campaign.variant}
    return [
        Scored(
            trial,
            seen,
            score(trial, seen, agent=who[trial.variant] != "none", by_model=who[trial.variant] == "claude"),
        )
        for trial, seen in results
    ]


def summarise(some: Sequence[Scored]) -> Summary:
    """The figures of ``some`` trials."""
    graded = [one.score for one in some if one.score is not None]
    precisions = [one.precision for one in graded if one.precision is not None]
    return Summary(
        trials=len(some),
        not_run=len(some) - len(graded),
        rates={name: _rate(graded, name) for name in RATES},
        times={name: middle([at for one in graded if (at := getattr(one, name)) is not None]) for name in TIMES},
        precision=sum(precisions) / len(precisions) if precisions else None,
        strays=sum(one.strays for one in graded),
        tokens=sum(one.tokens for one in graded),
        cost_usd=sum(one.cost_usd for one in graded),
    )


def grouped(some: Sequence[Scored], key: Callable[[Scored], str]) -> dict[str, list[Scored]]:
    """``some`` by ``key``, in the order of the keys."""
    groups: dict[str, list[Scored]] = {}
    for one in some:
        groups.setdefault(key(one), []).append(one)
    return dict(sorted(groups.items()))


def _rate(graded: Sequence[Score], name: str) -> Rate:
    verdicts = [verdict for one in graded if (verdict := getattr(one, name)) is not None]
    return Rate(sum(verdicts), len(verdicts))
