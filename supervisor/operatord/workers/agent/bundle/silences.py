"""The silences of a node, in words: one that goes on, those before it, and their end."""

from collections.abc import Sequence
from typing import TypeAlias

from operator_protocol.models import ClusterHealth, Node
from operatord.workers.agent.bundle.findings import Pad
from operatord.workers.agent.bundle.scene import silent

Spells: TypeAlias = Sequence[tuple[ClusterHealth, Node]]
"""What the looks showed of one node, in order; at least one of them is silent."""


def in_words(pad: Pad, spells: Spells) -> str:
    """What follows the name of the node; ``has not answered`` is said only while it does not."""
    began_at = [
        look.observed_at
        for number, (look, node) in enumerate(spells)
        if silent(node) and (number == 0 or not silent(spells[number - 1][1]))
    ]
    if not silent(spells[-1][1]):
        times = f" {len(began_at)} times, the first" if len(began_at) > 1 else ""
        return f"did not answer{times} from {pad.moment(began_at[0])} on"
    *before, latest = began_at
    times = "once" if len(before) == 1 else f"{len(before)} times"
    earlier = f", and {times} before, from {pad.moment(before[0])} on" if before else ""
    return f"has not answered since {pad.moment(latest)}{earlier}"


def end(spells: Spells) -> ClusterHealth | None:
    """The look in which it was up again after the last silence; None while it is silent, or not up yet."""
    last = max(number for number, (_look, node) in enumerate(spells) if silent(node))
    return next((look for look, node in spells[last + 1 :] if node.state == "up"), None)
