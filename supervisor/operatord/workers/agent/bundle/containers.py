"""Lives of containers, as lives of processes.

A server of this supervisor tells its life in ``process.*`` frames. Of a container the observations tell it: what the
engine says stands in the node's detail. Read as the same records, a container's end is an end like any other.
"""

from collections.abc import Iterator
from dataclasses import replace

from operator_protocol.models import Node, ProcessState
from operatord.tickets.dossier import Dossier

_ENDED = ("exited", "dead", "missing", "restarting", "removing")
_SIGNAL_CODES = range(129, 129 + 64)
"""A container's exit code for a process that a signal ended: 128 and the signal's number."""


def with_containers(dossier: Dossier) -> Dossier:
    """``dossier`` with the events that its observations tell of containers; as it is where they tell of none."""
    told = {event.name for event in dossier.process_events}
    found = [event for event in _events(dossier) if event.name not in told]
    contained = {name for name, _at, _node in _containers(dossier)}
    events = [_plain(event) if event.name in contained else event for event in dossier.process_events]
    if not found and events == dossier.process_events:
        return dossier
    return replace(dossier, process_events=sorted([*events, *found], key=lambda event: event.since_at))


def _containers(dossier: Dossier) -> Iterator[tuple[str, float, Node]]:
    for health in dossier.health_history:
        for node in health.nodes:
            if node.detail.get("container_state"):
                yield node.id, health.observed_at, node


def _events(dossier: Dossier) -> Iterator[ProcessState]:
    last: dict[str, bool] = {}
    for name, seen_at, node in _containers(dossier):
        detail = node.detail
        ended = detail["container_state"] in _ENDED
        if last.get(name) == ended:
            continue
        known, last[name] = name in last, ended
        since = detail.get("container_since_at")
        since_at = float(since) if isinstance(since, int | float) and since else seen_at
        code = detail.get("exit_code")
        event = ProcessState(
            name=name,
            state="failed" if ended else "ready",
            kind="server",
            exit_code=code if ended and isinstance(code, int) else None,
            # A container that ran when it was seen first began to before; when, the engine may not have said.
            since_at=since_at if known or since else seen_at,
        )
        yield _plain(event)


def _plain(event: ProcessState) -> ProcessState:
    """With the signal told as a signal."""
    code = event.exit_code
    if event.signal is None and code is not None and code in _SIGNAL_CODES:
        return replace(event, exit_code=None, signal=code - 128)
    return event
