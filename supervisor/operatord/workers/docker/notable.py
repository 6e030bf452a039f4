"""Notable log lines of the servers, as ``cluster.event``: of one node and kind one in five seconds, never a flood.

When a store dies each of its thousands of regions elects another leader. The first of such a storm tells what goes on,
the last one always comes, and the others are counted. All lines are looked at, also those that are not handed on.
"""

import re
import time
from collections.abc import Callable

from operator_protocol.codec import Body
from operator_protocol.models import ClusterEvent
from operator_protocol.records import to_body
from operator_protocol.topics import CLUSTER_EVENT
from operatord.clock import Clock
from operatord.subjects.tikv.log_events import LogEvent, event_of, may_tell
from operatord.subjects.tikv.logs import parse
from operatord.throttle import LineThrottle, OutputPolicy

_POLICY = OutputPolicy(lines_per_s=0.2, burst_lines=1, queue_lines=1)
_LONGEST = 300
"""Characters of a text; a server may put a whole stack into its message."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class NotableLines:
    """Takes every line, publishes what some of them tell."""

    def __init__(self, publish: Callable[[str, Body], None], clock: Clock = time.monotonic) -> None:
        self._publish = publish
        self._clock = clock
        self._throttles: dict[tuple[str, str], LineThrottle] = {}

    def take(self, node: str, line: str) -> None:
        """Look at one line."""
        if may_tell(line) and (event := _event(line)) is not None:
            throttle = self._throttles.setdefault((node, event.kind), LineThrottle(_POLICY, self._clock))
            for passed in throttle.offer(node, line):
                self._tell(node, passed.text, passed.dropped)

    def release(self) -> None:
        """Tell of what was held back and may go on by now; to be called again and again."""
        for (node, _), throttle in self._throttles.items():
            for passed in throttle.release():
                self._tell(node, passed.text, passed.dropped)

    def _tell(self, node: str, line: str, held_back: int) -> None:
        event = _event(line)
        if event is not None:
            text = _UNPRINTABLE.sub(" ", event.text)[:_LONGEST]
            told = ClusterEvent(node, event.kind, text, event.at, event.region, event.store, held_back)
            self._publish(CLUSTER_EVENT, to_body(told))


def _event(line: str) -> LogEvent | None:
    parsed = parse(line)
    return event_of(parsed) if parsed is not None else None
