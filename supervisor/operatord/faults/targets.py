"""From what a person said (a node, a role, ``random``) to the nodes that may be meant."""

import random
from collections.abc import Collection, Iterable

from operator_protocol.errors import NoTarget, NotFound, Unavailable
from operator_protocol.models import Node
from operatord.subjects.base import Observation

RANDOM = "random"
"""Any node of the subject's default role: what ``operatorctl fault`` alone means."""


def candidates(
    target: str,
    observation: Observation,
    *,
    default_role: str,
    roles: Iterable[str] = (),
    taken: Collection[str] = (),
    rng: random.Random,
) -> list[Node]:
    """The nodes that ``target`` may mean, in the order in which they should be tried.

    ``target`` is the id of a node, a role, or ``random``. A node that was named comes back alone, even if it is
    ``taken`` (already broken by us); for a role, those that are alive and not taken, shuffled. ``roles`` are roles that
    exist even if no node has one at present. Raises ``NotFound`` with the names there are for a name that is neither,
    ``NoTarget`` when nothing can be broken, ``Unavailable`` when the observation shows no nodes at all.
    """
    if not observation.nodes:
        raise Unavailable(
            f"the nodes of {observation.subject} are not known: {observation.reason or 'no observation'}",
            "try again when the monitor sees them",
        )
    named = observation.node(target)
    if named is not None:
        if named.id not in taken and not may_be_broken(named):
            raise NoTarget(f"{named.id} is down already", f"operatorctl restart {named.id} brings it back")
        return [named]
    role = default_role if target == RANDOM else target
    known_roles = {node.role for node in observation.nodes} | {default_role, *roles}
    if role not in known_roles:
        names = ", ".join([*(node.id for node in observation.nodes), *sorted(known_roles), RANDOM])
        raise NotFound(f"no node or role is called {target!r}", f"there are {names}")
    found = [node for node in observation.nodes if node.role == role and node.id not in taken and may_be_broken(node)]
    if not found:
        raise NoTarget(f"no {role} is up that could be broken", "operatorctl recover brings back what was broken")
    rng.shuffle(found)
    return found


def may_be_broken(node: Node) -> bool:
    """True while there is a process to do something to."""
    for sign in ("process", "container"):
        if sign in node.signals:
            return node.signals[sign] != "down"
    return node.state != "down"
