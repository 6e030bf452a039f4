"""How many operations the nodes themselves say they served, to hold against what the load counted.

Each look at the cluster shows, for each node, a counter of the commands that this run of the server has executed
(``detail["commands"]``, with ``detail["run_id"]``). Summing up its increments is not enough: a replica executes every
write of its primary once more. So an increment counts only for a node that is primary afterwards, and that was primary
before as well or had nobody to replay from: a replica whose primary is down executes for clients only, from the
instant at which it is promoted. What a killed node served between the last look at it and its death is lost with it,
at most half a second of one shard.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from operator_protocol.models import Node


class _Counter(NamedTuple):
    run_id: object
    commands: int
    serving: bool
    """What it executes from here on comes from clients if it is a primary at the next look."""


class ServedByNodes:
    """The sum over all nodes as a function of time."""

    def __init__(self) -> None:
        self._counters: dict[str, _Counter] = {}
        self._times: list[float] = []
        self._totals: list[int] = []

    def observe(self, mono_ts: float, nodes: Sequence[Node]) -> None:
        """Take in one look at all nodes. Looks without any counter (another kind of subject) are passed over."""
        served = 0
        counted = False
        for node in nodes:
            commands = node.detail.get("commands")
            if node.state == "down" or not isinstance(commands, int):
                continue
            counted = True
            before = self._counters.get(node.id)
            now = _Counter(node.detail.get("run_id"), commands, node.role == "primary" or _is_bereft(node, nodes))
            if node.role == "primary" and before is not None and before.serving:
                # A new run counts from zero.
                served += commands - before.commands if now.run_id == before.run_id else commands
            self._counters[node.id] = now
        if counted:
            self._totals.append((self._totals[-1] if self._totals else 0) + max(served, 0))
            self._times.append(mono_ts)

    def covers(self, mono_ts: float) -> bool:
        """True when there was a look before (or at) this time and one after it."""
        return bool(self._times) and self._times[0] <= mono_ts <= self._times[-1]

    def total_at(self, mono_ts: float) -> float:
        """Operations served until then, since the first look; between two looks by linear interpolation."""
        right = bisect_left(self._times, mono_ts)
        if right == 0:
            return float(self._totals[0])
        left = right - 1
        share = (mono_ts - self._times[left]) / (self._times[right] - self._times[left])
        return self._totals[left] + share * (self._totals[right] - self._totals[left])


def _is_bereft(node: Node, nodes: Sequence[Node]) -> bool:
    """True for a replica without a primary that lives."""
    return not any(
        other.group == node.group and other.id != node.id and other.role == "primary" and other.state != "down"
        for other in nodes
    )
