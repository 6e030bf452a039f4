"""How good what a trial showed was. Pure; a trial that was not run has no score.

The rules, after those of the public suites: each thing is scored apart, a diagnosis must find *every* fault of a trial
(ITBench), and a citation counts only if it is of evidence that is there. Of several answers to a ticket the last one
from before the trial undid its faults counts: after that, there is another truth.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from operator_protocol.models import Diagnosis
from operatord.evaluation.plan import Injection, Trial
from operatord.evaluation.seen import Injected, Look, Seen, SeenTicket
from operatord.workers.agent.answer.citations import check_citations


@dataclass(frozen=True, slots=True)
class Score:
    """None: it does not apply, and counts neither for nor against anybody."""

    detected: bool | None
    """A ticket for each fault, on its node, its group or the whole."""
    false_positive: bool | None
    """A ticket in a trial in which nothing was broken."""
    localised: bool | None
    """For each fault an answer that names the right node."""
    cause_right: bool | None
    """For each fault an answer that names the right node and the right class of cause."""
    evidence_valid: bool | None
    """Every answer cites something, nothing that is not there, and rejects each alternative with an item."""
    precision: float | None
    """Share of the answers that name the right node of some fault."""
    mitigated: bool | None
    """Well again before the trial undid anything. None if the fault was never seen to do anything."""
    detect_s: float | None
    diagnose_s: float | None
    """From the ticket to the first answer that stands."""
    recover_s: float | None
    strays: int
    """Tickets about nodes that nothing was done to: a follow-up, or a false alarm."""
    tokens: int
    cost_usd: float


def score(trial: Trial, seen: Seen, *, agent: bool, by_model: bool = False) -> Score | None:
    """The score of a trial, None if it was not run; without an ``agent`` nothing that it would answer is asked for.

    ``by_model``: it is a model that is measured, and what the rules said in its place is not its merit.
    """
    if seen.status == "not_run":
        return None
    if trial.is_control:
        return _control(seen)
    pairs = list(zip(trial.injections, seen.injected, strict=True))
    tickets = [tickets_of(injected, seen.tickets) for _, injected in pairs]
    found = [min((one.opened_at for one in some), default=None) for some in tickets]
    delays = [at - injected.at for at, (_, injected) in zip(found, pairs, strict=True) if at is not None]
    answers = [
        (ticket, diagnosis)
        for ticket, diagnosis in _answers(seen, by_model=by_model)
        if ticket.opened_at >= pairs[0][1].at
    ]
    diagnoses = [diagnosis for _, diagnosis in answers]
    well_s = recovered_after(seen)
    concerned = {ticket.id for some in tickets for ticket in some}
    detected = len(delays) == len(pairs)
    return Score(
        detected=detected,
        false_positive=None,
        localised=all(any(_locates(one, *pair) for one in diagnoses) for pair in pairs) if agent else None,
        cause_right=all(any(_explains(one, *pair) for one in diagnoses) for pair in pairs) if agent else None,
        evidence_valid=all(map(_is_founded, diagnoses)) if agent and diagnoses else None,
        precision=_precision(diagnoses, pairs) if agent and diagnoses else None,
        mitigated=_mitigated(seen, well_s),
        detect_s=max(delays) if detected else None,
        diagnose_s=_diagnose_s(seen) if agent else None,
        recover_s=well_s,
        strays=sum(ticket.id not in concerned for ticket in seen.tickets),
        tokens=_tokens(seen),
        cost_usd=_cost(seen),
    )


def recovered_after(seen: Seen) -> float | None:
    """Seconds from the first fault until the subject was well again and stayed so; None if it was not seen to.

    *Well* is looked at, never believed: a look that says so and no unresolved ticket. Nothing has recovered that was
    not ill: a fault takes a while to show, and until then everything looks as it did before. What cannot be told is
    not well. And what is well only after the trial has undone its faults did not recover.
    """
    if not seen.injected:
        return None
    began = seen.injected[0].at
    ill_at = _shown_at(seen)
    if ill_at is None:
        return None
    well_at: float | None = None
    for at, ok in _course(seen):
        if at < ill_at:
            continue
        if seen.undone_at is not None and at > seen.undone_at:
            break
        if not ok:
            well_at = None
        elif well_at is None:
            well_at = at
    return None if well_at is None else well_at - began


def _shown_at(seen: Seen) -> float | None:
    """When the faults first showed: a look that was not well, or a ticket."""
    began = seen.injected[0].at
    moments = [look.at for look in seen.looks if look.at >= began and look.ok is not True]
    moments += [ticket.opened_at for ticket in seen.tickets if ticket.opened_at >= began]
    return min(moments, default=None)


def _course(seen: Seen) -> Iterator[tuple[float, bool]]:
    """At each moment at which something changed: whether all was well from then on."""
    moments = {look.at for look in seen.looks}
    for ticket in seen.tickets:
        moments |= {ticket.opened_at} | ({ticket.resolved_at} if ticket.resolved_at is not None else set())
    for at in sorted(moments):
        is_open = any(
            ticket.opened_at <= at and (ticket.resolved_at is None or ticket.resolved_at > at)
            for ticket in seen.tickets
        )
        yield at, _ok_at(seen.looks, at) is True and not is_open


def _ok_at(looks: Sequence[Look], at: float) -> bool | None:
    before = [look for look in looks if look.at <= at]
    return before[-1].ok if before else None


def _control(seen: Seen) -> Score:
    return Score(
        detected=None,
        false_positive=bool(seen.tickets),
        localised=None,
        cause_right=None,
        evidence_valid=None,
        precision=None,
        mitigated=None,
        detect_s=None,
        diagnose_s=None,
        recover_s=None,
        strays=len(seen.tickets),
        tokens=_tokens(seen),
        cost_usd=_cost(seen),
    )


def tickets_of(injected: Injected, tickets: Iterable[SeenTicket]) -> list[SeenTicket]:
    """Those that this fault may have caused: not before it, and on its node, its group, or the whole."""
    places = {None, injected.node, injected.group, *injected.peers}
    return [ticket for ticket in tickets if ticket.opened_at >= injected.at and ticket.node in places]


def _answers(seen: Seen, *, by_model: bool) -> Iterator[tuple[SeenTicket, Diagnosis]]:
    """Of each ticket the answer that counts."""
    for ticket in seen.tickets:
        own = [one for one in ticket.settled if not (by_model and one.diagnosis.source == "rules")]
        in_time = [one for one in own if seen.undone_at is None or one.at <= seen.undone_at]
        if in_time:
            yield ticket, in_time[-1].diagnosis


def _locates(diagnosis: Diagnosis, injection: Injection, injected: Injected) -> bool:
    right = {injected.node}
    if "group" in injection.components:
        right.add(injected.group)
    return diagnosis.component in right or ("subject" in injection.components and _is_whole(diagnosis.component))


def _is_whole(component: str) -> bool:
    return component in ("subject", "cluster", "the cluster", "valkey", "tikv")


def _explains(diagnosis: Diagnosis, injection: Injection, injected: Injected) -> bool:
    return diagnosis.cause in injection.causes and _locates(diagnosis, injection, injected)


def _precision(diagnoses: Sequence[Diagnosis], pairs: Sequence[tuple[Injection, Injected]]) -> float:
    return sum(any(_locates(one, *pair) for pair in pairs) for one in diagnoses) / len(diagnoses)


def _is_founded(diagnosis: Diagnosis) -> bool:
    return bool(diagnosis.cited) and check_citations(diagnosis).sound


def _mitigated(seen: Seen, well_s: float | None) -> bool | None:
    if _shown_at(seen) is None:
        return None
    return well_s is not None


def _diagnose_s(seen: Seen) -> float | None:
    return min((one.settled[0].at - one.opened_at for one in seen.tickets if one.settled), default=None)


def _tokens(seen: Seen) -> int:
    return int(_used(seen, ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")))


def _cost(seen: Seen) -> float:
    return _used(seen, ("cost_usd",))


def _used(seen: Seen, names: Sequence[str]) -> float:
    """Of all answers, those that do not count as well: they were paid for."""
    values = (
        answer.diagnosis.usage.get(name) for ticket in seen.tickets for answer in ticket.answers for name in names
    )
    return float(sum(value for value in values if isinstance(value, int | float) and not isinstance(value, bool)))
