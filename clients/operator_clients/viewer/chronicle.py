"""Frames turned into lines that a person wants to read.

Most frames repeat what is known; a line is written for what changed. The monitor panel shows the recent ones, the
plain mode prints them all.
"""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from operator_clients.format import clean, duration, number
from operator_clients.viewer.theme import NODE, Tone, signal_name
from operator_protocol import topics
from operator_protocol.codec import Body
from operator_protocol.frames import Frame
from operator_protocol.models import (
    Action,
    ActionStatus,
    AgentStep,
    ChapterState,
    ClusterEvent,
    ClusterHealth,
    Diagnosis,
    Fault,
    Node,
    NodeState,
    ProcessState,
    Ticket,
    TicketDiagnosis,
    Violation,
    WorkloadSample,
)
from operator_protocol.records import from_body
from operator_protocol.state import State

Kind = Literal[
    "link",
    "node",
    "event",
    "violation",
    "ticket",
    "process",
    "fault",
    "chapter",
    "agent",
    "diagnosis",
    "action",
    "workload",
    "command",
]


_DIGITS = re.compile(r"\d+")


class LogLine(NamedTuple):
    """One thing that happened."""

    at: float
    """Wall clock, seconds."""
    kind: Kind
    tone: Tone
    text: str
    """One line, free of control characters."""


def diagnosis_of(body: Body) -> tuple[int, Diagnosis]:
    """Ticket and diagnosis of an ``agent.diagnosis`` frame. Raises ``BadRequest``."""
    told = from_body(TicketDiagnosis, body)
    return told.ticket, told.diagnosis


def about(invariant: str, node: str | None) -> str:
    """``node_down valkey-1``, or the invariant alone where no node is meant."""
    return f"{invariant} {node}" if node else invariant


class Chronicle:
    """Remembers what was said last, so that only changes become lines."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._processes: dict[str, ProcessState] = {}
        self._chapter: tuple[int, str, str] | None = None
        self._degraded: bool | None = None
        self._ok: bool | None = True
        self._tickets: dict[int, str] = {}
        self._diagnosed: dict[int, str] = {}
        self._tellers: dict[str, Callable[[Body, float], list[LogLine]]] = {
            topics.CLUSTER_HEALTH: self._health,
            topics.CLUSTER_EVENT: self._event,
            topics.VIOLATION_OPENED: self._violation_opened,
            topics.VIOLATION_CLOSED: self._violation_closed,
            topics.TICKET_OPENED: self._ticket,
            topics.TICKET_UPDATED: self._ticket,
            topics.TICKET_RESOLVED: self._ticket,
            topics.AGENT_STEP: self._step,
            topics.AGENT_DIAGNOSIS: self._diagnosis,
            topics.ACTION_PROPOSED: self._action,
            topics.ACTION_APPROVED: self._action,
            topics.ACTION_REJECTED: self._action,
            topics.ACTION_EXPIRED: self._action,
            topics.ACTION_STARTED: self._action,
            topics.ACTION_FINISHED: self._action,
            topics.FAULT_COUNTDOWN: self._fault,
            topics.FAULT_INJECTED: self._fault,
            topics.FAULT_RECOVERING: self._fault,
            topics.FAULT_RECOVERED: self._fault,
            topics.FAULT_FAILED: self._fault,
            topics.DEMO_CHAPTER: self._chapter_entered,
            topics.WORKLOAD_SAMPLE: self._sample,
        }

    def settle(self, state: State) -> None:
        """Take ``state`` as known, without a line about it: what a snapshot says is not news."""
        self._nodes = dict(state.nodes)
        self._processes = dict(state.processes)
        self._chapter = _chapter_key(state.demo) if state.demo else None
        self._degraded = state.workload[-1].degraded if state.workload else None
        self._ok = state.cluster.ok if state.cluster else True
        self._tickets = {ticket.id: ticket.status for ticket in state.tickets.values()}

    def lines(self, frame: Frame) -> list[LogLine]:
        """What ``frame`` tells that was not known. Raises ``BadRequest`` for a body of the wrong shape."""
        teller = self._tellers.get(frame.topic)
        if teller is None and frame.topic.startswith("process.") and frame.topic.endswith(".state"):
            teller = self._process
        if teller is None:
            return []
        return [line._replace(text=clean(line.text)) for line in teller(frame.body, frame.header.wall_ts)]

    def _health(self, body: Body, at: float) -> list[LogLine]:
        health = from_body(ClusterHealth, body)
        lines = [line for node in health.nodes for line in self._node(node, at)]
        if health.nodes:
            self._nodes = {node.id: node for node in health.nodes}
        if health.ok is None and self._ok is not None:
            lines.append(LogLine(at, "node", "warn", f"{health.subject} could not be observed: {health.reason}"))
        elif health.ok is not None and self._ok is None:
            lines.append(LogLine(at, "node", "info", f"{health.subject} can be observed again"))
        elif health.ok is True and self._ok is False:
            lines.append(LogLine(at, "node", "good", f"{health.subject} is healthy again"))
        self._ok = health.ok
        return lines

    def _event(self, body: Body, at: float) -> list[LogLine]:
        event = from_body(ClusterEvent, body)
        more = f" (and {event.held_back} more)" if event.held_back else ""
        return [LogLine(at, "event", _EVENT_TONE.get(event.kind, "plain"), f"{event.node}: {event.text}{more}")]

    def _node(self, node: Node, at: float) -> list[LogLine]:
        before = self._nodes.get(node.id)
        if before is None:
            return []
        lines = []
        if before.state != node.state:
            words = f"{node.id} {NODE[before.state].word} → {NODE[node.state].word}"
            lines.append(LogLine(at, "node", _NODE_TONE[node.state], words))
        if before.role != node.role and node.role and before.role:
            lines.append(LogLine(at, "node", "info", f"{node.id} {before.role} → {node.role}"))
        return lines

    def _process(self, body: Body, at: float) -> list[LogLine]:
        process = from_body(ProcessState, body)
        before = self._processes.get(process.name)
        self._processes[process.name] = process
        if before is None or (before.state, before.restarts, before.pid) == (
            process.state,
            process.restarts,
            process.pid,
        ):
            return []
        text, tone = _process_words(before, process)
        return [LogLine(at, "process", tone, text)] if text else []

    def _violation_opened(self, body: Body, at: float) -> list[LogLine]:
        violation = from_body(Violation, body)
        tone: Tone = "warn" if violation.severity != "critical" else "bad"
        return [
            LogLine(at, "violation", tone, f"{about(violation.invariant, violation.node)}: {violation.message}"),
        ]

    def _violation_closed(self, body: Body, at: float) -> list[LogLine]:
        violation = from_body(Violation, body)
        lasted = duration(max(0.0, violation.last_seen_at - violation.first_seen_at))
        return [
            LogLine(
                at, "violation", "good", f"{about(violation.invariant, violation.node)} holds again (broken {lasted})"
            )
        ]

    def _ticket(self, body: Body, at: float) -> list[LogLine]:
        ticket = from_body(Ticket, body)
        if self._tickets.get(ticket.id) == ticket.status:
            return []
        self._tickets[ticket.id] = ticket.status
        if ticket.status == "diagnosing":
            return []
        tone: Tone = "good" if ticket.status == "resolved" else "warn" if ticket.status == "escalated" else "info"
        return [
            LogLine(at, "ticket", tone, f"ticket #{ticket.id} {ticket.status}: {about(ticket.invariant, ticket.node)}")
        ]

    def _step(self, body: Body, at: float) -> list[LogLine]:
        step = from_body(AgentStep, body)
        return [LogLine(at, "agent", "plain", f"#{step.ticket} {step.kind}: {step.text}")]

    def _diagnosis(self, body: Body, at: float) -> list[LogLine]:
        ticket, diagnosis = diagnosis_of(body)
        if self._diagnosed.get(ticket) == diagnosis.summary:
            return []
        self._diagnosed[ticket] = diagnosis.summary
        cause = f"{diagnosis.cause} on {diagnosis.component}" if diagnosis.component else diagnosis.cause
        sure = f"confidence {diagnosis.confidence:.0%}, by {diagnosis.source}"
        return [LogLine(at, "diagnosis", "info", f"#{ticket} {diagnosis.summary} [{cause}; {sure}]")]

    def _action(self, body: Body, at: float) -> list[LogLine]:
        action = from_body(Action, body)
        return [LogLine(at, "action", _ACTION_TONE[action.status], action_words(action))]

    def _fault(self, body: Body, at: float) -> list[LogLine]:
        fault = from_body(Fault, body)
        what = f"{fault.kind} {fault.target}"
        if fault.state == "countdown":
            return [LogLine(at, "fault", "fault", f"{what} in {fault.remaining}…")] if fault.remaining else []
        if fault.state == "active":
            return [LogLine(at, "fault", "fault", f"injected: {what}")]
        if fault.state == "recovering":
            return [LogLine(at, "fault", "info", f"undoing: {what}")]
        if fault.state == "recovered":
            by = f" (by {fault.recovered_by})" if fault.recovered_by else ""
            return [LogLine(at, "fault", "good", f"recovered: {what}{by}")]
        if fault.state == "failed":
            return [LogLine(at, "fault", "bad", f"fault not carried out: {what} {fault.error}".rstrip())]
        return []

    def _chapter_entered(self, body: Body, at: float) -> list[LogLine]:
        chapter = from_body(ChapterState, body)
        key, before = _chapter_key(chapter), self._chapter
        self._chapter = key
        if key == before:
            return []
        if before is not None and key[:2] == before[:2]:
            return [LogLine(at, "chapter", "plain", chapter.narration)]
        text = f"{progress(chapter)} {chapter.title}: {chapter.narration}"
        return [LogLine(at, "chapter", "info", text)]

    def _sample(self, body: Body, at: float) -> list[LogLine]:
        sample = from_body(WorkloadSample, body)
        before, self._degraded = self._degraded, sample.degraded
        ops = f"{number(sample.ops_per_sec)} ops/s"
        if before is None:
            return [LogLine(at, "workload", "info", f"load is running: {ops}")]
        if sample.degraded and not before:
            baseline = f" of {number(sample.baseline)}" if sample.baseline is not None else ""
            return [LogLine(at, "workload", "bad", f"load degraded: {ops}{baseline}")]
        if before and not sample.degraded:
            return [LogLine(at, "workload", "good", f"load is back: {ops}")]
        return []


def progress(chapter: ChapterState) -> str:
    """``[3/8]``: people count chapters from one."""
    return f"[{chapter.index + 1}/{chapter.total}]"


def _chapter_key(chapter: ChapterState) -> tuple[int, str, str]:
    """What makes a narration another one; a number that counts up in it does not."""
    return chapter.index, chapter.title, _DIGITS.sub("#", chapter.narration)


def action_words(action: Action) -> str:
    """How an action stands, in one line; with what a person can do about it."""
    words = f"action {action.id} {action.kind} {action.target}"
    match action.status:
        case "proposed":
            return f"{words} ({action.risk}) waits for: operatorctl approve {action.id}"
        case "approved" | "running":
            return f"{words} {action.status}" + (f", by {action.decided_by}" if action.decided_by else "")
        case _:
            return f"{words} {action.status}" + (f": {action.result}" if action.result else "")


_ACTION_TONE: dict[ActionStatus, Tone] = {
    "proposed": "warn",
    "approved": "info",
    "running": "info",
    "succeeded": "good",
    "failed": "bad",
    "rejected": "plain",
    "expired": "plain",
}
_EVENT_TONE: dict[str, Tone] = {"unreachable": "warn", "disk": "warn", "slow_query": "warn", "fatal": "bad"}
_NODE_TONE: dict[NodeState, Tone] = {"up": "good", "degraded": "warn", "down": "bad", "unknown": "warn"}


def _process_words(before: ProcessState, process: ProcessState) -> tuple[str, Tone]:
    """What to say of a process whose state changed; nothing for the steps of an ordinary start."""
    name = process.name
    if process.state == "ready":
        if process.restarts > before.restarts or before.state in ("backoff", "failed", "starting"):
            return (f"{name} is back (restart {process.restarts})" if process.restarts else f"{name} is ready"), "good"
        return f"{name} is ready", "good"
    if process.kind == "declared" and process.state == "failed" and process.reason:
        return f"{name} failed: {process.reason}", "bad"
    if process.state in ("backoff", "failed"):
        return f"{name} {_ending(process)}", "bad"
    if process.state == "stopped" and before.state != "stopped":
        if before.state == "stopping":
            return f"{name} stopped", "plain"
        return f"{name} {_ending(process)}", "plain" if process.exit_code == 0 else "bad"
    if process.state == "starting" and process.restarts > before.restarts and before.state == "ready":
        return f"{name} {_ending(process)}, restarting", "bad"
    return "", "plain"


def _ending(process: ProcessState) -> str:
    if process.signal:
        return f"ended by {signal_name(process.signal)}"
    if process.exit_code is not None:
        return f"ended with exit code {process.exit_code}"
    return f"failed: {process.reason}" if process.reason else "ended"
