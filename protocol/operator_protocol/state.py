"""The state that the frames describe, and the one reducer that applies them.

The daemon keeps a ``State`` to answer ``snapshot``; each client keeps one that starts as such a snapshot and follows
the bus. Both sides use this same code, so a client that missed nothing shows what the daemon knows.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.models import (
    Action,
    AgentState,
    ChapterState,
    ClusterHealth,
    CoordinationMessage,
    DevOpsActivity,
    Expiry,
    Fault,
    InvariantKind,
    InvariantTable,
    Node,
    ProcessState,
    Ticket,
    Violation,
    WorkloadSample,
)
from operator_protocol.records import from_body, to_body

WORKLOAD_WINDOW = 120
"""Samples kept, one a second."""
MESSAGES = 100
"""Coordination messages kept."""
ACTIVITIES = 20
"""DevOps activities kept."""


class State:
    """Collections, not last frames: what is true now."""

    def __init__(self) -> None:
        self.cluster: ClusterHealth | None = None
        self.nodes: dict[str, Node] = {}
        self.processes: dict[str, ProcessState] = {}
        self.invariants: dict[str, InvariantKind] = {}
        """What the monitor checks, by name, in its order; empty of a daemon that does not tell."""
        self.violations: dict[str, Violation] = {}
        """Open ones, by id."""
        self.tickets: dict[int, Ticket] = {}
        """Those that are not resolved, by id."""
        self.faults: dict[str, Fault] = {}
        """Those that count down or are owed, by id."""
        self.actions: dict[int, Action] = {}
        """Those that wait for a decision or for their turn, or run, by id."""
        self.agent: AgentState | None = None
        """Whether the agent may act, and how far; None of a daemon that does not tell."""
        self.demo: ChapterState | None = None
        self.workload: deque[WorkloadSample] = deque(maxlen=WORKLOAD_WINDOW)
        self.coordination: dict[str, CoordinationMessage] = {}
        """The newest ones, by id, oldest first."""
        self.devops: dict[str, DevOpsActivity] = {}
        """Those under way and the newest of the others, by id."""
        self.version: dict[str, str] = {}
        """``{operatord, subject}`` of the daemon."""

    def apply(self, topic: str, body: Body) -> None:
        """Apply one frame. Topics that carry no state are ignored; a malformed body raises ``BadRequest``."""
        reducer = _REDUCERS.get(topic)
        if reducer is None and topic.startswith("process.") and topic.endswith(".state"):
            reducer = _process_state
        if reducer is not None:
            reducer(self, body)

    def to_wire(self) -> Body:
        """The ``state`` member of a snapshot."""
        return {
            "cluster": to_body(self.cluster) if self.cluster else None,
            "nodes": _records(self.nodes),
            "processes": _records(self.processes),
            "invariants": _records(self.invariants),
            "violations": _records(self.violations),
            "tickets": _records(self.tickets),
            "faults": _records(self.faults),
            "actions": _records(self.actions),
            "agent": to_body(self.agent) if self.agent else None,
            "demo": to_body(self.demo) if self.demo else None,
            "workload": {
                "last": to_body(self.workload[-1]) if self.workload else None,
                "window": [to_body(sample) for sample in self.workload],
            },
            "devops": _records(self.devops),
            "coordination": _records(self.coordination),
            "version": dict(self.version),
        }

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> "State":
        """Rebuild a state from the ``state`` member of a snapshot."""
        state = cls()
        if body.get("cluster"):
            state.cluster = from_body(ClusterHealth, body["cluster"])
        state.nodes = {node.id: node for node in _read(Node, body, "nodes")}
        state.processes = {process.name: process for process in _read(ProcessState, body, "processes")}
        state.invariants = {one.name: one for one in _read(InvariantKind, body, "invariants")}
        state.violations = {violation.id: violation for violation in _read(Violation, body, "violations")}
        state.tickets = {ticket.id: ticket for ticket in _read(Ticket, body, "tickets")}
        state.faults = {fault.id: fault for fault in _read(Fault, body, "faults")}
        state.actions = {action.id: action for action in _read(Action, body, "actions")}
        if body.get("agent"):
            state.agent = from_body(AgentState, body["agent"])
        if body.get("demo"):
            state.demo = from_body(ChapterState, body["demo"])
        workload = body.get("workload") or {}
        state.workload.extend(from_body(WorkloadSample, sample) for sample in workload.get("window") or [])
        state.coordination = {message.id: message for message in _read(CoordinationMessage, body, "coordination")}
        state.devops = {activity.id: activity for activity in _read(DevOpsActivity, body, "devops")}
        state.version = dict(body.get("version") or {})
        return state


def _records(collection: Mapping[Any, object]) -> list[Body]:
    return [to_body(record) for record in collection.values()]


def _read(cls: type[Any], body: Mapping[str, Any], key: str) -> list[Any]:
    return [from_body(cls, item) for item in body.get(key) or []]


def _cluster_health(state: State, body: Body) -> None:
    health = from_body(ClusterHealth, body)
    state.cluster = health
    if health.nodes:
        state.nodes = {node.id: node for node in health.nodes}


def _invariants(state: State, body: Body) -> None:
    state.invariants = {one.name: one for one in from_body(InvariantTable, body).invariants}


def _workload_sample(state: State, body: Body) -> None:
    sample = from_body(WorkloadSample, body)
    if state.workload and sample.elapsed < state.workload[-1].elapsed:
        state.workload.clear()
    state.workload.append(sample)


def _violation_opened(state: State, body: Body) -> None:
    violation = from_body(Violation, body)
    state.violations[violation.id] = violation


def _violation_closed(state: State, body: Body) -> None:
    state.violations.pop(from_body(Violation, body).id, None)


def _ticket(state: State, body: Body) -> None:
    ticket = from_body(Ticket, body)
    if ticket.status == "resolved":
        state.tickets.pop(ticket.id, None)
    else:
        state.tickets[ticket.id] = ticket


def _fault(state: State, body: Body) -> None:
    fault = from_body(Fault, body)
    if fault.owed or fault.state == "countdown":
        state.faults[fault.id] = fault
    else:
        state.faults.pop(fault.id, None)


def _action(state: State, body: Body) -> None:
    action = from_body(Action, body)
    if action.status in ("proposed", "approved", "running"):
        state.actions[action.id] = action
    else:
        state.actions.pop(action.id, None)


def _switch(state: State, body: Body) -> None:
    state.agent = from_body(AgentState, body)


def _chapter(state: State, body: Body) -> None:
    state.demo = from_body(ChapterState, body)


def _message(state: State, body: Body) -> None:
    message = from_body(CoordinationMessage, body)
    state.coordination[message.id] = message
    while len(state.coordination) > MESSAGES:
        del state.coordination[next(iter(state.coordination))]


def _activity(state: State, body: Body) -> None:
    activity = from_body(DevOpsActivity, body)
    state.devops[activity.id] = activity
    while len(state.devops) > ACTIVITIES:
        del state.devops[min(state.devops.values(), key=_least_wanted).id]


def _least_wanted(activity: DevOpsActivity) -> tuple[bool, float]:
    return activity.status == "in_progress", activity.started_at


def _expired(state: State, body: Body) -> None:
    before = from_body(Expiry, body).before
    state.coordination = {key: one for key, one in state.coordination.items() if one.timestamp >= before}
    state.devops = {key: one for key, one in state.devops.items() if one.updated_at >= before}


def _process_state(state: State, body: Body) -> None:
    process = from_body(ProcessState, body)
    if process.gone:
        state.processes.pop(process.name, None)
    else:
        state.processes[process.name] = process


_REDUCERS: dict[str, Callable[[State, Body], None]] = {
    "cluster.health": _cluster_health,
    "cluster.invariants": _invariants,
    "workload.sample": _workload_sample,
    "violation.opened": _violation_opened,
    "violation.closed": _violation_closed,
    "ticket.opened": _ticket,
    "ticket.updated": _ticket,
    "ticket.resolved": _ticket,
    "fault.countdown": _fault,
    "fault.injected": _fault,
    "fault.recovering": _fault,
    "fault.recovered": _fault,
    "fault.failed": _fault,
    "action.proposed": _action,
    "action.approved": _action,
    "action.rejected": _action,
    "action.expired": _action,
    "action.started": _action,
    "action.finished": _action,
    "agent.switch": _switch,
    "demo.chapter": _chapter,
    "coordination.message": _message,
    "coordination.expired": _expired,
    "devops.activity": _activity,
}
