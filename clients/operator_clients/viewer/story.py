"""What happened so far, as far as the panels tell it: the memory that ``State`` does not have.

``State`` says what is true now. A ``Story`` adds when a violation was detected and how long after the injection, what
the agent did step by step, which process of ours came back, where the marks on the time axis of the load belong, and
the recent lines of the chronicle. It is fed with the events of a ``Follower`` and told the local monotonic time.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from operator_clients.format import clean, duration
from operator_clients.viewer.chronicle import Chronicle, LogLine, about, diagnosis_of
from operator_protocol import topics
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame, told_late_s
from operator_protocol.models import Action, AgentStep, Diagnosis, Fault, ProcessState, Ticket, Violation
from operator_protocol.records import from_body
from operator_protocol.state import State

LOG_LINES = 400
STEPS_PER_TICKET = 100
MARKS = 64
WORKS = 32
_LONG_AGO = float("-inf")
_OVERTAKEN_S = 2.0
"""A frame about an injection is no later than this, or the two clocks do not agree."""


class Detection(NamedTuple):
    """A violation that was found while we watched."""

    violation: Violation
    after_s: float | None
    """Seconds on the daemon's monotonic clock since the injection behind it; None when no fault explains it."""
    at: float
    """Local monotonic time at which it was learnt; for how long it is highlighted."""
    mono_ts: float
    """The daemon's monotonic clock at the same moment."""

    @property
    def text(self) -> str:
        """``DETECTED node_down valkey-1 0.2 s after injection``."""
        words = f"DETECTED {about(self.violation.invariant, self.violation.node)}"
        return clean(words if self.after_s is None else f"{words} {duration(self.after_s)} after injection")


class Mark(NamedTuple):
    """Something to point at on the time axis of the load."""

    kind: Literal["fault", "detection", "recovery"]
    at: float
    """Wall clock, seconds."""


class Injection(NamedTuple):
    """A fault that is in force."""

    fault: Fault
    mono_ts: float | None
    """The daemon's monotonic clock at the injection; None when its frame was before our time."""

    def elapsed_s(self, frame: Frame) -> float | None:
        """Seconds from the injection to ``frame``; by wall clock only where no other is known."""
        if self.mono_ts is not None:
            return max(0.0, frame.header.mono_ts - self.mono_ts)
        injected_at = self.fault.injected_at
        return None if injected_at is None else max(0.0, frame.header.wall_ts - injected_at)


def _wall(frame: Frame, mono_ts: float | None) -> float:
    """The wall clock at a moment of the daemon's monotonic clock, a little before ``frame``."""
    return frame.header.wall_ts - (0.0 if mono_ts is None else max(0.0, frame.header.mono_ts - mono_ts))


def _injection(fault: Fault, frame: Frame) -> Injection:
    """The moment of the injection is a little before that of the frame that tells of it."""
    return Injection(fault, frame.header.mono_ts - told_late_s(frame.header.wall_ts, fault.injected_at))


@dataclass(slots=True)
class Work:
    """What the agent did about one ticket."""

    ticket: int
    steps: deque[AgentStep] = field(default_factory=lambda: deque(maxlen=STEPS_PER_TICKET))
    diagnosis: Diagnosis | None = None
    actions: dict[int, Action] = field(default_factory=dict)
    """What is, or was, to be done about it, by number."""
    watched: bool = False
    """False for what only a snapshot told: it may be of an earlier run of the daemon."""


class Story:
    """The memory behind the panels."""

    def __init__(self) -> None:
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.marks: deque[Mark] = deque(maxlen=MARKS)
        self.detections: dict[str, Detection] = {}
        """Open violations that were found while we watched, by violation id, oldest first."""
        self.ended: dict[str, float] = {}
        """Wall clock at which the last violation of an invariant was over, by the name of the invariant."""
        self.works: dict[int, Work] = {}
        """By ticket, the one touched last at the end."""
        self.returned: dict[str, float] = {}
        """Local monotonic time at which a process of ours was back after it had died."""
        self._chronicle = Chronicle()
        self._injections: dict[str, Injection] = {}
        self._last_process: dict[str, ProcessState] = {}
        self._boot_id = ""
        self._seq = 0

    def resume(self, boot_id: str, state: State, tail: Iterable[Frame]) -> None:
        """Start from a snapshot and its tail, which is history and therefore not highlighted.

        The story of the same boot goes on, with the frames of the tail that were missed; another boot begins anew.
        """
        if boot_id != self._boot_id:
            self._forget(boot_id)
        for frame in list(tail):
            if frame.header.boot_id == boot_id and frame.header.seq > self._seq:
                self.see(frame, _LONG_AGO)
        self._chronicle.settle(state)
        for fault in state.faults.values():
            if fault.injected_at is not None:
                self._injections.setdefault(fault.target, Injection(fault, None))
        self._last_process = dict(state.processes)
        self.detections = {key: found for key, found in self.detections.items() if key in state.violations}
        for ticket in state.tickets.values():
            self._adopt(ticket)
        for action in state.actions.values():
            self._act(action)

    def see(self, frame: Frame, mono: float) -> list[LogLine]:
        """Take in one frame; returns the lines it adds to the log, none for one that the tail at a resume had."""
        if frame.header.boot_id != self._boot_id:
            self._forget(frame.header.boot_id)
        if frame.header.seq <= self._seq:
            return []
        self._seq = frame.header.seq
        # A body that this version cannot read is passed over, as the state passes over it.
        try:
            lines = self._chronicle.lines(frame)
            found = self._remember(frame, mono)
        except BadRequest:
            return []
        if found is not None:
            lines = [line._replace(text=clean(f"{found.text}: {found.violation.message}")) for line in lines]
        self.log.extend(lines)
        return lines

    def say(self, line: LogLine) -> None:
        """Add a line of the viewer's own: the link, the outcome of a command."""
        self.log.append(line)

    def detection(self) -> Detection | None:
        """The detection to show: the first that is still open and explained by a fault, else the first."""
        found = list(self.detections.values())
        return next((one for one in found if one.after_s is not None), found[0] if found else None)

    def work(self, state: State) -> Work | None:
        """What to show: what is going on, else the first diagnosis of a ticket still open, else the last we saw.

        Of open tickets, that of the detection that is shown comes first: it is what the story is about.
        """
        works = list(self.works.values())
        unfinished = [one for one in works if one.diagnosis is None and one.ticket in state.tickets]
        if unfinished:
            return unfinished[-1]
        open_ones = sorted((one for one in works if one.ticket in state.tickets), key=lambda one: one.ticket)
        shown = self.detection()
        if shown is not None and shown.after_s is not None:
            about_it = (shown.violation.invariant, shown.violation.node)
            tickets = state.tickets
            open_ones.sort(key=lambda one: (tickets[one.ticket].invariant, tickets[one.ticket].node) != about_it)
        return open_ones[0] if open_ones else next((one for one in reversed(works) if one.watched), None)

    def _forget(self, boot_id: str) -> None:
        self._boot_id, self._seq = boot_id, 0
        self.log.clear()
        self.marks.clear()
        self.detections.clear()
        self.ended.clear()
        self.works.clear()
        self.returned.clear()
        self._injections.clear()
        self._last_process.clear()
        self._chronicle = Chronicle()

    def _remember(self, frame: Frame, mono: float) -> Detection | None:
        topic, body = frame.topic, frame.body
        if topic.startswith("process."):
            if topic.endswith(".state"):
                self._process(from_body(ProcessState, body), mono)
        elif topic == topics.VIOLATION_OPENED:
            return self._detect(from_body(Violation, body), frame, mono)
        elif topic == topics.VIOLATION_CLOSED:
            closed = from_body(Violation, body)
            self.detections.pop(closed.id, None)
            self.ended[closed.invariant] = frame.header.wall_ts
        elif topic.startswith("fault."):
            self._fault(from_body(Fault, body), frame)
        elif topic.startswith("ticket."):
            self._adopt(from_body(Ticket, body))
        elif topic == topics.AGENT_STEP:
            step = from_body(AgentStep, body)
            work = self._work_on(step.ticket)
            work.watched = True
            work.steps.append(step)
        elif topic.startswith("action."):
            self._act(from_body(Action, body))
        elif topic == topics.AGENT_DIAGNOSIS:
            ticket, diagnosis = diagnosis_of(body)
            work = self._work_on(ticket)
            work.diagnosis, work.watched = diagnosis, True
        return None

    def _process(self, process: ProcessState, mono: float) -> None:
        before = self._last_process.get(process.name)
        self._last_process[process.name] = process
        if process.state == "ready" and before is not None and process.restarts > 0 and before.state != "ready":
            self.returned[process.name] = mono

    def _detect(self, violation: Violation, frame: Frame, mono: float) -> Detection | None:
        if violation.id in self.detections:
            return None
        injection = self._behind(violation)
        after_s = injection.elapsed_s(frame) if injection else None
        found = Detection(violation, after_s, mono, frame.header.mono_ts)
        if injection is not None and after_s is not None and not self._noticed(injection):
            self.marks.append(Mark("detection", frame.header.wall_ts))
        self.detections[violation.id] = found
        return found

    def _noticed(self, injection: Injection) -> bool:
        """True when something that is explained was found since ``injection``."""
        since = float("-inf") if injection.mono_ts is None else injection.mono_ts
        return any(one.after_s is not None and one.mono_ts >= since for one in self.detections.values())

    def _behind(self, violation: Violation) -> Injection | None:
        """The fault on the violation's own node, else the last one that is in force."""
        if violation.node in self._injections:
            return self._injections[violation.node]
        return next(reversed(self._injections.values()), None)

    def _fault(self, fault: Fault, frame: Frame) -> None:
        if fault.state == "active" and fault.target not in self._injections:
            injection = _injection(fault, frame)
            self._injections[fault.target] = injection
            self.marks.append(Mark("fault", _wall(frame, injection.mono_ts)))
            self._explain(injection, frame)
        elif fault.state == "recovered":
            if self._injections.pop(fault.target, None) is not None:
                self.marks.append(Mark("recovery", frame.header.wall_ts))
        elif fault.state == "failed" and not fault.owed:
            self._injections.pop(fault.target, None)

    def _explain(self, injection: Injection, frame: Frame) -> None:
        """A monitor that is nudged by a death can be quicker than the word that the fault is in force."""
        for key, found in self.detections.items():
            early_s = frame.header.mono_ts - found.mono_ts
            if found.after_s is None and found.violation.node == injection.fault.target and early_s < _OVERTAKEN_S:
                after_s = found.mono_ts - (injection.mono_ts or found.mono_ts)
                self.detections[key] = found._replace(after_s=max(0.0, after_s))
                self.marks.append(Mark("detection", _wall(frame, found.mono_ts)))

    def _act(self, action: Action) -> None:
        if action.ticket is not None:
            self._work_on(action.ticket).actions[action.id] = action

    def _adopt(self, ticket: Ticket) -> None:
        if ticket.diagnosis is not None:
            self._work_on(ticket.id).diagnosis = ticket.diagnosis

    def _work_on(self, ticket: int) -> Work:
        work = self.works.pop(ticket, None) or Work(ticket)
        self.works[ticket] = work
        while len(self.works) > WORKS:
            del self.works[next(iter(self.works))]
        return work
