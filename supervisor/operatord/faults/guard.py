"""What must not be broken without ``--force``: the majority of those that vote, the last copy of data, a sick cluster.

Judged against what the faults already owed leave, not only against what is seen: a node that was told to die a moment
ago may still look alive. Every kind counts as taking its target down, also ``restart``, which does so for a while.
"""

from collections.abc import Collection

from operator_protocol.errors import Conflict
from operator_protocol.models import Node
from operatord.subjects.base import GuardRules, Observation


def refusals(target: Node, observation: Observation, rules: GuardRules, owed: Collection[str]) -> list[str]:
    """Why ``target`` must not be taken down, one sentence each; empty when it may be.

    ``owed`` are the ids of the nodes that faults of ours hold or are about to take down.
    """
    reasons = [_sick_start(observation, owed), _majority(target, observation, rules, owed)]
    reasons.append(_last_copy(target, observation, rules, owed))
    reasons.append(_too_many(target, observation, rules, owed))
    return [reason for reason in reasons if reason]


def refuse(target: Node, kind: str, reasons: Collection[str]) -> Conflict:
    """The error that carries ``reasons`` to the person who asked."""
    return Conflict(f"{kind} {target.id} is refused: {'; '.join(reasons)}", "--force overrides")


def unexplained(observation: Observation, owed: Collection[str]) -> str:
    """Why the subject cannot be called healthy, leaving out what faults on ``owed`` explain; empty when it can.

    A node that is down needs a fault of its own as an explanation. Degradation spreads (a replica without its primary,
    slots without an owner), so any owed fault explains it.
    """
    if observation.ok is None:
        return f"its state is unknown ({observation.reason or 'no observation'})"
    lost = [node for node in observation.nodes if node.state in ("down", "unknown") and node.id not in owed]
    if lost:
        told = ", ".join(f"{node.id} {node.detail.get('problem') or 'is not up'}" for node in lost)
        return f"{told}, and no fault of ours explains it"
    if observation.ok or owed:
        return ""
    return observation.reason or "it is not healthy"


def is_undecided(observation: Observation, owed: Collection[str]) -> bool:
    """Whether only time tells: the state is unknown, and no fault of ours can be why, or a node, but for those
    ``owed``, has taken a question and not answered yet, and may be busy or hung. That is neither well enough to break a
    node, nor sick enough to refuse it.
    """
    return (observation.ok is None and not owed) or any(
        _may_be_busy(node) for node in observation.nodes if node.id not in owed
    )


def _may_be_busy(node: Node) -> bool:
    """Silent, and that is all that is known: no kernel and no engine says that it stands still, and no peer that it
    failed."""
    silent = node.state in ("degraded", "down") and node.detail.get("contact") == "silent"
    told = [state for signal, state in node.signals.items() if signal != "probe"]
    return silent and "down" not in told and node.detail.get("process_state") != "stopped"


def _sick_start(observation: Observation, owed: Collection[str]) -> str:
    reason = unexplained(observation, owed)
    return f"{observation.subject} is not healthy to begin with: {reason}" if reason else ""


def _majority(target: Node, observation: Observation, rules: GuardRules, owed: Collection[str]) -> str:
    if target.role != rules.voting_role:
        return ""
    voters = [node for node in observation.nodes if node.role == rules.voting_role]
    after = [node for node in voters if node.id != target.id and _alive(node, owed)]
    votes, left = len(voters), len(after)
    needed = votes // 2 + 1
    if left >= needed:
        return ""
    return (
        f"only {left} of {votes} votes ({rules.voting_role}) would be left, and {needed} are a majority:"
        f" nobody could be elected any more, and {observation.subject} would stop serving"
    )


def _last_copy(target: Node, observation: Observation, rules: GuardRules, owed: Collection[str]) -> str:
    if not target.group:
        return ""
    needed = rules.copies_needed.get(target.group, 1)
    copies = [
        node
        for node in observation.nodes
        if node.group == target.group and node.id != target.id and _alive(node, owed) and _is_copy(node, rules)
    ]
    if len(copies) >= needed:
        return ""
    if not copies:
        return f"it is the last live copy of {target.group}: nobody would be left to serve its data"
    return (
        f"only {len(copies)} live members of {target.group} would be left, and {needed} are needed:"
        " some of its data would have too few copies to be served"
    )


def _too_many(target: Node, observation: Observation, rules: GuardRules, owed: Collection[str]) -> str:
    if target.role not in rules.losable:
        return ""
    most = rules.losable[target.role]
    lost = [
        node.id
        for node in observation.nodes
        if node.role == target.role and node.id != target.id and not (_alive(node, owed) and _is_copy(node, rules))
    ]
    if len(lost) < most:
        return ""
    already = f"{', '.join(lost)} {'is' if len(lost) == 1 else 'are'} lost already, and " if lost else ""
    return (
        f"{already}no more than {most} {target.role} may be down at once: some data would have too few copies to serve"
    )


def _alive(node: Node, owed: Collection[str]) -> bool:
    return node.state in ("up", "degraded") and node.id not in owed


def _is_copy(node: Node, rules: GuardRules) -> bool:
    """A follower that is degraded may lag behind or hold nothing yet: it is no copy to rely on."""
    return node.state == "up" or node.role == rules.voting_role
