"""``wait EVENT``: block until something has happened, counting from the injection that is still owed.

A fault is detected faster than a shell starts the next command. So ``fault && wait violation.opened`` must see a
violation that opened before the wait began: the wait counts from the last injection that is not yet recovered, and
only without one from now.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.describe import event_document, event_line
from operator_clients.ctl.exits import DONE, Usage
from operator_clients.ctl.feed import Feed
from operator_clients.ctl.parsing import duration_s
from operator_clients.ctl.session import Session
from operator_clients.format import duration
from operator_protocol import topics
from operator_protocol.errors import DeadlineExceeded
from operator_protocol.frames import Frame
from operator_protocol.models import Fault

_DEFAULT_TIMEOUT_S = 30.0
KNOWN_TOPICS = (
    topics.CLUSTER_HEALTH,
    topics.CLUSTER_EVENT,
    topics.CLUSTER_INVARIANTS,
    topics.WORKLOAD_SAMPLE,
    topics.VIOLATION_OPENED,
    topics.VIOLATION_CLOSED,
    topics.TICKET_OPENED,
    topics.TICKET_UPDATED,
    topics.TICKET_RESOLVED,
    topics.AGENT_STEP,
    topics.AGENT_SWITCH,
    topics.AGENT_DIAGNOSIS,
    topics.ACTION_PROPOSED,
    topics.ACTION_APPROVED,
    topics.ACTION_REJECTED,
    topics.ACTION_EXPIRED,
    topics.ACTION_STARTED,
    topics.ACTION_FINISHED,
    topics.FAULT_COUNTDOWN,
    topics.FAULT_INJECTED,
    topics.FAULT_RECOVERING,
    topics.FAULT_RECOVERED,
    topics.FAULT_FAILED,
    topics.DEMO_CHAPTER,
    topics.COORDINATION_MESSAGE,
    topics.DEVOPS_ACTIVITY,
    topics.COMMAND_FINISHED,
    topics.HEARTBEAT,
)
_EXAMPLES = """\
  operatorctl fault && operatorctl wait violation.opened --timeout 10 && operatorctl recover
  operatorctl wait ticket.resolved --where invariant=node_down node=valkey-2
  operatorctl wait demo.chapter --where index=4 --timeout 1m
  operatorctl wait process.monitor.state --where state=ready"""
Where = tuple[tuple[str, ...], str]
"""A path into the body, and the text that its value must have."""


def run(args: argparse.Namespace, session: Session) -> int:
    """Wait, and show the frame that ended it."""
    check_topic(args.event)
    where = [_condition(text) for text in args.where or ()]
    until = time.monotonic() + args.timeout
    with session.feed((args.event, topics.FAULT_INJECTED)) as feed:
        frame = _await(feed, args.event, where, until)
    if frame is None:
        told = "".join(f" {text}" for text in args.where or ())
        raise DeadlineExceeded(f"no {args.event}{told} within {duration(args.timeout)}")
    session.show(event_document(frame), event_line(frame))
    return DONE


def _await(feed: Feed, event: str, where: Sequence[Where], until: float) -> Frame | None:
    frames = what_counts(feed.history(), list(feed.follower.state.faults.values()), feed.asked_at)
    while True:
        for frame in frames:
            if frame.topic == event and all(holds(frame.body, condition) for condition in where):
                return frame
        left_s = until - time.monotonic()
        if left_s <= 0:
            if feed.follower.status != "live":
                raise feed.lost("does not answer")
            return None
        frames = feed.poll(left_s)


def what_counts(history: Sequence[Frame], faults: Sequence[Fault], asked_at: float) -> list[Frame]:
    """Those frames of ``history`` that a wait counts that was asked for at ``asked_at`` (wall time of the daemon).

    They begin at the instant of the last injection of an owed fault. The ``fault.injected`` frame comes a little
    after that instant, and what the injection caused may have been published in between; so the fault's own
    ``injected_at`` counts as well as the frame's place in the series. Without such a fault they begin when we asked: a
    join that had to be tried again finds in its history what happened meanwhile.
    """
    owed = {fault.id for fault in faults if fault.owed}
    injections = [frame for frame in history if frame.topic == topics.FAULT_INJECTED and frame.body.get("id") in owed]
    if injections:
        header, injected_at = injections[-1].header, injections[-1].body.get("injected_at")
        since = min(header.wall_ts, injected_at) if isinstance(injected_at, int | float) else header.wall_ts
        return [frame for frame in history if frame.header.seq >= header.seq or frame.header.wall_ts >= since]
    # The daemon forgot the frame (its tails are bounded), but not the fault.
    instants = [fault.injected_at for fault in faults if fault.owed and fault.injected_at is not None]
    return [frame for frame in history if frame.header.wall_ts >= max(instants, default=asked_at)]


def check_topic(event: str) -> None:
    """Raise ``Usage``, with the list, for a topic that nothing is ever published on."""
    family, _, rest = event.partition(".")
    name, _, leaf = rest.rpartition(".")
    if event in KNOWN_TOPICS or (family == "process" and leaf in ("state", "log") and topics.is_process_name(name)):
        return
    known = ", ".join((*KNOWN_TOPICS, "process.NAME.state", "process.NAME.log"))
    raise Usage(f"unknown event {event!r}", f"one of {known}")


def _condition(text: str) -> Where:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise Usage(f"{text!r} is not a condition", "write it as key=value, like node=valkey-2")
    return tuple(key.split(".")), value


def holds(body: Mapping[str, Any], condition: Where) -> bool:
    """True when the value at the condition's path reads as the condition's text: ``true``, ``null``, ``3``, ``x``."""
    path, wanted = condition
    value: object = body
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    if value is None or isinstance(value, bool):
        return wanted.lower() == {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        try:
            return float(wanted) == value
        except ValueError:
            return False
    return str(value) == wanted


def configure(parser: argparse.ArgumentParser) -> None:
    """The event and how long to wait for it."""
    parser.add_argument("event", metavar="EVENT", help="a topic, like violation.opened")
    parser.add_argument(
        "--timeout", metavar="S", type=duration_s, default=_DEFAULT_TIMEOUT_S, help="exit 4 after this (default 30)"
    )
    parser.add_argument(
        "--where",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        help="members that the event's body must have; a dot leads into nested ones",
    )


WAIT = Subcommand(configure, run, _EXAMPLES)
