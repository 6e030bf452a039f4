"""What a run of the demo showed, taken from the frames of the bus: when what happened, and what it did to the load.

All intervals are differences of the daemon's monotonic clock as stamped on the frames:

- ``detected_after_s``: from the injection to the first ``violation.opened`` on the target, else on any node;
- ``first_answer_after_s``: from the injection to ``agent.diagnosis`` (the first that names the target, else the first);
- ``diagnosed_after_s``: to the first answer to that ticket that is not preliminary, else to the first answer;
- ``recovered_after_s``: from ``fault.recovering``, the begin of the undo, to ``fault.recovered``, the verified end;
  if the agent repaired it, from the beginning of its action; from the injection if someone else brought the node back.

The instant of the injection is the fault's ``injected_at``: its frame comes a little later, and what the injection
caused may have been seen in between. A story may break something more than once; each act has figures of its own.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from operator_clients.ctl.act import AFTER_SAMPLES, Act, Sampled, Seen, rate
from operator_clients.ctl.served import ServedByNodes
from operator_protocol import topics
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame, told_late_s
from operator_protocol.models import Action, ClusterHealth, Fault, TicketDiagnosis, Violation, WorkloadSample
from operator_protocol.records import from_body

RESTORED_SHARE = 0.8
"""Of the baseline; what the load must reach again."""
TOLERATED_DIFFERENCE = 0.02
"""Between the operations that the load counted and those that the nodes counted."""
_NOTHING: dict[str, Any] = {
    "fault": None,
    "target": None,
    "role": None,
    "detected_after_s": None,
    "first_answer_after_s": None,
    "diagnosed_after_s": None,
    "recovered_after_s": None,
    "ops": {"baseline": None, "lowest": None, "after": None},
    "errors": 0,
    "diagnosis": None,
    "repaired_by": None,
    "action": None,
}
"""The figures of a story in which nothing was broken."""


class Story:
    """Fed with every frame of the walk; knows nothing of how the walk is made."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        """One for each fault that was injected, in their order."""
        self.outages: dict[str, bool] = {}
        """By kind of fault, as the catalogue has it: whether its target serves nobody while it holds."""
        self.served = ServedByNodes()
        self._seen = Seen()

    def see(self, frame: Frame) -> None:
        """Take in one frame; what cannot be read is passed over."""
        mono_ts, seen = frame.header.mono_ts, self._seen
        try:
            if frame.topic == topics.WORKLOAD_SAMPLE:
                seen.samples.append(Sampled(mono_ts, from_body(WorkloadSample, frame.body)))
            elif frame.topic == topics.CLUSTER_HEALTH:
                self.served.observe(mono_ts, from_body(ClusterHealth, frame.body).nodes)
            elif frame.topic == topics.VIOLATION_OPENED:
                seen.violations.append((mono_ts, from_body(Violation, frame.body).node))
            elif frame.topic == topics.AGENT_DIAGNOSIS:
                seen.diagnoses.append((mono_ts, from_body(TicketDiagnosis, frame.body)))
            elif frame.topic.startswith("action."):
                self._see_action(frame, from_body(Action, frame.body))
            elif frame.topic.startswith("fault."):
                self._see_fault(frame, from_body(Fault, frame.body))
        except BadRequest:
            return

    def _see_fault(self, frame: Frame, fault: Fault) -> None:
        mono_ts = frame.header.mono_ts
        if frame.topic == topics.FAULT_INJECTED:
            begun = mono_ts - told_late_s(frame.header.wall_ts, fault.injected_at)
            for before in self.acts:
                before.end(begun)
            self.acts.append(Act(self._seen, fault, begun))
            return
        act = next((one for one in self.acts if one.fault.id == fault.id), None)
        if act is None:
            return
        if frame.topic == topics.FAULT_RECOVERING and act.recovering is None:
            act.recovering = mono_ts
        elif frame.topic == topics.FAULT_RECOVERED:
            act.recovered, act.recovered_by = mono_ts, fault.recovered_by

    def _see_action(self, frame: Frame, action: Action) -> None:
        seen = self._seen
        seen.actions[action.id] = action
        seen.proposed.setdefault(action.id, frame.header.mono_ts)
        if frame.topic == topics.ACTION_STARTED:
            seen.began[action.id] = frame.header.mono_ts

    # how far the story is

    @property
    def samples(self) -> list[Sampled]:
        """Every sample of the load so far."""
        return self._seen.samples

    @property
    def fault(self) -> Fault | None:
        """The first one that was injected."""
        return self.acts[0].fault if self.acts else None

    @property
    def baseline(self) -> float | None:
        """The load's own baseline as of the first injection, else the last one known; operations per second."""
        if self.acts:
            return self.acts[0].baseline
        known = [seen.sample.baseline for seen in self.samples if seen.sample.baseline is not None]
        return known[-1] if known else None

    @property
    def recovered(self) -> bool:
        """Whether the recovery of the last fault has been verified."""
        return bool(self.acts) and self.acts[-1].recovered is not None

    @property
    def diagnosed(self) -> bool:
        """Whether the last fault has a diagnosis that is not preliminary any more."""
        return bool(self.acts) and self.acts[-1].diagnosed

    @property
    def degraded_seen(self) -> bool:
        """Whether a sample between an injection and its recovery was degraded."""
        return any(sample.degraded for act in self.acts for sample in act.during())

    @property
    def degraded_expected(self) -> bool:
        """Whether the load had to notice; of a kind that no catalogue tells of, yes."""
        return not self.acts or any(self.outages.get(act.fault.kind, True) for act in self.acts)

    @property
    def settled(self) -> bool:
        """Whether the load after the last recovery has been measured and is back."""
        baseline, after = self.baseline, self.ops_after()
        return after is not None and baseline is not None and after >= RESTORED_SHARE * baseline

    @property
    def accounted(self) -> bool:
        """Whether a look at the nodes came after the last sample, so that the two counts cover the same time."""
        return bool(self.samples) and self.served.covers(self.samples[-1].mono_ts)

    def ops_after(self) -> float | None:
        """The load after the last recovery, None before it has been measured."""
        return self.acts[-1].ops_after() if self.acts else None

    # what it comes to

    def figures(self) -> dict[str, Any]:
        """The measured part of the report: of the first fault, and under ``acts`` of each; None for what never came."""
        acts = [act.figures() for act in self.acts]
        first = acts[0] if acts else {**_NOTHING, "ops": {**_NOTHING["ops"], "baseline": rate(self.baseline)}}
        return {
            **first,
            "degraded_seen": self.degraded_seen,
            "degraded_expected": self.degraded_expected,
            "operations": self._operations(),
            "acts": acts,
        }

    def problems(self) -> list[str]:
        """Every part of the story that did not come true."""
        found = ["no fault was injected"] if not self.acts else []
        found += [problem for act in self.acts for problem in self._problems_of(act)]
        if self.baseline is None:
            found.append("the load has no baseline")
        if self.degraded_expected and not self.degraded_seen:
            found.append("no degraded sample between injection and recovery")
        after, operations = self.ops_after(), self._operations()
        if after is None:
            found.append(f"fewer than {AFTER_SAMPLES} samples of the load after the recovery")
        elif not self.settled:
            found.append(f"the load did not come back: {rate(after)} of {rate(self.baseline)} ops/s")
        if operations["difference"] is not None and abs(operations["difference"]) > TOLERATED_DIFFERENCE:
            found.append(
                f"the load counted {operations['counted']} operations, the nodes {operations['served_by_nodes']}"
            )
        return found

    def _problems_of(self, act: Act) -> Iterator[str]:
        figures = act.figures()
        which = f"{act.fault.kind} {act.fault.target}: " if len(self.acts) > 1 else ""
        for key, what in (
            ("detected_after_s", "the fault was not detected"),
            ("diagnosed_after_s", "the fault was not diagnosed"),
            ("recovered_after_s", "the recovery was not verified"),
        ):
            if figures[key] is None:
                yield which + what

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
