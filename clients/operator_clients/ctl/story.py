"""What a run of the demo showed, taken from the frames of the bus: when what happened, and what it did to the load.

All intervals are differences of the daemon's monotonic clock as stamped on the frames:

- ``detected_after_s``: from the injection to the first ``violation.opened`` on the target, else on any node;
- ``diagnosed_after_s``: from the injection to ``agent.diagnosis`` (the first that names the target, else the first);
- ``recovered_after_s``: from ``fault.recovering``, the begin of the undo, to ``fault.recovered``, the verified end;
  if the agent repaired it, from the beginning of its action; from the injection if someone else brought the node back.

The instant of the injection is the fault's ``injected_at``: its frame comes a little later, and what the injection
caused may have been seen in between.
"""

import itertools
from statistics import fmean
from typing import Any, NamedTuple

from operator_clients.ctl.served import ServedByNodes
from operator_protocol import topics
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame
from operator_protocol.models import Action, ClusterHealth, Diagnosis, Fault, TicketDiagnosis, Violation, WorkloadSample
from operator_protocol.records import from_body

AFTER_SAMPLES = 5
"""The load after the recovery is the mean of this many samples."""
RESTORED_SHARE = 0.8
"""Of the baseline; what the load must reach again."""
TOLERATED_DIFFERENCE = 0.02
"""Between the operations that the load counted and those that the nodes counted."""
_MAX_FRAME_DELAY_S = 5.0
"""``injected_at`` further than this before its frame would be another clock's time."""


class _Seen(NamedTuple):
    mono_ts: float
    sample: WorkloadSample


class Story:
    """Fed with every frame of the walk; knows nothing of how the walk is made."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        """The first fault that was injected; a story may have more, which only have to show in the load."""
        self._spans: dict[str, tuple[str, float, float]] = {}
        """Of every fault: its kind, and from when to when it was in force."""
        self.recovered_by = ""
        """What the daemon says of its recovery."""
        self.outages: dict[str, bool] = {}
        """By kind of fault, as the catalogue has it: whether its target serves nobody while it holds."""
        self.served = ServedByNodes()
        self.samples: list[_Seen] = []
        self._injected: float | None = None
        self._recovering: float | None = None
        self._recovered: float | None = None
        self._violations: list[tuple[float, str | None]] = []
        self._diagnoses: list[tuple[float, TicketDiagnosis]] = []
        self._actions: dict[int, Action] = {}
        self._began: dict[int, float] = {}
        """When each action began."""

    def see(self, frame: Frame) -> None:
        """Take in one frame; what cannot be read is passed over."""
        mono_ts = frame.header.mono_ts
        try:
            if frame.topic == topics.WORKLOAD_SAMPLE:
                self.samples.append(_Seen(mono_ts, from_body(WorkloadSample, frame.body)))
            elif frame.topic == topics.CLUSTER_HEALTH:
                self.served.observe(mono_ts, from_body(ClusterHealth, frame.body).nodes)
            elif frame.topic == topics.VIOLATION_OPENED:
                self._violations.append((mono_ts, from_body(Violation, frame.body).node))
            elif frame.topic == topics.AGENT_DIAGNOSIS:
                self._diagnoses.append((mono_ts, from_body(TicketDiagnosis, frame.body)))
            elif frame.topic.startswith("action."):
                self._see_action(frame, from_body(Action, frame.body))
            elif frame.topic.startswith("fault."):
                self._see_fault(frame, from_body(Fault, frame.body))
        except BadRequest:
            return

    def _see_fault(self, frame: Frame, fault: Fault) -> None:
        self._see_span(frame, fault)
        if frame.topic == topics.FAULT_INJECTED and self.fault is None:
            self.fault = fault
            _, self._injected, _ = self._spans[fault.id]
        elif self.fault is None or fault.id != self.fault.id:
            return
        elif frame.topic == topics.FAULT_RECOVERING and self._recovering is None:
            self._recovering = frame.header.mono_ts
        elif frame.topic == topics.FAULT_RECOVERED:
            self._recovered, self.recovered_by = frame.header.mono_ts, fault.recovered_by

    def _see_span(self, frame: Frame, fault: Fault) -> None:
        mono_ts = frame.header.mono_ts
        if frame.topic == topics.FAULT_INJECTED:
            delay_s = frame.header.wall_ts - (fault.injected_at or frame.header.wall_ts)
            begun = mono_ts - (delay_s if 0 <= delay_s <= _MAX_FRAME_DELAY_S else 0.0)
            self._spans[fault.id] = (fault.kind, begun, float("inf"))
        elif frame.topic == topics.FAULT_RECOVERED and fault.id in self._spans:
            kind, begun, _ = self._spans[fault.id]
            self._spans[fault.id] = (kind, begun, mono_ts)

    def _see_action(self, frame: Frame, action: Action) -> None:
        if self._injected is not None:
            self._actions[action.id] = action
            if frame.topic == topics.ACTION_STARTED:
                self._began[action.id] = frame.header.mono_ts

    # how far the story is

    @property
    def baseline(self) -> float | None:
        """The load's own baseline as of the injection, else the last one known; operations per second."""
        known = [
            seen.sample.baseline
            for seen in self.samples
            if seen.sample.baseline is not None and (self._injected is None or seen.mono_ts < self._injected)
        ]
        return known[-1] if known else None

    @property
    def recovered(self) -> bool:
        """Whether the recovery has been verified."""
        return self._recovered is not None

    @property
    def diagnosed(self) -> bool:
        """Whether a diagnosis came after the injection that is not preliminary any more."""
        found = self._diagnosis()
        return found is not None and not found[1].preliminary

    @property
    def degraded_seen(self) -> bool:
        """Whether a sample between the injection and the recovery was degraded."""
        return any(sample.degraded for sample in self._during())

    @property
    def degraded_expected(self) -> bool:
        """Whether the load had to notice; of a kind that no catalogue tells of, yes."""
        return not self._spans or any(self.outages.get(kind, True) for kind, _, _ in self._spans.values())

    @property
    def settled(self) -> bool:
        """Whether the load after the recovery has been measured and is back."""
        baseline, after = self.baseline, self.ops_after()
        return after is not None and baseline is not None and after >= RESTORED_SHARE * baseline

    @property
    def accounted(self) -> bool:
        """Whether a look at the nodes came after the last sample, so that the two counts cover the same time."""
        return bool(self.samples) and self.served.covers(self.samples[-1].mono_ts)

    def ops_after(self) -> float | None:
        """Mean of the last five samples after the recovery, None before there are enough.

        The first sample after the recovery is not counted: part of its second lies before.
        """
        if self._recovered is None:
            return None
        rates = [seen.sample.ops_per_sec for seen in self.samples if seen.mono_ts > self._recovered][1:]
        return fmean(rates[-AFTER_SAMPLES:]) if len(rates) >= AFTER_SAMPLES else None

    def _during(self) -> list[WorkloadSample]:
        spans = self._spans.values()
        return [seen.sample for seen in self.samples if any(begun <= seen.mono_ts <= end for _, begun, end in spans)]

    def _detected_at(self) -> float | None:
        target = self.fault.target if self.fault else None
        after = [(at, node) for at, node in self._violations if self._injected is not None and at >= self._injected]
        on_target = [at for at, node in after if node == target]
        return min(on_target or [at for at, _ in after], default=None)

    def _diagnosis(self) -> tuple[float, Diagnosis] | None:
        """When the first answer came, and the last one to the same ticket."""
        target = self.fault.target if self.fault else None
        after = [(at, one) for at, one in self._diagnoses if self._injected is not None and at >= self._injected]
        on_target = [(at, one) for at, one in after if one.diagnosis.component == target]
        first = next(iter(on_target or after), None)
        if first is None:
            return None
        at, told = first
        return at, [one.diagnosis for _, one in on_target or after if one.ticket == told.ticket][-1]

    def _action(self) -> Action | None:
        """What the agent did about the target: the action that was carried out, else the last one it proposed."""
        target = self.fault.target if self.fault else None
        known = [one for one in self._actions.values() if one.target == target]
        begun = [one for one in known if one.id in self._began]
        return next(iter(begun or known[-1:]), None)

    def _repaired_by(self) -> str | None:
        """``agent``: an action on the target began before it was seen to be back, and nobody undid the fault."""
        if self._recovered is None:
            return None
        if self.recovered_by != "observation" or self._recovering is not None:
            return "recovery"
        action = self._action()
        begun = None if action is None else self._began.get(action.id)
        if begun is None or begun > self._recovered or action is None or action.status == "failed":
            return "somebody else"
        return "agent"

    # what it comes to

    def figures(self) -> dict[str, Any]:
        """The measured part of the report; None for what did not happen."""
        during = self._during()
        action, repaired_by = self._action(), self._repaired_by()
        since = self._recovering if self._recovering is not None else self._injected
        if repaired_by == "agent" and action is not None:
            since = self._began[action.id]
        diagnosed_at, diagnosis = self._diagnosis() or (None, None)
        return {
            "fault": self.fault.kind if self.fault else None,
            "target": self.fault.target if self.fault else None,
            "role": self.fault.role if self.fault else None,
            "detected_after_s": _interval(self._injected, self._detected_at()),
            "diagnosed_after_s": _interval(self._injected, diagnosed_at),
            "recovered_after_s": _interval(since, self._recovered),
            "ops": {
                "baseline": _round(self.baseline, 1),
                "lowest": _round(min((sample.ops_per_sec for sample in during), default=None), 1),
                "after": _round(self.ops_after(), 1),
            },
            "errors": self._errors(),
            "degraded_seen": self.degraded_seen,
            "degraded_expected": self.degraded_expected,
            "operations": self._operations(),
            "diagnosis": _diagnosis_figures(diagnosis),
            "repaired_by": repaired_by,
            "action": _action_figures(action),
        }

    def problems(self) -> list[str]:
        """Every part of the story that did not come true."""
        figures = self.figures()
        ops, operations = figures["ops"], figures["operations"]
        found = []
        if self.fault is None:
            found.append("no fault was injected")
        for key, what in (
            ("detected_after_s", "the fault was not detected"),
            ("diagnosed_after_s", "the fault was not diagnosed"),
            ("recovered_after_s", "the recovery was not verified"),
        ):
            if self.fault is not None and figures[key] is None:
                found.append(what)
        if ops["baseline"] is None:
            found.append("the load has no baseline")
        if self.degraded_expected and not self.degraded_seen:
            found.append("no degraded sample between injection and recovery")
        if ops["after"] is None:
            found.append(f"fewer than {AFTER_SAMPLES} samples of the load after the recovery")
        elif not self.settled:
            found.append(f"the load did not come back: {ops['after']} of {ops['baseline']} ops/s")
        if operations["difference"] is not None and abs(operations["difference"]) > TOLERATED_DIFFERENCE:
            found.append(
                f"the load counted {operations['counted']} operations, the nodes {operations['served_by_nodes']}"
            )
        return found

    def _errors(self) -> int:
        """Errors that the load counted from the last sample before the injection on."""
        if self._injected is None:
            return 0
        before = [seen.sample.errors for seen in self.samples if seen.mono_ts < self._injected]
        after = [seen.sample.errors for seen in self.samples if seen.mono_ts >= self._injected]
        return max(0, after[-1] - (before[-1] if before else 0)) if after else 0

    def _operations(self) -> dict[str, Any]:
        """Both counts over one window: from the first sample to the last that looks at the nodes enclose."""
        window = [seen for seen in self.samples if self.served.covers(seen.mono_ts)]
        counted = 0
        for earlier, later in itertools.pairwise(window):
            step = later.sample.operations - earlier.sample.operations
            counted += step if step >= 0 else later.sample.operations  # a load that was started anew
        if len(window) < 2 or counted == 0:
            return {"counted": counted, "served_by_nodes": None, "difference": None}
        served = self.served.total_at(window[-1].mono_ts) - self.served.total_at(window[0].mono_ts)
        return {
            "counted": counted,
            "served_by_nodes": round(served),
            "difference": round((served - counted) / counted, 4),
        }


def _interval(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(max(0.0, end - start), 3)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _diagnosis_figures(diagnosis: Diagnosis | None) -> dict[str, Any] | None:
    if diagnosis is None:
        return None
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
