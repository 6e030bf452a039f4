"""From a campaign to its trials: which, in which order, with which random choices; the same for the same file.

Trials that differ in their variant only have the same seed, so that they meet the same nodes and can be compared in
pairs. The order is shuffled, so that whatever changes in an hour changes for all variants alike. The variant is part of
the trial from the beginning: what the trial shows, however late, belongs to it.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from operator_protocol.errors import BadRequest, NoTarget
from operator_protocol.models import FaultKind, Node, Scalar
from operatord.evaluation.campaign import Campaign, Variant

CONTROL = "control"
"""The case of trials in which nothing is broken."""
SAME_GROUP, OTHER_GROUP = "same group", "other group"
OF_ANOTHER_GROUP = " of another group"
"""After a role: one of that role there."""


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault that a trial injects, and the right answers about it."""

    kind: str
    target: str
    """A node, a role, or one beside the first injection's."""
    params: Mapping[str, Scalar]
    after_s: float
    causes: tuple[str, ...]
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a case with one variant."""

    number: int
    """In the order of execution, from 1."""
    case: str
    target: str
    variant: str
    repeat: int
    held_out: bool
    seed: int
    injections: tuple[Injection, ...] = field(default=())

    @property
    def is_control(self) -> bool:
        """Whether nothing is broken in it."""
        return not self.injections

    @property
    def label(self) -> str:
        """For people and logs."""
        on = f" on {self.target}" if self.target else ""
        return f"{self.case}{on}, {self.variant}, {self.repeat}"


def make_plan(campaign: Campaign) -> tuple[Trial, ...]:
    """All trials of ``campaign`` in their order."""
    drafts: list[tuple[str, str, int, bool, tuple[Injection, ...]]] = []
    for case in campaign.case:
        for target in case.targets:
            injections = tuple(
                Injection(
                    fault.kind,
                    fault.target or target,
                    dict(fault.params),
                    fault.after,
                    tuple(fault.causes),
                    tuple(fault.components),
                )
                for fault in case.fault
            )
            drafts += [
                (case.name, target, repeat, case.held_out, injections)
                for repeat in range(1, (case.trials or campaign.trials) + 1)
            ]
    drafts += [(CONTROL, "", repeat, False, ()) for repeat in range(1, campaign.controls.trials + 1)]
    order = [(draft, variant) for draft in drafts for variant in campaign.variant]
    random.Random(campaign.seed).shuffle(order)
    return tuple(
        Trial(number, name, target, variant.name, repeat, held_out, _seed(campaign, name, target, repeat), injections)
        for number, ((name, target, repeat, held_out, injections), variant) in enumerate(order, 1)
    )


def variant_of(campaign: Campaign, trial: Trial) -> Variant:
    """The variant that ``trial`` is run with."""
    return next(one for one in campaign.variant if one.name == trial.variant)


def check_plan(trials: Sequence[Trial], kinds: Sequence[FaultKind], nodes: Sequence[Node]) -> None:
    """Whether there is all that it names, before any of it is done. Raises ``BadRequest`` with all that there is not.

    What this host lacks for a kind is no mistake of the campaign: its trials are not run, and say so.
    """
    known = {kind.name: kind for kind in kinds}
    roles = {node.role for node in nodes}
    names = (
        {node.id for node in nodes} | roles | {role + OF_ANOTHER_GROUP for role in roles} | {SAME_GROUP, OTHER_GROUP}
    )
    problems: dict[str, None] = {}
    for trial in trials:
        for injection in trial.injections:
            kind = known.get(injection.kind)
            if kind is None:
                problems[f"{trial.case}: there is no fault {injection.kind!r}"] = None
                continue
            params = {param.name for param in kind.params}
            for name in injection.params.keys() - params:
                problems[f"{trial.case}: {injection.kind} has no parameter {name!r}"] = None
            if injection.target not in names:
                problems[f"{trial.case}: there is no node or role {injection.target!r}"] = None
    if problems:
        raise BadRequest("; ".join(problems), "operatorctl faults lists what this subject has")


def choose_nodes(trial: Trial, nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Which node each injection of ``trial`` goes to, as of now; the same for the same seed and cluster.

    A role is one of its nodes that are up; no node is broken twice in one trial. Raises ``NoTarget``.
    """
    chance = random.Random(trial.seed)
    chosen: list[Node] = []
    for injection in trial.injections:
        wanted = injection.target
        group = chosen[0].group if chosen else ""
        found = [
            node
            for node in sorted(nodes, key=lambda one: one.id)
            if node not in chosen
            and node.state == "up"
            and (
                wanted in (node.id, node.role)
                or (wanted == SAME_GROUP and node.group == group)
                or (wanted in (OTHER_GROUP, node.role + OF_ANOTHER_GROUP) and node.group != group)
            )
        ]
        if not found:
            raise NoTarget(f"no node for {injection.kind} on {wanted!r} in {trial.label}")
        chosen.append(chance.choice(found))
    return tuple(chosen)


def _seed(campaign: Campaign, case: str, target: str, repeat: int) -> int:
    text = f"{campaign.seed}/{case}/{target}/{repeat}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])
