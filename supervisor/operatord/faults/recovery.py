"""Paying back what is owed when no daemon runs: ``operatord recover``, and the keeper after a daemon that died."""

from collections.abc import Callable
from dataclasses import replace

from operator_protocol.codec import Body
from operator_protocol.errors import DeadlineExceeded, Unavailable
from operator_protocol.models import Fault
from operatord.faults.desk import FaultDesk
from operatord.faults.tools import Limits
from operatord.faults.undo_journal import UndoJournal
from operatord.subjects.base import Observation, SubjectControl, SubjectProbe, SubjectSpec

CLUSTER_GONE = "the cluster no longer exists"
"""``recovered_by`` of a fault that became moot."""

_LOOK_S = 2.0


async def recover_offline(
    control: SubjectControl,
    journal: UndoJournal,
    make_probe: Callable[[SubjectSpec], SubjectProbe],
    *,
    exists: bool | None = None,
    limits: Limits | None = None,
) -> list[Fault]:
    """Undo everything in ``journal`` against servers that outlived their daemon, verify it, and return the faults.

    ``control`` has not been started: it works on ``DetachedServers``, and its ``spec`` tells what the state directory
    knows of the cluster. ``exists`` says whether any server is left; when nobody knows, one look decides. If none is,
    the faults are struck out as moot: starting servers for a cluster that is gone would leave them behind. Raises
    ``DeadlineExceeded`` when something is still owed afterwards, with what stands against it; the rest is undone.
    """
    if not journal.owed():
        return []
    try:
        spec = control.spec
    except Unavailable:
        return strike_moot(journal)
    if exists is False or not spec.members:
        return strike_moot(journal)
    probe = make_probe(spec)

    async def observe() -> Observation:
        return await probe.observe(_LOOK_S)

    desk = FaultDesk(control, journal, _nowhere, observe, limits=limits)
    try:
        if exists is None and _is_gone(await observe(), {fault.target for fault in desk.owed()}):
            return strike_moot(journal)
        settled = await desk.sweep()
        if left := desk.owed():
            raise DeadlineExceeded(
                "; ".join(f"{fault.kind} {fault.target} is still owed: {fault.error}" for fault in left),
                "try again with: operatord recover",
            )
        return settled
    finally:
        await desk.release()
        await probe.close()


def strike_moot(journal: UndoJournal) -> list[Fault]:
    """Strike out everything because no server is left: the cluster went with its daemon, and its faults with it."""
    struck = []
    for owed in journal.owed():
        journal.strike(owed.fault.id, CLUSTER_GONE)
        struck.append(replace(owed.fault, state="recovered", owed=False, recovered_by=CLUSTER_GONE))
    return struck


def _is_gone(observation: Observation, broken: set[str]) -> bool:
    """No node lives, and not because we broke them all."""
    alive = [node for node in observation.nodes if node.state != "down" or "up" in node.signals.values()]
    return bool(observation.nodes) and not alive and not {node.id for node in observation.nodes} <= broken


def _nowhere(topic: str, body: Body) -> None:
    """No daemon, no bus."""
