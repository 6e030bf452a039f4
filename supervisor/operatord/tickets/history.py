"""What the daemon remembers for the agent: a bounded history of frames, and the dossiers made of it.

Topics are let in by name, so that whatever is added to the bus later (``fault.*``, ``demo.*``, ``command.*``) stays
out until someone decides otherwise; log lines are let in by process, and the daemon and its workers are not among
those, save the one that echoes the load.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest
from operator_protocol.models import ClusterEvent, ClusterHealth, ProcessState, Ticket, Violation, WorkloadSample
from operator_protocol.records import from_body
from operator_protocol.topics import CLUSTER_EVENT, CLUSTER_HEALTH, VIOLATION_CLOSED, VIOLATION_OPENED, WORKLOAD_SAMPLE
from operatord.clock import Clock
from operatord.tickets.dossier import WINDOW_S, Dossier, LogLine, Series

T = TypeVar("T")

_SUBJECT_KINDS = ("server", "client")
_KEPT_HEALTH = 300
_KEPT_SAMPLES = 900
_KEPT_EVENTS = 64
"""Changes of state kept for each process."""
_KEPT_LINES = 400
"""Log lines kept for each process."""
_KEPT_POINTS = 600
"""Points kept of each figure of each node: five minutes of observations."""
_FIGURE = re.compile(
    r"p99|latency|lag|memory|ops_per_sec|clients|_share|ping|asked_ms|retransmits|disk_used|sent_per_s|segments_in"
)
"""Figures worth following: gauges that a threshold or an engineer would look at, no counters and no numbers of ids."""
_KEPT_VIOLATIONS = 200
_KEPT_TOLD = 400
"""Events that the servers' logs told, of all nodes."""
_MAX_FIGURES = 24
"""Figures followed for each node."""
_MAX_PROCESSES = 64

_GIVEN_HEALTH = 40
_GIVEN_EVENTS = 64
_GIVEN_LINES = 60
_GIVEN_LINES_IN_ALL = 720
_GIVEN_LINE_CHARS = 400
_GIVEN_POINTS = 60
_GIVEN_SAMPLES = 150
_GIVEN_TOLD = 60
_GIVEN_PREVIOUS = 3
_GIVEN_VIOLATIONS = 100

_TELLTALE = re.compile(r"\b(fault|inject\w*|chapter|demo|chaos|undo\w*)\b", re.IGNORECASE)
"""Words in the supervisor's reason for a state that would tell who did it."""


@dataclass(slots=True)
class _Process:
    """What is remembered of one process of the subject."""

    events: deque[ProcessState] = field(default_factory=lambda: deque(maxlen=_KEPT_EVENTS))
    lines: deque[LogLine] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))


class History:
    """Sees every frame, keeps what belongs into a dossier."""

    def __init__(self, wall: Clock = time.time, *, load_workers: Iterable[str] = ("ycsb",)) -> None:
        self._wall = wall
        self._health: deque[ClusterHealth] = deque(maxlen=_KEPT_HEALTH)
        self._latest: ClusterHealth | None = None
        self._figures: dict[tuple[str, str], deque[tuple[float, float]]] = {}
        self._figures_of: dict[str, int] = {}
        self._samples: deque[WorkloadSample] = deque(maxlen=_KEPT_SAMPLES)
        self._told: deque[ClusterEvent] = deque(maxlen=_KEPT_TOLD)
        self._processes: dict[str, _Process] = {name: _Process() for name in load_workers}
        self._open: dict[str, Violation] = {}
        self._ended: deque[Violation] = deque(maxlen=_KEPT_VIOLATIONS)
        self._takers: dict[str, Callable[[Body], None]] = {
            CLUSTER_HEALTH: self._take_health,
            CLUSTER_EVENT: self._take_event,
            WORKLOAD_SAMPLE: self._take_sample,
            VIOLATION_OPENED: self._take_opened,
            VIOLATION_CLOSED: self._take_closed,
        }

    def see(self, topic: str, body: Body) -> None:
        """Take one frame. What does not belong into a dossier, or is malformed, is passed over."""
        try:
            taker = self._takers.get(topic)
            if taker is not None:
                taker(body)
            elif topic.startswith("process."):
                self._take_process(topic, body)
        except BadRequest:
            return

    def open_violations(self) -> list[Violation]:
        """Those open now; what a restarted monitor is configured with."""
        return list(self._open.values())

    def dossier(self, ticket: Ticket, previous: Sequence[Ticket] = ()) -> Dossier:
        """Everything about ``ticket``; ``previous`` are earlier tickets alike, newest first."""
        onset_at = self._onset(ticket)
        processes = self._processes.items()
        lines_each = max(4, min(_GIVEN_LINES, _GIVEN_LINES_IN_ALL // len(processes)))
        events = [event for _name, process in processes for event in _events_around(process.events, onset_at)]
        logs = {name: _lines_around(process.lines, onset_at, lines_each) for name, process in processes}
        return Dossier(
            ticket=_slim(ticket),
            onset_at=onset_at,
            built_at=self._wall(),
            violations=_nearest(list(self._open.values()), _seen_first, onset_at, _GIVEN_VIOLATIONS),
            ended=_around(self._ended, lambda one: one.last_seen_at, onset_at, _GIVEN_VIOLATIONS),
            health_history=self._health_around(onset_at),
            process_events=_nearest(sorted(events, key=_since), _since, onset_at, _GIVEN_EVENTS),
            logs={name: lines for name, lines in logs.items() if lines},
            events=_around(self._told, lambda event: event.at, onset_at, _GIVEN_TOLD),
            workload=_around(self._samples, lambda sample: sample.sampled_at, onset_at, _GIVEN_SAMPLES),
            series=self._series_around(onset_at),
            previous=[_slim(one) for one in previous[:_GIVEN_PREVIOUS]],
        )

    def _onset(self, ticket: Ticket) -> float:
        """When the violation behind ``ticket`` was first seen; the ticket itself is opened after the grace period."""
        seen = [
            one.first_seen_at
            for one in (*self._open.values(), *self._ended)
            if one.invariant == ticket.invariant
            and one.node == ticket.node
            and ticket.opened_at - WINDOW_S <= one.first_seen_at <= ticket.opened_at
        ]
        return min(max(seen, default=ticket.opened_at), ticket.opened_at)

    def _take_health(self, body: Body) -> None:
        health = from_body(ClusterHealth, body)
        if self._latest is None or _signature(self._latest) != _signature(health):
            self._health.append(health)
        self._latest = health
        for node in health.nodes:
            for name, value in node.detail.items():
                if isinstance(value, int | float) and not isinstance(value, bool) and _FIGURE.search(name):
                    self._follow(node.id, name, health.observed_at, float(value))

    def _follow(self, node: str, name: str, at: float, value: float) -> None:
        points = self._figures.get((node, name))
        if points is None:
            followed = self._figures_of.get(node, 0)
            if followed >= _MAX_FIGURES:
                return
            self._figures_of[node] = followed + 1
            points = self._figures[node, name] = deque(maxlen=_KEPT_POINTS)
        points.append((at, value))

    def _take_event(self, body: Body) -> None:
        event = from_body(ClusterEvent, body)
        self._told.append(replace(event, text=event.text[:_GIVEN_LINE_CHARS]))

    def _take_sample(self, body: Body) -> None:
        self._samples.append(from_body(WorkloadSample, body))

    def _take_opened(self, body: Body) -> None:
        violation = from_body(Violation, body)
        self._open[violation.id] = violation

    def _take_closed(self, body: Body) -> None:
        violation = from_body(Violation, body)
        self._open.pop(violation.id, None)
        self._ended.append(violation)

    def _take_process(self, topic: str, body: Body) -> None:
        name, _, what = topic.removeprefix("process.").rpartition(".")
        if what == "log":
            process = self._processes.get(name) or self._of_container(name)
            line = body.get("line")
            if process is not None and isinstance(line, str):
                process.lines.append(LogLine(self._wall(), line[:_GIVEN_LINE_CHARS]))
        elif what == "state" and body.get("kind") in _SUBJECT_KINDS:
            process = self._processes.get(name)
            if process is None:
                if len(self._processes) >= _MAX_PROCESSES:
                    return
                process = self._processes[name] = _Process()
            state = from_body(ProcessState, body)
            if not process.events or _life(process.events[-1]) != _life(state):
                process.events.append(replace(state, reason="") if _TELLTALE.search(state.reason) else state)

    def _of_container(self, name: str) -> _Process | None:
        """A node that is no process of ours: only its lines are known."""
        is_node = self._latest is not None and any(node.id == name for node in self._latest.nodes)
        if not is_node or len(self._processes) >= _MAX_PROCESSES:
            return None
        return self._processes.setdefault(name, _Process())

    def _health_around(self, onset_at: float) -> list[ClusterHealth]:
        changes = _with_last_before(self._health, onset_at, _observed)
        chosen = _nearest(changes, _observed, onset_at, _GIVEN_HEALTH)
        if changes and chosen and chosen[0] is not changes[0]:
            chosen[0] = changes[0]
        if self._latest is not None and (not chosen or chosen[-1] is not self._latest):
            chosen.append(self._latest)
        return chosen

    def _series_around(self, onset_at: float) -> list[Series]:
        found = []
        for (node, name), points in self._figures.items():
            window = [point for point in points if abs(point[0] - onset_at) <= WINDOW_S]
            values = [value for _at, value in window]
            if len(values) < 2 or min(values) == max(values):
                continue
            # Thinned from the end, so that the present value is always among them.
            thinned = window[:: -max(1, -(-len(window) // _GIVEN_POINTS))][::-1]
            found.append(Series(node, name, [at for at, _value in thinned], [value for _at, value in thinned]))
        return found


def _slim(ticket: Ticket) -> Ticket:
    if ticket.diagnosis is None:
        return ticket
    return replace(ticket, diagnosis=replace(ticket.diagnosis, evidence=[], markdown=""))


def _signature(health: ClusterHealth) -> object:
    """What makes two observations different states of the subject rather than two readings of the same."""
    nodes = tuple(
        (
            node.id,
            node.role,
            node.group,
            node.state,
            tuple(sorted(node.signals.items())),
            tuple(sorted((key, value) for key, value in node.detail.items() if _is_mark(value))),
        )
        for node in health.nodes
    )
    return health.ok, health.reason if health.ok is None else "", nodes


def _is_mark(value: object) -> bool:
    """A word or a flag. Sentences are left out: they carry figures (``has not answered for 1.2 s``)."""
    return isinstance(value, bool) or (isinstance(value, str) and " " not in value)


def _life(state: ProcessState) -> object:
    return state.state, state.pid, state.restarts, state.exit_code, state.signal


def _since(state: ProcessState) -> float:
    return state.since_at


def _observed(health: ClusterHealth) -> float:
    return health.observed_at


def _written(line: LogLine) -> float:
    return line.at


def _lines_around(lines: Iterable[LogLine], onset_at: float, most: int) -> list[LogLine]:
    """With the last line from before the window: a server that wrote nothing for an hour has last words too."""
    return _nearest(_with_last_before(lines, onset_at, _written), _written, onset_at, most)


def _seen_first(violation: Violation) -> float:
    return violation.first_seen_at


def _events_around(events: Sequence[ProcessState], onset_at: float) -> list[ProcessState]:
    chosen = _with_last_before(events, onset_at, _since)
    if events and (not chosen or chosen[-1] is not events[-1]):
        chosen.append(events[-1])
    return chosen


def _around(items: Iterable[T], at: Callable[[T], float], onset_at: float, most: int) -> list[T]:
    """Those within the window, and of too many the ones nearest to the onset; in their order."""
    inside = [item for item in items if abs(at(item) - onset_at) <= WINDOW_S]
    return _nearest(inside, at, onset_at, most)


def _nearest(items: Sequence[T], at: Callable[[T], float], onset_at: float, most: int) -> list[T]:
    if len(items) <= most:
        return list(items)
    ranked = sorted(range(len(items)), key=lambda index: abs(at(items[index]) - onset_at))
    return [items[index] for index in sorted(ranked[:most])]


def _with_last_before(items: Iterable[T], onset_at: float, at: Callable[[T], float]) -> list[T]:
    """Those from the window on to its end, after the last one from before it: the state that the window began in."""
    before: T | None = None
    inside = []
    for item in items:
        moment = at(item)
        if moment < onset_at - WINDOW_S:
            before = item
        elif moment <= onset_at + WINDOW_S:
            inside.append(item)
    return inside if before is None else [before, *inside]
