"""The demo's eight chapters, told by a scripted daemon in a few seconds: what `demo --auto` walks through.

Time runs at the rate of the clock, but a sample comes every 40 ms and claims the operations since the last one. The
nodes count what they serve, replicas count the writes that they replay.
"""

import time
from collections.abc import Callable
from functools import partial

from tests.clients import bodies
from tests.clients.scripted import Handler, Script, ScriptedDaemon

from operator_protocol.codec import Body
from operator_protocol.errors import Conflict
from operator_protocol.models import ClusterHealth, Fault, Node
from operator_protocol.records import to_body

TITLES = (
    "Welcome",
    "Stage 1: Cluster Health",
    "Stage 2: Load Generation",
    "Stage 3: Fault Injection",
    "Stage 4: Detection",
    "Stage 5: AI Diagnosis",
    "Stage 6: Recovery",
    "Demo Complete",
)
_TICK_S = 0.02
_RATE = 2000.0
_FAILOVER_S = 0.3
_SEEN_SAMPLES = 3
"""Samples without the node that failed, at least, however late this thread is."""


class ScriptedDemo:
    def __init__(
        self,
        daemon: ScriptedDaemon,
        *,
        detected: bool = True,
        served_share: float = 1.0,
        refusals: int = 0,
        goes_on_after_s: float = 0.1,
    ) -> None:
        self._daemon = daemon
        self._detected = detected
        self._served_share = served_share
        """What the nodes count of what they serve; below 1 they do not agree with the load."""
        self._refusals = refusals
        """How often the fault is refused before it is injected."""
        self._goes_on_after_s = goes_on_after_s
        """The last chapter is entered so long after the recovery, unless somebody is quicker."""
        self._index = 0
        self._load_since: float | None = None
        self._samples = 0
        self._samples_before = 0
        self._operations = 0
        self._primaries = [0, 1, 2]
        self._commands = [0.0] * 6
        self._runs = ["run"] * 6
        self._down: int | None = None
        self._fault: Fault | None = None
        self._last_tick = time.monotonic()
        self._ticks = 0
        handlers: dict[str, Handler] = {
            "status": lambda _: self._status(),
            "goto": lambda args: self._enter(int(args["chapter"])),
            "next": lambda _: self._next(),
            "recover": lambda _: self._recover(),
            "workload": self._workload,
        }
        for cmd, handler in handlers.items():
            daemon.on(cmd, handler)
        daemon.publish("demo.chapter", self._chapter())
        daemon.later(0, self._tick)

    def leave_at_the_end_with_a_fault(self) -> None:
        """As if an earlier walk had been killed in its last chapter."""
        self._index = 7
        self._fault = bodies.fault()
        self._daemon.publish("fault.injected", self._fault)
        self._daemon.publish("demo.chapter", self._chapter())

    # chapters

    def _chapter(self, *, busy: bool = False, met: bool | None = None) -> Body:
        chapter = bodies.chapter(self._index, title=TITLES[self._index], busy=busy, expectation_met=met)
        return to_body(chapter)

    def _next(self) -> Body:
        if self._index + 1 >= len(TITLES):
            raise Conflict("the demo is complete")
        return self._enter(self._index + 1)

    def _enter(self, index: int) -> Body:
        self._index = index
        steps: dict[int, Callable[[], Body]] = {
            2: self._start_load,
            3: self._inject,
            4: lambda: self._expect("violation.opened", bodies.violation, 0.1),
            5: lambda: self._expect(
                "agent.diagnosis", lambda: {"ticket": 1, "diagnosis": to_body(bodies.diagnosis())}, 0.1
            ),
            6: self._recovery,
        }
        chapter = steps.get(index, self._tell)()
        return {"chapter": chapter}

    def _tell(self, *, busy: bool = False, met: bool | None = None) -> Body:
        chapter = self._chapter(busy=busy, met=met)
        self._daemon.publish("demo.chapter", chapter)
        return chapter

    def _start_load(self) -> Body:
        self._load_since = time.monotonic()
        return self._tell()

    def _inject(self) -> Body:
        def work() -> None:
            if self._refusals:
                self._refusals -= 1
                told = bodies.fault(state="failed", owed=False, injected_at=None, error="kill is refused: unwell")
                self._daemon.publish("fault.failed", told)
                self._tell(met=False)
                return
            self._fault = bodies.fault()
            self._down = 1
            self._samples_before = self._samples
            self._daemon.publish("fault.injected", self._fault)
            self._daemon.later(_FAILOVER_S, self._fail_over)
            self._tell()

        for remaining in (3, 2, 1):
            told = bodies.fault(state="countdown", remaining=remaining, injected_at=None)
            self._daemon.later(0.05 * (3 - remaining), partial(self._daemon.publish, "fault.countdown", told))
        self._daemon.later(0.15, work)
        return self._tell(busy=True)

    def _fail_over(self) -> None:
        if self._load_since is not None and self._samples < self._samples_before + _SEEN_SAMPLES:
            self._daemon.later(_TICK_S, self._fail_over)
        else:
            self._primaries[1] = 4

    def _expect(self, topic: str, make: Callable[[], object], after_s: float) -> Body:
        if not self._detected:
            return self._tell()

        def come_true() -> None:
            self._daemon.publish(topic, make())
            self._tell(met=True)

        self._daemon.later(after_s, come_true)
        return self._tell(met=False)

    def _recovery(self) -> Body:
        def done() -> None:
            self._recovered()
            self._tell(met=True)
            self._daemon.later(self._goes_on_after_s, go_on)

        def go_on() -> None:
            if self._index == 6:
                self._enter(7)

        self._daemon.publish("fault.recovering", bodies.fault(state="recovering"))
        self._daemon.later(0.3, done)
        return self._tell(busy=True)

    def _recovered(self) -> None:
        self._daemon.publish("fault.recovered", bodies.fault(state="recovered"))
        self._fault = None
        self._down = None
        self._runs[1] = "second run"
        self._commands[1] = 0.0

    # commands

    def _status(self) -> Body:
        faults = [to_body(self._fault)] if self._fault else []
        running = self._load_since is not None
        return bodies.status() | {"faults": faults, "workload": {"running": running}}

    def _recover(self) -> Script:
        recovered = [to_body(self._fault)] if self._fault else []
        if self._fault:
            yield 0.1
            self._recovered()
        return {"recovered": recovered, "message": "recovered"}

    def _workload(self, args: Body) -> Body:
        if args["action"] == "stop":
            self._load_since = None
        return {"running": self._load_since is not None}

    # the cluster and its load

    def _tick(self) -> None:
        now = time.monotonic()
        elapsed_s, self._last_tick = now - self._last_tick, now
        self._ticks += 1
        # Operations go to all shards alike; with one of them down the client's threads are all stuck on it.
        stuck = self._down is not None and self._primaries[self._down % 3] == self._down
        if self._load_since is not None and not stuck:
            served = _RATE * elapsed_s
            self._operations += round(served)
            self._serve(round(served) * self._served_share / 3)
        # The sample first: the look behind it then covers all that it counts, even for who stops reading here.
        if self._load_since is not None and self._ticks % 2 == 0:
            self._sample(0.0 if stuck else _RATE)
        self._daemon.publish("cluster.health", self._health())
        self._daemon.later(_TICK_S, self._tick)

    def _serve(self, share: float) -> None:
        for number in range(6):
            self._commands[number] += share if number in self._primaries else share / 2

    def _sample(self, rate: float) -> None:
        self._samples += 1
        known = self._samples > 5
        self._daemon.publish(
            "workload.sample",
            bodies.sample(rate, self._operations, baseline=_RATE if known else None, degraded=known and rate < 1000),
        )

    def _health(self) -> ClusterHealth:
        nodes = []
        for number in range(6):
            one = bodies.node(number, "primary" if number in self._primaries else "replica")
            state = "down" if number == self._down else "up"
            detail = {"commands": int(self._commands[number]), "run_id": self._runs[number]} if state == "up" else {}
            nodes.append(Node(one.id, one.role, one.group, one.address, state, detail=detail))  # type: ignore[arg-type]  # a literal
        return ClusterHealth("valkey", self._down is None, "", nodes, time.time())
