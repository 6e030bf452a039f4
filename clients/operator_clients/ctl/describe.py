"""A frame in one line, for people: ``events``, ``wait`` and the timeline of ``demo``."""

from collections.abc import Callable, Mapping
from typing import Any

from operator_clients.ctl.output import clean, clock, maps, ops
from operator_protocol import topics
from operator_protocol.frames import Frame

Body = Mapping[str, Any]


def describe(topic: str, body: Body) -> str:
    """What the frame says, without its topic."""
    teller = _TELLERS.get(topic)
    if teller is not None:
        return clean(teller(body))
    family, _, rest = topic.partition(".")
    if family == "process":
        return clean(_process_log(body) if rest.endswith(".log") else _process_state(body))
    return clean(", ".join(f"{key}={value}" for key, value in body.items()))


def event_line(frame: Frame) -> str:
    """One line of ``operatorctl events``."""
    return f"{clock(frame.header.wall_ts)}  {frame.topic:<22}  {describe(frame.topic, frame.body)}"


def event_document(frame: Frame) -> dict[str, Any]:
    """One JSON line of ``operatorctl events --json``."""
    header = frame.header
    return {
        "topic": frame.topic,
        "seq": header.seq,
        "topic_seq": header.topic_seq,
        "wall_ts": header.wall_ts,
        "mono_ts": header.mono_ts,
        "source": header.source,
        "boot_id": header.boot_id,
        "body": frame.body,
    }


def _health(body: Body) -> str:
    nodes = maps(body.get("nodes"))
    ok = body.get("ok")
    word = "unknown" if ok is None else "healthy" if ok else "not healthy"
    away = [f"{node.get('id')} {node.get('state')}" for node in nodes if node.get("state") != "up"]
    up = sum(node.get("state") == "up" for node in nodes)
    reason = f": {body['reason']}" if body.get("reason") else ""
    return f"{word}, {up} of {len(nodes)} nodes up{reason}" + (f" ({', '.join(away)})" if away else "")


def _event(body: Body) -> str:
    held_back = f" ({body['held_back']} more not told)" if body.get("held_back") else ""
    return f"{body.get('node')} {body.get('kind')}: {body.get('text')}{held_back}"


def _sample(body: Body) -> str:
    degraded = ", degraded" if body.get("degraded") else ""
    return f"{ops(body.get('ops_per_sec'))}{degraded}, {body.get('errors_per_sec', 0):,.0f} errors/s"


def _violation(body: Body) -> str:
    return f"{body.get('invariant')} on {body.get('node') or 'the cluster'}: {body.get('message')}"


def _held_again(body: Body) -> str:
    return f"{body.get('invariant')} on {body.get('node') or 'the cluster'} holds again"


def _ticket(body: Body) -> str:
    return f"ticket {body.get('id')} {body.get('status')}: {_violation(body)}"


def _step(body: Body) -> str:
    return f"ticket {body.get('ticket')} {body.get('kind')}: {body.get('text')}"


def _diagnosis(body: Body) -> str:
    diagnosis = body.get("diagnosis") or {}
    first = "preliminary, " if diagnosis.get("preliminary") else ""
    return f"ticket {body.get('ticket')}: {diagnosis.get('summary')} ({first}by {diagnosis.get('source')})"


def _action(body: Body) -> str:
    ticket = f" for ticket {body['ticket']}" if body.get("ticket") is not None else ""
    by = body.get("proposed_by") if body.get("status") == "proposed" else body.get("decided_by")
    told = f": {body['result']}" if body.get("result") else f", by {by}" if by else ""
    return f"action {body.get('id')}{ticket}: {body.get('kind')} {body.get('target')} {body.get('status')}{told}"


def _switch(body: Body) -> str:
    return "the agent is on" if body.get("on") else f"the agent is off ({body.get('off_reason')})"


def _fault(body: Body) -> str:
    role = f" ({body['role']})" if body.get("role") else ""
    error = f": {body['error']}" if body.get("error") else ""
    remaining = f" in {body['remaining']} s" if body.get("remaining") is not None else ""
    return f"{body.get('kind')} {body.get('target')}{role} {body.get('state')}{remaining}{error}"


def _chapter(body: Body) -> str:
    return f"{body.get('index')} {body.get('title')}" + (", busy" if body.get("busy") else "")


def _message(body: Body) -> str:
    payload = body.get("payload")
    subject = payload.get("subject") if isinstance(payload, dict) else ""
    ack = f", acknowledged by {body.get('ack_by')}" if body.get("acknowledged") else ""
    return f"{body.get('type')} from {body.get('from')} to {body.get('to')}{ack}: {subject}"


def _activity(body: Body) -> str:
    steps = maps(body.get("steps"))
    done = sum(step.get("status") == "completed" for step in steps)
    now = next((f", {step.get('name')}" for step in steps if step.get("status") == "running"), "")
    error = f": {body['error']}" if body.get("error") else ""
    told = f"{body.get('id')} {body.get('status')}, {done} of {len(steps)} steps{now}{error}"
    return f"{body.get('operation')}: {told}"


def _invariants(body: Body) -> str:
    return f"{body.get('subject', '')}: {len(body.get('invariants') or [])} invariants are checked"


def _finished(body: Body) -> str:
    error = body.get("error")
    return f"{body.get('cmd')} " + (f"failed: {error.get('message')}" if isinstance(error, dict) else "done")


def _process_log(body: Body) -> str:
    dropped = f" ({body['dropped']} lines dropped)" if body.get("dropped") else ""
    return f"{body.get('line', '')}{dropped}"


def _process_state(body: Body) -> str:
    pid = f", pid {body['pid']}" if body.get("pid") else ""
    reason = f": {body['reason']}" if body.get("reason") else ""
    return f"{body.get('name', '')} {body.get('state')}{pid}{reason}"


_TELLERS: dict[str, Callable[[Body], str]] = {
    topics.CLUSTER_HEALTH: _health,
    topics.CLUSTER_EVENT: _event,
    topics.CLUSTER_INVARIANTS: _invariants,
    topics.WORKLOAD_SAMPLE: _sample,
    topics.VIOLATION_OPENED: _violation,
    topics.VIOLATION_CLOSED: _held_again,
    topics.TICKET_OPENED: _ticket,
    topics.TICKET_UPDATED: _ticket,
    topics.TICKET_RESOLVED: _ticket,
    topics.AGENT_STEP: _step,
    topics.AGENT_SWITCH: _switch,
    topics.AGENT_DIAGNOSIS: _diagnosis,
    topics.ACTION_PROPOSED: _action,
    topics.ACTION_APPROVED: _action,
    topics.ACTION_REJECTED: _action,
    topics.ACTION_EXPIRED: _action,
    topics.ACTION_STARTED: _action,
    topics.ACTION_FINISHED: _action,
    topics.FAULT_COUNTDOWN: _fault,
    topics.FAULT_INJECTED: _fault,
    topics.FAULT_RECOVERING: _fault,
    topics.FAULT_RECOVERED: _fault,
    topics.FAULT_FAILED: _fault,
    topics.DEMO_CHAPTER: _chapter,
    topics.COORDINATION_MESSAGE: _message,
    topics.DEVOPS_ACTIVITY: _activity,
    topics.COMMAND_FINISHED: _finished,
}
