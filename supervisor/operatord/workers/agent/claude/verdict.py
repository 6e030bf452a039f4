"""From Claude's answer to a diagnosis: every claim held against the evidence, every action against the catalogue.

Nothing that is wrong is passed over in silence and nothing is thrown away for it: a claim that cites nothing, or what
is not there, stays and is marked; an action that does not exist, or on something that does not, goes and is told of.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from operator_protocol.models import Alternative, Diagnosis, Recommendation, Risk, Scalar
from operatord.workers.agent.answer.markdown import render
from operatord.workers.agent.bundle.findings import Bundle, one_line
from operatord.workers.agent.claude.output import Advice, DiagnosisOutput
from operatord.workers.agent.rules.weighing import cite

UNSUPPORTED = "(cites no evidence)"
_UNFOUNDED_CONFIDENCE = 0.3
"""The most that is granted to an answer whose cause rests on nothing."""


@dataclass
class _Marks:
    """What was found wrong."""

    known: Collection[int]
    remarks: list[str] = field(default_factory=list)
    cited: set[int] = field(default_factory=set)

    def claim(self, text: str, evidence: Sequence[int], where: str) -> str:
        """``text`` on one line with its citations, or with what is wrong with them."""
        good = sorted({number for number in evidence if number in self.known})
        bad = sorted({number for number in evidence if number not in self.known})
        self.cited.update(good)
        if bad:
            self.remarks.append(f"{where} cites {cite(bad)}, which is not in the evidence")
        if not good:
            self.remarks.append(f"{where} cites no evidence")
            return f"{_plain(text)} {UNSUPPORTED}"
        return f"{_plain(text)} {cite(good)}"


def write(
    output: DiagnosisOutput,
    bundle: Bundle,
    *,
    source: str,
    usage: Mapping[str, Scalar],
    catalogue: Mapping[str, Risk],
    targets: Collection[str],
) -> Diagnosis:
    """The diagnosis, its Markdown included."""
    marks = _Marks(bundle.ids())
    explanation = [marks.claim(one.text, one.evidence, f"claim {n}") for n, one in enumerate(output.explanation, 1)]
    founded = bool(marks.cited)
    timeline = [
        f"{_plain(one.at)}  {marks.claim(one.what, one.evidence, f'moment {n} of the timeline')}"
        for n, one in enumerate(output.timeline, 1)
    ]
    radius = marks.claim(output.blast_radius.text, output.blast_radius.evidence, "the blast radius")
    rivals = []
    for one in output.alternatives:
        why = marks.claim(one.rejected_because, one.evidence, f"the rejection of {one.cause}")
        good = [number for number in one.evidence if number in marks.known]
        rivals.append(Alternative(one.cause, why.rpartition(" [")[0] if good else why, good))
    actions = [made for one in output.actions if (made := _action(one, catalogue, targets, marks)) is not None]
    confidence = output.confidence
    if not founded and output.cause != "unknown":
        confidence = min(confidence, _UNFOUNDED_CONFIDENCE)
        marks.remarks.append(f"the cause rests on no evidence, so its confidence counts for {confidence:.0%}")
    if output.component not in targets:
        marks.remarks.append(f"the component {_plain(output.component)!r} is none that is known")
    diagnosis = Diagnosis(
        summary=_plain(output.summary),
        component=_plain(output.component),
        cause=output.cause,
        explanation=" ".join(explanation),
        confidence=round(confidence, 3),
        source=source,
        timeline=timeline,
        evidence=bundle.items(),
        cited=sorted(marks.cited),
        alternatives=rivals,
        blast_radius=radius,
        actions=actions,
        would_change_my_mind=_plain(output.would_change_my_mind),
        usage=usage,
        remarks=marks.remarks,
    )
    return replace(diagnosis, markdown=render(diagnosis, bundle.ticket))


def _action(
    advice: Advice, catalogue: Mapping[str, Risk], targets: Collection[str], marks: _Marks
) -> Recommendation | None:
    kind, target = _plain(advice.kind), _plain(advice.target)
    risk = catalogue.get(kind)
    if risk is None or risk == "destructive":
        why = "there is no such action" if risk is None else "what destroys is never recommended by a model"
        marks.remarks.append(f"a recommendation was left out, {kind} {target}: {why}")
        return None
    if target not in targets:
        marks.remarks.append(f"a recommendation was left out, {kind} {target}: there is no such target")
        return None
    params: dict[str, Scalar] = {_plain(one.name): _plain(one.value) for one in advice.params}
    return Recommendation(kind, target, params, risk, _plain(advice.expected), _plain(advice.verify))


def _plain(text: str) -> str:
    return one_line(text, 4_000)
