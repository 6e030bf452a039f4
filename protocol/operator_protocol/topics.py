"""Names of topics, and which of them a subscriber wants.

A topic is dotted UTF-8. ZeroMQ matches prefixes, so everything that filters compares whole topics again: a filter is
either a whole topic (``workload.sample``) or a family that ends in a dot (``process.``).
"""

import re
from collections.abc import Iterable

HEARTBEAT = "heartbeat"
CLUSTER_HEALTH = "cluster.health"
CLUSTER_EVENT = "cluster.event"
CLUSTER_INVARIANTS = "cluster.invariants"
WORKLOAD_SAMPLE = "workload.sample"
VIOLATION_OPENED = "violation.opened"
VIOLATION_CLOSED = "violation.closed"
TICKET_OPENED = "ticket.opened"
TICKET_UPDATED = "ticket.updated"
TICKET_RESOLVED = "ticket.resolved"
AGENT_STEP = "agent.step"
AGENT_DIAGNOSIS = "agent.diagnosis"
AGENT_SWITCH = "agent.switch"
ACTION_PROPOSED = "action.proposed"
ACTION_APPROVED = "action.approved"
ACTION_REJECTED = "action.rejected"
ACTION_EXPIRED = "action.expired"
ACTION_STARTED = "action.started"
ACTION_FINISHED = "action.finished"
FAULT_COUNTDOWN = "fault.countdown"
FAULT_INJECTED = "fault.injected"
FAULT_RECOVERING = "fault.recovering"
FAULT_RECOVERED = "fault.recovered"
FAULT_FAILED = "fault.failed"
DEMO_CHAPTER = "demo.chapter"
COORDINATION_MESSAGE = "coordination.message"
COORDINATION_EXPIRED = "coordination.expired"
"""``{before}``: what is older was forgotten."""
DEVOPS_ACTIVITY = "devops.activity"
COMMAND_FINISHED = "command.finished"
"""Outcome of a command that was answered ``accepted``: ``{id, cmd, ok, result | error}``."""

_PROCESS_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")


def is_process_name(name: str) -> bool:
    """True for ``[a-z][a-z0-9-]{0,31}`` (design, section 3)."""
    return _PROCESS_NAME.match(name) is not None


def process_state(name: str) -> str:
    """Topic of the state frames of process ``name``."""
    return f"process.{name}.state"


def process_log(name: str) -> str:
    """Topic of the captured output of process ``name``."""
    return f"process.{name}.log"


def join_echo(nonce: str) -> str:
    """Topic on which the daemon echoes a join; only the joining client subscribes to it."""
    return f"join.{nonce}"


def matches(topic: str, wanted: Iterable[str] | None) -> bool:
    """True when ``topic`` is one of ``wanted`` (whole topics, or families that end in a dot); ``None`` wants all."""
    if wanted is None:
        return True
    return any(topic == entry or (entry.endswith(".") and topic.startswith(entry)) for entry in wanted)
