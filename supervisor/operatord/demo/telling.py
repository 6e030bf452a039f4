"""What has happened in this telling of the story, gathered from the frames of the bus."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from operator_protocol import topics
from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Header, told_late_s
from operator_protocol.models import Action, ClusterHealth, Diagnosis, Fault, Ticket, Violation, WorkloadSample
from operator_protocol.records import from_body
from operatord.clock import Clock

_RECENT = 64


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a chapter's words and expectations may depend on, at one moment."""

    in_chapter_s: float = 0.0
    working: bool = False
    """True while the chapter brings something about, or undoes it."""
    cluster: ClusterHealth | None = None
    load_running: bool = False
    sample: WorkloadSample | None = None
    """The last one of the load that runs."""
    countdown: Fault | None = None
    """The fault that counts down, with ``remaining``."""
    fault: Fault | None = None
    """The fault of this telling: in force, or over already."""
    owed: list[Fault] = field(default_factory=list)
    since_fault_s: float | None = None
    detection: Violation | None = None
    """The first violation on the fault's target, or on the whole, since the injection."""
    detected_after_s: float | None = None
    diagnosis: Diagnosis | None = None
    """Of the first ticket that was opened since the injection and has one."""
    first_answer_after_s: float | None = None
    diagnosed_after_s: float | None = None
    """Until the first answer that is not preliminary; until that comes, as the first answer."""
    recovery_s: float | None = None
    """From the beginning of the undo, or of the agent's action, to its verification; None while it is not over, or was
    somebody else's."""
    action: Action | None = None
    """The agent's last action on the fault's target since the injection."""
    repaired_by_agent: bool = False
    baseline_ops: float | None = None
    lowest_ops: float | None = None
    """Of the samples between the injection and the load's return."""
    after_ops: float | None = None
    """The last sample since the recovery."""
    load_is_back: bool = False
    """No load runs, or a sample since the recovery reached the threshold."""

    @property
    def recovered(self) -> bool:
        """True when the fault of this telling is over."""
        return self.fault is not None and self.fault.state == "recovered"


class Telling:
    """The reducer behind ``Scene``."""

    def __init__(self, clock: Clock, wall: Clock) -> None:
        self._clock = clock
        self._wall = wall
        self._mono_ts, self._wall_ts = clock(), wall()
        """When the frame that is looked at was published."""
        self.cluster: ClusterHealth | None = None
        self.sample: WorkloadSample | None = None
        self.countdown: Fault | None = None
        self._violations: deque[tuple[float, Violation]] = deque(maxlen=_RECENT)
        self._handlers: dict[str, Callable[[Body], None]] = {
            topics.CLUSTER_HEALTH: self._health,
            topics.WORKLOAD_SAMPLE: self._sampled,
            topics.FAULT_COUNTDOWN: self._counted,
            topics.FAULT_INJECTED: self._injected,
            topics.FAULT_RECOVERING: self._recovering,
            topics.FAULT_RECOVERED: self._recovered,
            topics.FAULT_FAILED: self._failed,
            topics.VIOLATION_OPENED: self._violated,
            topics.ACTION_PROPOSED: self._acted,
            topics.ACTION_APPROVED: self._acted,
            topics.ACTION_STARTED: self._began,
            topics.ACTION_FINISHED: self._acted,
            topics.TICKET_OPENED: self._ticket,
            topics.TICKET_UPDATED: self._ticket,
            topics.TICKET_RESOLVED: self._ticket,
        }
        self.forget_fault()

    def forget_fault(self) -> None:
        """The story is told anew from before the fault."""
        self.fault: Fault | None = None
        self.detection: Violation | None = None
        self.detected_after_s: float | None = None
        self.diagnosis: Diagnosis | None = None
        self._diagnosed = 0
        self.first_answer_after_s: float | None = None
        self.diagnosed_after_s: float | None = None
        self.recovery_s: float | None = None
        self.action: Action | None = None
        self.repaired_by_agent = False
        self.baseline_ops: float | None = None
        self.lowest_ops: float | None = None
        self.after_ops: float | None = None
        self.back = False
        self._injected_mono: float | None = None
        self._recovering_mono: float | None = None
        self._acting_mono: float | None = None

    def see(self, topic: str, body: Body, header: Header | None = None) -> bool:
        """Take in a frame; True when it may change a scene. A body that is not what its topic promises is ignored.

        ``header`` says when it was published, without one that is now. By its time every figure is reckoned, so that
        this story, the panels and the report of a walk name the same one, however late each of them hears of it.
        """
        handler = self._handlers.get(topic)
        if handler is None:
            return False
        now = (self._clock(), self._wall())
        self._mono_ts, self._wall_ts = now if header is None else (header.mono_ts, header.wall_ts)
        try:
            handler(body)
        except BadRequest:
            return False
        return True

    def scene(self, owed: list[Fault], load_running: bool, in_chapter_s: float, *, working: bool = False) -> Scene:
        """The moment as it is. ``owed`` are the faults in force; a load that does not run has no sample."""
        if not load_running:
            self.sample = None
        fault = self.fault or next(iter(owed), None)
        return Scene(
            in_chapter_s=in_chapter_s,
            working=working,
            cluster=self.cluster,
            load_running=load_running,
            sample=self.sample,
            countdown=self.countdown,
            fault=fault,
            owed=owed,
            since_fault_s=self.since_fault_s,
            detection=self.detection,
            detected_after_s=self.detected_after_s,
            diagnosis=self.diagnosis,
            first_answer_after_s=self.first_answer_after_s,
            diagnosed_after_s=self.diagnosed_after_s,
            recovery_s=self.recovery_s,
            action=self.action,
            repaired_by_agent=self.repaired_by_agent,
            baseline_ops=self.baseline_ops,
            lowest_ops=self.lowest_ops,
            after_ops=self.after_ops,
            load_is_back=fault is None or not load_running or self.back,
        )

    @property
    def since_fault_s(self) -> float | None:
        """Seconds since the injection."""
        return None if self._injected_mono is None else self._clock() - self._injected_mono

    def _health(self, body: Body) -> None:
        self.cluster = from_body(ClusterHealth, body)

    def _sampled(self, body: Body) -> None:
        sample = self.sample = from_body(WorkloadSample, body)
        if self.fault is None:
            self.baseline_ops = sample.baseline
            return
        if not self.back:
            ops = sample.ops_per_sec
            self.lowest_ops = ops if self.lowest_ops is None else min(self.lowest_ops, ops)
        if self.fault.state == "recovered":
            self.after_ops = sample.ops_per_sec
            self.back = self.back or (sample.baseline is not None and not sample.degraded)

    def _counted(self, body: Body) -> None:
        self.countdown = from_body(Fault, body)
        self._begin_anew_after_one_that_is_over()

    def _injected(self, body: Body) -> None:
        fault = from_body(Fault, body)
        self._countdown_over(fault)
        self._begin_anew_after_one_that_is_over()
        if self.fault is not None:
            return  # a second fault beside that of the story
        self.fault = fault
        # The word that it is in force comes after the deed, and may come after its first effects were seen.
        self._injected_mono = self._mono_ts - told_late_s(self._wall_ts, fault.injected_at)
        for mono, violation in self._violations:
            self._consider(mono, violation)

    def _recovering(self, body: Body) -> None:
        if self._is_ours(fault := from_body(Fault, body)):
            self.fault, self._recovering_mono = fault, self._mono_ts

    def _recovered(self, body: Body) -> None:
        if self._is_ours(fault := from_body(Fault, body)):
            self.fault = fault
            self.repaired_by_agent = self._recovering_mono is None and self._acting_mono is not None
            since = self._acting_mono if self._recovering_mono is None else self._recovering_mono
            if since is not None:
                self.recovery_s = self._mono_ts - since

    def _failed(self, body: Body) -> None:
        fault = from_body(Fault, body)
        self._countdown_over(fault)
        if self._is_ours(fault):
            self.fault = fault

    def _acted(self, body: Body) -> None:
        action = from_body(Action, body)
        if self.fault is not None and action.target == self.fault.target:
            self.action = action

    def _began(self, body: Body) -> None:
        self._acted(body)
        if self.action is not None and self.action.id == body.get("id"):
            self._acting_mono = self._mono_ts

    def _violated(self, body: Body) -> None:
        seen = (self._mono_ts, from_body(Violation, body))
        self._violations.append(seen)
        self._consider(*seen)

    def _consider(self, mono: float, violation: Violation) -> None:
        if self.fault is None or not self.fault.owed or self._injected_mono is None or self.detection is not None:
            return
        if mono >= self._injected_mono and violation.node in (self.fault.target, None):
            self.detection, self.detected_after_s = violation, mono - self._injected_mono

    def _ticket(self, body: Body) -> None:
        ticket = from_body(Ticket, body)
        if self.fault is None or self.fault.injected_at is None:
            return
        if self.diagnosis is not None:
            if ticket.id == self._diagnosed and ticket.diagnosis is not None:
                if self.diagnosis.preliminary and not ticket.diagnosis.preliminary:
                    # What it says by now may have happened after the first answer.
                    self.diagnosed_after_s = self._after_s()
                self.diagnosis = ticket.diagnosis  # it has looked again
            return
        concerns_it = ticket.opened_at >= self.fault.injected_at and ticket.node in (self.fault.target, None)
        if concerns_it and ticket.diagnosis is not None:
            self.diagnosis, self._diagnosed = ticket.diagnosis, ticket.id
            self.first_answer_after_s = self.diagnosed_after_s = self._after_s()

    def _after_s(self) -> float | None:
        """From the injection to the frame that is looked at."""
        return None if self._injected_mono is None else max(0.0, self._mono_ts - self._injected_mono)

    def _is_ours(self, fault: Fault) -> bool:
        return self.fault is not None and self.fault.id == fault.id

    def _countdown_over(self, fault: Fault) -> None:
        if self.countdown is not None and self.countdown.id == fault.id:
            self.countdown = None

    def _begin_anew_after_one_that_is_over(self) -> None:
        if self.fault is not None and not self.fault.owed:
            baseline = self.baseline_ops
            self.forget_fault()
            self.baseline_ops = baseline
