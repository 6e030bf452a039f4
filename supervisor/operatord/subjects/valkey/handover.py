"""Who handed its slots over in good order, and when: a change of the primary without a failure.

A failover that follows a failure is told by the failure. One that was asked for leaves all nodes up before and after:
nothing is violated, and yet clients were redirected and somebody may want to know.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from operator_protocol.models import Node, Scalar

TOLD_S = 10.0
"""For so long the node tells of it."""
_SOUND_S = 10.0
"""Who was silent or cut off within this time before did not hand over: it was replaced."""


@dataclass(frozen=True, slots=True)
class _Handover:
    at: float
    to: str


class Handovers:
    """What is remembered of the shards from look to look."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._unsound: dict[str, float] = {}
        self._done: dict[str, _Handover] = {}

    def look(self, nodes: Sequence[Node], now: float) -> list[Node]:
        """``nodes`` with what is to be told in their detail; ``now`` is monotonic, in seconds."""
        for node in nodes:
            if node.signals.get("probe") != "up" or node.signals.get("cluster") == "down":
                self._unsound[node.id] = now
        for node in nodes:
            if not node.leader:
                continue
            former = self._owners.get(node.group)
            self._owners[node.group] = node.id
            if former not in (None, node.id) and now - self._unsound.get(former or "", -_SOUND_S) >= _SOUND_S:
                self._done[former or ""] = _Handover(now, node.id)
        return [self._told(node, now) for node in nodes]

    def _told(self, node: Node, now: float) -> Node:
        done = self._done.get(node.id)
        if done is None or node.leader or now - done.at > TOLD_S:
            return node
        told: dict[str, Scalar] = {"handed_over_to": done.to, "handed_over_s_ago": round(now - done.at, 1)}
        return replace(node, detail={**node.detail, **told})
