"""What a run showed, taken from the frames: the load, each fault from injection to recovery, and what happened when.

Times are the daemon's monotonic clock. The instant of an injection is the fault's own ``injected_at``, which is before
its frame; a detection is the first violation on its target after that, else the first on any node.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from operator_clients.ctl.describe import describe
from operator_protocol import topics
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame, told_late_s
from operator_protocol.models import Fault, Violation, WorkloadSample
from operator_protocol.records import from_body

STAMPS_S = 0.002
"""Two stamps of one instant, one of them carried over from the wall clock, are at most this far apart."""
_TOLD = {
    topics.VIOLATION_OPENED,
    topics.VIOLATION_CLOSED,
    topics.TICKET_OPENED,
    topics.TICKET_RESOLVED,
    topics.AGENT_DIAGNOSIS,
    topics.FAULT_INJECTED,
    topics.FAULT_RECOVERING,
    topics.FAULT_RECOVERED,
    topics.FAULT_FAILED,
}


class Sampled(NamedTuple):
    """One sample of the load, and when it came."""

    at: float
    sample: WorkloadSample


class Opened(NamedTuple):
    """A violation, and when it came."""

    at: float
    violation: Violation


class Happened(NamedTuple):
    """One line of the timeline."""

    at: float
    topic: str
    text: str


@dataclass(slots=True)
class Track:
    """A fault of this run, as far as it has come."""

    fault: Fault
    step: int
    """The step that injected it, counted from 1."""
    injected: float | None = None
    recovering: float | None = None
    recovered: float | None = None

    @property
    def owed(self) -> bool:
        """Whether it is still to be undone, as far as was seen."""
        return self.injected is not None and self.recovered is None

    @property
    def recovery_s(self) -> float | None:
        """From the begin of the undo to its verification; from the injection if someone else did it."""
        begin = self.recovering if self.recovering is not None else self.injected
        return None if begin is None or self.recovered is None else max(0.0, self.recovered - begin)


class Record:
    """Fed with every frame of the run."""

    def __init__(self) -> None:
        self.samples: list[Sampled] = []
        self.violations: list[Opened] = []
        self.timeline: list[Happened] = []
        self.tracks: dict[str, Track] = {}
        """Faults of this run, by id."""
        self._others: dict[str, list[tuple[Frame, Fault]]] = {}
        """Frames of faults that are not known to be ours, yet."""

    def see(self, frame: Frame) -> None:
        """Take in one frame; what cannot be read is passed over."""
        at = frame.header.mono_ts
        try:
            if frame.topic == topics.WORKLOAD_SAMPLE:
                self._sampled(at, from_body(WorkloadSample, frame.body))
            elif frame.topic == topics.VIOLATION_OPENED:
                self.violations.append(Opened(at, from_body(Violation, frame.body)))
            elif frame.topic.startswith("fault."):
                fault = from_body(Fault, frame.body)
                if fault.id in self.tracks:
                    _follow(self.tracks[fault.id], frame, fault)
                else:
                    self._others.setdefault(fault.id, []).append((frame, fault))
        except BadRequest:
            return
        if frame.topic in _TOLD:
            self.timeline.append(Happened(at, frame.topic, describe(frame.topic, frame.body)))

    def ours(self, fault: Fault, step: int, of_wall: Callable[[float], float]) -> Track:
        """``fault`` was injected by this run: it is followed from here, and what was seen of it counts."""
        track = self.tracks.get(fault.id)
        if track is None:
            track = self.tracks[fault.id] = Track(fault, step)
            for frame, seen in self._others.pop(fault.id, []):
                _follow(track, frame, seen)
        if track.injected is None and fault.injected_at is not None:
            track.injected = of_wall(fault.injected_at)
        if track.recovered is None and fault.state == "recovered" and fault.recovered_at is not None:
            track.recovered = of_wall(fault.recovered_at)
            track.fault = fault
        return track

    def known_faults(self) -> frozenset[str]:
        """Ids of all faults that were seen, whoever asked for them."""
        return frozenset((*self.tracks, *self._others))

    def counting_down(self, kind: str, known: frozenset[str]) -> list[str]:
        """Ids of faults of a kind that count down, those in ``known`` left out."""
        last = {fault_id: seen[-1][1] for fault_id, seen in self._others.items() if fault_id not in known}
        return [fault.id for fault in last.values() if fault.kind == kind and fault.state == "countdown"]

    def say(self, at: float, topic: str, text: str) -> None:
        """Add a line of our own to the timeline."""
        self.timeline.append(Happened(at, topic, text))

    def detection(self, track: Track) -> Opened | None:
        """The first violation after the injection: on the target, else on any node."""
        if track.injected is None:
            return None
        after = [one for one in self.violations if one.at >= track.injected - STAMPS_S]
        if track.recovered is not None:
            after = [one for one in after if one.at <= track.recovered]
        on_target = [one for one in after if one.violation.node == track.fault.target]
        return next(iter(on_target or after), None)

    def disturbed(self) -> tuple[float, float] | None:
        """From the first injection to the last recovery (without an end if there was none)."""
        injected = [track.injected for track in self.tracks.values() if track.injected is not None]
        if not injected:
            return None
        ends = [track.recovered for track in self.tracks.values() if track.injected is not None]
        return min(injected), max(float("inf") if end is None else end for end in ends)

    def between(self, begin: float, end: float) -> list[Sampled]:
        """The samples of a stretch of time, the one that covers its end included."""
        inside = [one for one in self.samples if begin <= one.at <= end]
        after = next((one for one in self.samples if one.at > end), None)
        return [*inside, after] if after else inside

    def longest_outage_s(self, begin: float) -> float:
        """The longest series of degraded samples from ``begin`` on, each counted with the time that it covers."""
        longest = current = 0.0
        for earlier, later in itertools.pairwise(self.samples):
            if later.at < begin or not later.sample.degraded:
                current = 0.0
                continue
            covered = later.sample.elapsed - earlier.sample.elapsed
            current += covered if covered > 0 else later.at - earlier.at
            longest = max(longest, current)
        return longest

    def errors(self, begin: float) -> int:
        """Errors that the load counted from the last sample before ``begin`` on."""
        return growth([one.sample.errors for one in self._since(begin)])

    def _since(self, begin: float) -> Sequence[Sampled]:
        first = next((index for index, one in enumerate(self.samples) if one.at >= begin), len(self.samples))
        return self.samples[max(0, first - 1) :]

    def _sampled(self, at: float, sample: WorkloadSample) -> None:
        self.samples.append(Sampled(at, sample))


def growth(counts: Sequence[int]) -> int:
    """By how much a counter grew, which begins anew at zero now and then."""
    steps = (later - earlier if later >= earlier else later for earlier, later in itertools.pairwise(counts))
    return sum(steps)


def _follow(track: Track, frame: Frame, fault: Fault) -> None:
    at = frame.header.mono_ts
    if fault.state != "countdown":
        track.fault = fault
    if frame.topic == topics.FAULT_INJECTED and track.injected is None:
        track.injected = at - told_late_s(frame.header.wall_ts, fault.injected_at)
    elif frame.topic == topics.FAULT_RECOVERING and track.recovering is None:
        track.recovering = at
    elif frame.topic == topics.FAULT_RECOVERED:
        track.recovered = at
