"""Paying back what is owed when no daemon runs: ``operatord recover``, and the keeper after a daemon that died."""

from collections.abc import Callable
from dataclasses import replace

from operator_protocol.codec import Body
from operator_protocol.errors import DeadlineExceeded, Unavailable
from operator_protocol.models import Fault, Node
from operatord.faults.desk import FaultDesk
from operatord.faults.tools import Limits
from operatord.faults.undo_journal import UndoJournal
from operatord.faults.verification import clear
from operatord.subjects.base import Observation, Outliving, SubjectControl, SubjectProbe, SubjectSpec

CLUSTER_GONE = "the cluster no longer exists"
"""``recovered_by`` of a fault that became moot."""

_LOOK_S = 2.0
_CLEAR_S = 10.0
_AGAIN = "try again with: operatord recover"


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
    the faults are settled as moot: starting servers for a cluster that is gone would leave them behind. A server that
    is down although no fault took it down is not waited for: nobody here brings it back. Raises ``DeadlineExceeded``
    when something is still owed afterwards, with what stands against it; the rest is undone.
    """
    if not journal.owed():
        return []
    try:
        spec = control.spec
    except Unavailable:
        return await settle_moot(control, journal)
    # Who belongs to a cluster that was only attached to, its own servers tell.
    stands = isinstance(control, Outliving) and control.stands
    if exists is False or not (spec.members or stands):
        return await settle_moot(control, journal)
    probe = make_probe(spec)

    async def observe() -> Observation:
        return await probe.observe(_LOOK_S)

    desk: FaultDesk | None = None
    try:
        broken = {owed.fault.target for owed in journal.owed()}
        first = await observe()
        if exists is None and _is_gone(first, broken):
            return await settle_moot(control, journal)
        lost = {node.id for node in first.nodes if not _lives(node)} - broken
        desk = FaultDesk(control, journal, _nowhere, observe, limits=limits, lost=lost)
        settled = await desk.sweep()
        if left := desk.owed():
            raise DeadlineExceeded(
                "; ".join(f"{fault.kind} {fault.target} is still owed: {fault.error}" for fault in left),
                _AGAIN,
            )
        return settled
    finally:
        if desk is not None:
            await desk.release()
        await probe.close()


async def settle_moot(control: SubjectControl, journal: UndoJournal) -> list[Fault]:
    """Strike out everything because no server is left: the cluster went with its daemon, and its faults with it.

    What they did outside the servers did not; it is taken back first. Raises ``DeadlineExceeded`` when something of
    that is left; the rest is struck out.
    """
    struck, left = [], []
    for owed in journal.owed():
        if problem := await clear(control, owed, _CLEAR_S):
            left.append(f"{owed.fault.kind} {owed.fault.target} is still owed: {problem}")
            continue
        journal.strike(owed.fault.id, CLUSTER_GONE)
        struck.append(replace(owed.fault, state="recovered", owed=False, recovered_by=CLUSTER_GONE))
    if left:
        raise DeadlineExceeded("; ".join(left), _AGAIN)
    return struck


def _is_gone(observation: Observation, broken: set[str]) -> bool:
    """No node lives, and not because we broke them all."""
    alive = [node for node in observation.nodes if _lives(node)]
    return bool(observation.nodes) and not alive and not {node.id for node in observation.nodes} <= broken


def _lives(node: Node) -> bool:
    """Whether anything of it is up: one that is only cut off is."""
    return node.state != "down" or "up" in node.signals.values()


def _nowhere(topic: str, body: Body) -> None:
    """No daemon, no bus."""
