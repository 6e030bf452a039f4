"""One act of a story: a fault, when it was noticed, explained and over, and what it did to the load."""

from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, NamedTuple

from operator_protocol.models import Action, Diagnosis, Fault, TicketDiagnosis, WorkloadSample

AFTER_SAMPLES = 5
"""The load after the recovery is the mean of this many samples."""
_FOREVER = float("inf")


class Sampled(NamedTuple):
    """A sample of the load, with the daemon's clock."""

    mono_ts: float
    sample: WorkloadSample


@dataclass(slots=True)
class Seen:
    """What frames told, each with the daemon's monotonic clock."""

    samples: list[Sampled] = field(default_factory=list)
    violations: list[tuple[float, str | None]] = field(default_factory=list)
    diagnoses: list[tuple[float, TicketDiagnosis]] = field(default_factory=list)
    actions: dict[int, Action] = field(default_factory=dict)
    proposed: dict[int, float] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)


class Act:
    """A fault from its injection to that of the next one; to the end, if that comes before it is over."""

    def __init__(self, seen: Seen, fault: Fault, injected: float) -> None:
        self.fault = fault
        self.injected = injected
        self.recovering: float | None = None
        self.recovered: float | None = None
        self.recovered_by = ""
        """What the daemon says of its recovery."""
        self._seen = seen
        self._until = _FOREVER

    def end(self, mono_ts: float) -> None:
        """Another act begins; one that is not over yet goes on beside it."""
        if self.recovered is not None:
            self._until = min(self._until, mono_ts)

    @property
    def baseline(self) -> float | None:
        """The load's own baseline as of the injection; operations per second."""
        known = [
            seen.sample.baseline
            for seen in self._seen.samples
            if seen.sample.baseline is not None and seen.mono_ts < self.injected
        ]
        return known[-1] if known else None

    @property
    def diagnosed(self) -> bool:
        """Whether a diagnosis came that is not preliminary any more."""
        found = self._diagnosis()
        return found is not None and not found[1].preliminary

    def during(self) -> list[WorkloadSample]:
        """The samples between the injection and the recovery."""
        end = _FOREVER if self.recovered is None else self.recovered
        return [seen.sample for seen in self._seen.samples if self.injected <= seen.mono_ts <= end]

    def ops_after(self) -> float | None:
        """Mean of the last five samples after the recovery, None before there are enough.

        The first sample after the recovery is not counted: part of its second lies before. Where another act begins
        sooner, as many as there are have to do.
        """
        if self.recovered is None:
            return None
        since = [seen.sample for seen in self._seen.samples if self.recovered < seen.mono_ts < self._until]
        rates = [sample.ops_per_sec for sample in since[1:]]
        enough = AFTER_SAMPLES if self._until == _FOREVER else 1
        return fmean(rates[-AFTER_SAMPLES:]) if len(rates) >= enough else None

    def figures(self) -> dict[str, Any]:
        """What was measured of it; None for what did not happen."""
        action, repaired_by = self._action(), self._repaired_by()
        since = self.recovering if self.recovering is not None else self.injected
        if repaired_by == "agent" and action is not None:
            since = self._seen.began[action.id]
        found = self._diagnosis()
        lowest = min((sample.ops_per_sec for sample in self.during()), default=None)
        return {
            "fault": self.fault.kind,
            "target": self.fault.target,
            "role": self.fault.role,
            "detected_after_s": _interval(self.injected, self._detected_at()),
            "first_answer_after_s": _interval(self.injected, self._answers()[0][0] if found else None),
            "diagnosed_after_s": _interval(self.injected, found[0] if found else None),
            "recovered_after_s": _interval(since, self.recovered),
            "ops": {"baseline": rate(self.baseline), "lowest": rate(lowest), "after": rate(self.ops_after())},
            "errors": self._errors(),
            "diagnosis": _diagnosis_figures(found[1]) if found else None,
            "repaired_by": repaired_by,
            "action": _action_figures(action),
        }

    def _within(self, mono_ts: float) -> bool:
        return self.injected <= mono_ts < self._until

    def _detected_at(self) -> float | None:
        after = [(at, node) for at, node in self._seen.violations if self._within(at)]
        on_target = [at for at, node in after if node == self.fault.target]
        return min(on_target or [at for at, _ in after], default=None)

    def _answers(self) -> list[tuple[float, Diagnosis]]:
        """All of one ticket, the oldest first: the first ticket whose answer names the target, else the first."""
        after = [(at, one) for at, one in self._seen.diagnoses if self._within(at)]
        on_target = [(at, one) for at, one in after if one.diagnosis.component == self.fault.target]
        ticket = next((one.ticket for _, one in on_target or after), None)
        return [(at, one.diagnosis) for at, one in on_target or after if one.ticket == ticket]

    def _diagnosis(self) -> tuple[float, Diagnosis] | None:
        """When the first answer came that is not preliminary, else the first of all; and the last one."""
        answers = self._answers()
        if not answers:
            return None
        at = next((at for at, one in answers if not one.preliminary), answers[0][0])
        return at, answers[-1][1]

    def _errors(self) -> int:
        """Errors that the load counted from the last sample before the injection on."""
        samples = [seen for seen in self._seen.samples if seen.mono_ts < self._until]
        before = [seen.sample.errors for seen in samples if seen.mono_ts < self.injected]
        after = [seen.sample.errors for seen in samples if seen.mono_ts >= self.injected]
        return max(0, after[-1] - (before[-1] if before else 0)) if after else 0

    def _action(self) -> Action | None:
        """What the agent did about the target: the action that was carried out, else the last one it proposed."""
        seen = self._seen
        known = [one for one in seen.actions.values() if one.target == self.fault.target]
        known = [one for one in known if self._within(seen.proposed[one.id])]
        begun = [one for one in known if one.id in seen.began]
        return next(iter(begun or known[-1:]), None)

    def _repaired_by(self) -> str | None:
        """``agent``: an action on the target began before it was seen to be back, and nobody undid the fault."""
        if self.recovered is None:
            return None
        if self.recovered_by != "observation" or self.recovering is not None:
            return "recovery"
        action = self._action()
        begun = None if action is None else self._seen.began.get(action.id)
        if begun is None or begun > self.recovered or action is None or action.status == "failed":
            return "somebody else"
        return "agent"


def _interval(start: float, end: float | None) -> float | None:
    return None if end is None else round(max(0.0, end - start), 3)


def rate(value: float | None) -> float | None:
    """Operations per second, as the report has them."""
    return None if value is None else round(value, 1)


def _diagnosis_figures(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "source": diagnosis.source,
        "cause": diagnosis.cause,
        "component": diagnosis.component,
        "cited": list(diagnosis.cited),
        "rejected": [alternative.cause for alternative in diagnosis.alternatives],
    }


def _action_figures(action: Action | None) -> dict[str, Any] | None:
    if action is None:
        return None
    return {
        "kind": action.kind,
        "target": action.target,
        "risk": action.risk,
        "status": action.status,
        "decided_by": action.decided_by,
        "result": action.result,
    }
