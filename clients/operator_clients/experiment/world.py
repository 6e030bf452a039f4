"""What is known now, and how fresh that is: what conditions are judged by.

Times are those of the daemon's monotonic clock. What our own clock says is carried over by the smallest distance seen
between a frame's stamp and its arrival, so a figure is never longer than it was by the way of a frame.
"""

import re
import time
from collections.abc import Callable, Mapping

from operator_clients.experiment.conditions import Path, Reading
from operator_clients.experiment.model import TARGET
from operator_clients.experiment.quantities import (
    cluster_value,
    node_value,
    process_value,
    violations_value,
    workload_value,
)
from operator_protocol import topics
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame
from operator_protocol.state import State

_REFERENCE = re.compile(r"\$([a-z][a-z0-9_-]*)")
_LOOK_STALE_S = 5.0
SAMPLE_STALE_S = 3.5
_STALE_GAPS = 3.0
"""A source that speaks less often is stale after so many of its own intervals."""


class Source:
    """One series of frames whose last one may be too old to be believed."""

    def __init__(self, what: str, stale_s: float) -> None:
        self._what = what
        self._stale_s = stale_s
        self._gap_s: float | None = None
        self.at: float | None = None
        """When what the last frame tells was so."""

    def seen(self, at: float) -> None:
        """A frame came that tells what was at ``at``."""
        if self.at is not None and at > self.at:
            self._gap_s = min(self._gap_s or at - self.at, at - self.at)
        self.at = at

    def trouble(self, now: float, after: float) -> str:
        """Why the last frame says nothing about now; empty when it does. It must be from later than ``after``."""
        if self.at is None:
            return f"no {self._what} yet"
        if self.at <= after:
            return f"no {self._what} since the last step"
        age_s = now - self.at
        if age_s > max(self._stale_s, _STALE_GAPS * (self._gap_s or 0.0)):
            return f"no {self._what} for {age_s:.1f} s"
        return ""


class World:
    """The state, frame by frame, with the names that the experiment gives to nodes."""

    def __init__(self, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = _copy(state)
        self.acted_at = float("-inf")
        """When the experiment last changed something: what was seen before says nothing about now."""
        self.targets: dict[str, str] = {}
        """``target`` and the names of fault steps → the nodes that were hit."""
        self.looks = Source("look at the cluster", _LOOK_STALE_S)
        self.samples = Source("sample of the load", SAMPLE_STALE_S)
        self._clock = clock
        self._offset_s: float | None = None
        self._latest = float("-inf")
        self._wall_offset_s = 0.0

    def now(self) -> float:
        """The daemon's monotonic clock, as well as we know it; it does not go back when we get to know it better."""
        self._latest = max(self._latest, self._clock() - (self._offset_s or 0.0))
        return self._latest

    def of_wall(self, wall_at: float) -> float:
        """The daemon's monotonic clock at a moment of its wall clock."""
        return wall_at - self._wall_offset_s

    def see(self, frame: Frame) -> None:
        """Take in one frame."""
        header = frame.header
        offset_s = self._clock() - header.mono_ts
        if self._offset_s is None:
            self._offset_s, self._latest = offset_s, float("-inf")
        self._offset_s = min(self._offset_s, offset_s)
        self._wall_offset_s = header.wall_ts - header.mono_ts
        try:
            self.state.apply(frame.topic, frame.body)
        except BadRequest:
            return  # the client library has let it pass; a source that speaks nonsense goes stale
        if frame.topic == topics.CLUSTER_HEALTH:
            looked = frame.body.get("observed_mono")
            self.looks.seen(float(looked) if isinstance(looked, int | float) and looked > 0 else header.mono_ts)
        elif frame.topic == topics.WORKLOAD_SAMPLE:
            self.samples.seen(header.mono_ts)

    def resynced(self, state: State) -> None:
        """Frames were lost; this is what is so instead."""
        self.state = _copy(state)

    def named(self, text: str) -> str:
        """``$target`` and ``$NAME`` as nodes, any other text as it is."""
        return self.targets.get(text[1:], text) if text.startswith("$") else text

    def spelled(self, text: str) -> str:
        """The same for each ``$NAME`` inside a text."""
        return _REFERENCE.sub(lambda found: self.targets.get(found[1], found[0]), text)

    def read(self, path: Path) -> Reading:
        """What a quantity is now, as far as it was seen after the experiment last changed something."""
        return self._read(path, self.acted_at)

    def read_throughout(self, path: Path, at: float | None = None) -> Reading:
        """The same for what is watched before and after a change alike; ``at`` the last frame instead of now."""
        return self._read(path, float("-inf"), at)

    def _read(self, path: Path, after: float, at: float | None = None) -> Reading:
        now = self.now() if at is None else at
        path = tuple(self.named(part) for part in path)
        if path == ("baseline",):
            path = ("workload", "baseline")
        readers: Mapping[str, Callable[[Path, float, float], Reading]] = {
            "cluster": self._cluster,
            "workload": self._workload,
            "node": self._node,
            "process": self._process,
        }
        root, rest = path[0], path[1:]
        if root in readers:
            return readers[root](rest, now, after)
        if root == "violations":
            trouble = self.looks.trouble(now, after)
            return Reading(None if trouble else violations_value(self.state, rest), trouble)
        return Reading(len(self.state.tickets if root == "tickets" else self.state.faults))

    def _cluster(self, rest: Path, now: float, after: float) -> Reading:
        if trouble := self.looks.trouble(now, after):
            return Reading(None, trouble)
        value = cluster_value(self.state, rest[0])
        health = self.state.cluster
        return Reading(
            value, "" if value is not None else (health.reason if health else "") or "the cluster is unknown"
        )

    def _workload(self, rest: Path, now: float, after: float) -> Reading:
        if trouble := self.samples.trouble(now, after):
            return Reading(None, trouble)
        value = workload_value(self.state.workload[-1], rest)
        told = "the load has no baseline yet" if rest[0] in ("baseline", "threshold") else "the load has no such figure"
        return Reading(value, "" if value is not None else told)

    def _node(self, rest: Path, now: float, after: float) -> Reading:
        node = self.state.nodes.get(rest[0])
        if node is None:
            return Reading(None, f"there is no node {rest[0]!r}")
        if trouble := self.looks.trouble(now, after):
            return Reading(None, trouble)
        value = node_value(node, rest[1:])
        return Reading(value, "" if value is not None else f"{rest[0]} has no {'.'.join(rest[1:])} now")

    def _process(self, rest: Path, _now: float, _after: float) -> Reading:
        process = self.state.processes.get(rest[0])
        if process is None:
            return Reading(None, f"there is no process {rest[0]!r}")
        value = process_value(process, rest[1])
        return Reading(value, "" if value is not None else f"{rest[0]} has no {rest[1]} now")


def _copy(state: State) -> State:
    return State.from_wire(state.to_wire())


def target_names(name: str) -> tuple[str, ...]:
    """What a fault step's node is called afterwards."""
    return (TARGET, name) if name else (TARGET,)
