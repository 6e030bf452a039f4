"""Which node a request means: one that is free, up, and not protected by a guard rail; then, and at the injection."""

import random
from collections.abc import Collection, Mapping

from operator_protocol.errors import Conflict, NotFound
from operator_protocol.models import Fault, Node
from operatord.faults.guard import refusals, refuse, unexplained
from operatord.faults.request import Request
from operatord.faults.targets import candidates, may_be_broken
from operatord.subjects.base import GuardRules, Observation, SubjectControl


def choose(
    request: Request,
    observation: Observation,
    control: SubjectControl,
    holders: Mapping[str, Fault],
    rng: random.Random,
) -> Node:
    """The node to break, while ``holders`` (by node) are broken or about to be.

    Raises ``Conflict`` with every reason for the node that came first when none may be broken, and what
    ``candidates`` raises.
    """
    nodes = candidates(
        request.target,
        observation,
        default_role=control.default_fault_role,
        roles=(control.guard.voting_role,),
        taken=holders,
        rng=rng,
    )
    if held := holders.get(nodes[0].id):
        raise _taken(held)
    first_reasons: list[str] = []
    for node in nodes:
        reasons = refusals(node, observation, control.guard, holders)
        if not reasons:
            return node
        first_reasons = first_reasons or reasons
    if request.force:
        return nodes[0]
    raise refuse(nodes[0], request.kind, first_reasons)


def check_again(
    fault: Fault, observation: Observation, rules: GuardRules, others: Collection[str], *, force: bool
) -> bool:
    """The guard rails at the moment of injection, seconds later. Returns whether the subject is healthy.

    Raises ``NotFound`` or ``Conflict``, like ``choose``.
    """
    node = observation.node(fault.target)
    if node is None:
        raise NotFound(f"{fault.target} has left {observation.subject}")
    if not may_be_broken(node):
        raise Conflict(f"{fault.target} went down during the countdown")
    if not force and (reasons := refusals(node, observation, rules, others)):
        raise refuse(node, fault.kind, reasons)
    return not unexplained(observation, others)


def _taken(fault: Fault) -> Conflict:
    how = f"has a fault already: {fault.kind} ({fault.state}), id {fault.id}"
    return Conflict(f"{fault.target} {how}", f"operatorctl recover {fault.id} ends it")
