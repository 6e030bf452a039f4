"""What a viewer looks at, in a process of its own: ``python -m tests.bench.viewer_source DIRECTORY``.

A daemon in the middle of a demo, on the real wire: a sample of the load, the usage of nine processes and a heartbeat a
second, a look at six nodes twice a second. It reads lines from its stdin: how many frames a second it is to publish
besides; it answers each with a line of JSON. It ends with its stdin.
"""

import itertools
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.clients.scripted import ScriptedDaemon
from tests.clients.viewer import scenes

from operator_protocol.models import AgentStep, ClusterEvent, ClusterHealth

_TICK_S = 0.02
_LOOK_S = 0.5
_SECOND_S = 1.0
_SAMPLES = 120
_OURS = ("monitor", "agent", "ycsb")


class Stage:
    """Publishes on the daemon's own thread."""

    def __init__(self, daemon: ScriptedDaemon) -> None:
        self._daemon = daemon
        self._count = itertools.count()
        self._second = 0
        self.flood = 0.0
        """Frames a second besides the usual ones."""
        self._owed = 0.0

    def begin(self) -> None:
        """Two minutes of load have passed already."""
        daemon = self._daemon
        daemon.state.version = {"operatord": "0.1.0", "subject": "valkey"}
        daemon.publish("cluster.invariants", scenes.invariants())
        daemon.publish("cluster.health", scenes.cluster())
        daemon.publish("demo.chapter", scenes.chapter(2))
        for back in range(_SAMPLES, 0, -1):
            self._sample(time.time() - back)
        for name in (*_OURS, *(f"valkey-{number}" for number in range(6))):
            self._process(name)
        for work in (self._look, self._each_second, self._more):
            daemon.later(0.0, work)

    def _sample(self, at: float) -> None:
        self._second += 1
        # The load of a real cluster is never twice the same: within a tenth, and so are the times it takes.
        jitter = self._second * 7_919 % 101 / 500 - 0.1
        sample = scenes.sample(self._second, 2_000.0 * (1 + jitter))
        latency = {name: replace(one, p99=(one.p99 or 0.0) * (1 + jitter)) for name, one in sample.latency.items()}
        self._daemon.publish("workload.sample", replace(sample, latency=latency, sampled_at=at))

    def _process(self, name: str) -> None:
        busy = self._second * 31 % 17 / 4
        kind = "worker" if name in _OURS else "server"
        state = scenes.process(name, kind=kind, cpu_percent=busy, rss=(31 << 20) + (self._second % 9 << 16))
        self._daemon.publish(f"process.{name}.state", state)

    def _look(self) -> None:
        nodes = [
            replace(node, detail={**node.detail, "offset": self._second * 1_000 + number})
            for number, node in enumerate(scenes.cluster().nodes)
        ]
        self._daemon.publish("cluster.health", ClusterHealth("valkey", True, "", nodes, time.time()))
        self._daemon.later(_LOOK_S, self._look)

    def _each_second(self) -> None:
        self._sample(time.time())
        for name in (*_OURS, *(f"valkey-{number}" for number in range(6))):
            self._process(name)
        self._daemon.later(_SECOND_S, self._each_second)

    def _more(self) -> None:
        self._owed += self.flood * _TICK_S
        while self._owed >= 1.0:
            self._owed -= 1.0
            self._one_more(next(self._count))
        self._daemon.later(_TICK_S, self._more)

    def _one_more(self, number: int) -> None:
        """Of twenty frames twelve are lines of logs, six states, one an event, one a step: the mix of a bad day."""
        kind = number % 20
        if kind < 12:
            line = f"{number} accepted a connection from 127.0.0.1:{40_000 + number % 9_999}"
            self._daemon.publish(f"process.valkey-{number % 6}.log", {"stream": "stdout", "line": line})
        elif kind < 18:
            self._process(f"valkey-{number % 6}")
        elif kind == 18:
            event = ClusterEvent(f"valkey-{number % 6}", "slow_query", f"slow command {number}", time.time())
            self._daemon.publish("cluster.event", event)
        else:
            self._daemon.publish("agent.step", AgentStep(1, "evidence", f"[{number}] one more line of a log was read"))


def main(directory: Path) -> None:
    """Run until stdin ends."""
    with ScriptedDaemon(directory) as daemon:
        stage = Stage(daemon)
        stage.begin()
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            stage.flood = float(line)
            print(json.dumps({"flood": stage.flood}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
