"""Evidence gathering: from a dossier to a numbered bundle.

The order of the items is the order in which an engineer would look: what is violated, who was what, who answers now,
what became of the processes, what they wrote, what clients felt, what was seen before, and what only the subject
itself can tell. What has no bearing on the ticket is left out: a short list is read.
"""

from collections.abc import Mapping, Sequence

from operator_protocol.models import EvidenceItem, Violation
from operatord.tickets.dossier import Dossier
from operatord.workers.agent.bundle import figures, lives, regions, strain, topology
from operatord.workers.agent.bundle.findings import Bundle, EvidenceKind, Pad
from operatord.workers.agent.bundle.scene import Scene, set_scene

_MAX_VIOLATIONS = 8
_MAX_SUBJECT_ITEMS = 12
_KINDS: Mapping[str, EvidenceKind] = {
    "topology": "topology",
    "violation": "violation",
    "metric": "metric",
    "process": "process",
    "log": "log",
    "ticket": "ticket",
}


def gather(dossier: Dossier, subject_items: Sequence[EvidenceItem] = ()) -> Bundle:
    """The bundle of ``dossier`` and of what the subject's probe told."""
    scene = set_scene(dossier)
    pad = Pad(scene.onset_at)
    _violations(pad, scene)
    topology.gather(pad, scene)
    regions.gather(pad, scene)
    lives.gather(pad, scene)
    strain.gather(pad, scene)
    figures.gather(pad, scene)
    _earlier_tickets(pad, scene)
    for item in subject_items[:_MAX_SUBJECT_ITEMS]:
        pad.add(_KINDS.get(item.kind, "topology"), "subject", item.text, node=scene.focus.node)
    subject = dossier.health_history[-1].subject if dossier.health_history else "the cluster"
    return Bundle(subject, dossier.ticket, scene.focus, scene.onset_at, tuple(pad.findings), pad.omitted)


def _violations(pad: Pad, scene: Scene) -> None:
    """The ticket's own violation first, then the others by age."""
    ticket = scene.dossier.ticket

    def rank(violation: Violation) -> tuple[bool, float]:
        own = violation.invariant == ticket.invariant and violation.node == ticket.node
        return not own, abs(violation.first_seen_at - scene.dossier.onset_at)

    for violation in sorted(scene.dossier.violations, key=rank)[:_MAX_VIOLATIONS]:
        pad.add(
            "violation",
            "violation",
            f"{_name(violation)} is violated since {pad.moment(violation.first_seen_at)}: "
            f"{violation.message}{_figure(violation)}",
            node=violation.node,
            group=scene.group_of(violation.node) if violation.node else None,
            at=violation.first_seen_at,
            data={"invariant": violation.invariant, "value": violation.value},
        )
    for violation in sorted(scene.dossier.ended, key=rank)[: _MAX_VIOLATIONS // 2]:
        lasted_s = violation.last_seen_at - violation.first_seen_at
        pad.add(
            "violation",
            "violation_ended",
            f"{_name(violation)} was violated from {pad.moment(violation.first_seen_at)} for {lasted_s:.1f} s, "
            f"not any more: {violation.message}{_figure(violation)}",
            node=violation.node,
            at=violation.last_seen_at,
            data={"invariant": violation.invariant, "value": violation.value},
        )


def _name(violation: Violation) -> str:
    return f"{violation.invariant} on {violation.node}" if violation.node else violation.invariant


def _figure(violation: Violation) -> str:
    if violation.value is None or violation.threshold is None:
        return ""
    unit = f" {violation.unit}" if violation.unit else ""
    return f" ({violation.value:g}{unit}, limit {violation.threshold:g}{unit})"


def _earlier_tickets(pad: Pad, scene: Scene) -> None:
    for ticket in scene.dossier.previous:
        cause = f"diagnosed as {ticket.diagnosis.cause}" if ticket.diagnosis is not None else "never diagnosed"
        ended_at = ticket.resolved_at
        lasted = f"resolved after {ended_at - ticket.opened_at:.0f} s" if ended_at is not None else ticket.status
        pad.add(
            "ticket",
            "earlier_ticket",
            f"ticket {ticket.id}, {_ago(scene.dossier.ticket.opened_at - ticket.opened_at)} earlier, "
            f"was alike: {ticket.message}; {cause}, {lasted}",
            node=ticket.node,
            at=ticket.opened_at,
            data={"cause": ticket.diagnosis.cause if ticket.diagnosis is not None else None},
        )


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
