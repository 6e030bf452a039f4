"""A cluster told by a scripted daemon: faults with an effect, a load that feels them, a monitor that sees them.

Time runs at the rate of the clock, but a sample comes every 40 ms and claims to cover a second.
"""

import time
from functools import partial

from tests.clients import bodies
from tests.clients.scripted import Handler, Script, ScriptedDaemon

from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, NotFound
from operator_protocol.models import ClusterHealth, Fault, FaultKind, FaultParam, Node
from operator_protocol.records import to_body

_TICK_S = 0.02
RATE = 2000.0


class Lab:
    def __init__(self, daemon: ScriptedDaemon, fault: Fault | None = None) -> None:
        self.daemon = daemon
        self.detects = True
        self.recovers = True
        """Whether an undo succeeds."""
        self.effect_on_load = 0.0
        """What is left of the rate while a fault is in force."""
        self.errors_per_sec = 0.0
        """While a fault is in force."""
        self.running = False
        self.rate: float | None = None
        self.stop_takes_s = 0.0
        """The load goes on so long after it was told to stop."""
        self.fault = fault
        self._aborted = False
        self._samples = 0
        self._operations = 0
        self._ticks = 0
        for process in ("monitor", "valkey-1"):
            daemon.publish(f"process.{process}.state", bodies.process(process))
        handlers: dict[str, Handler] = {
            "status": lambda _: self._status(),
            "workload": self._workload,
            "fault": self.inject,
            "recover": self._recover,
            "restart": lambda args: {"process": to_body(bodies.process(str(args["name"])))},
            "faults": lambda _: {"kinds": [to_body(kind) for kind in KINDS], "owed": []},
        }
        for cmd, handler in handlers.items():
            daemon.on(cmd, handler)
        daemon.publish("cluster.health", self._health())
        daemon.later(0, self._tick)

    # commands

    def _status(self) -> Body:
        return bodies.status() | {"faults": [to_body(self.fault)] if self.fault and self.fault.owed else []}

    def _workload(self, args: Body) -> Script:
        if args["action"] == "start":
            self.running, self._samples = True, 0
        elif args["action"] == "stop":
            yield self.stop_takes_s
            self.running = False
        if args.get("rate"):
            self.rate = args["rate"]
        return {"running": self.running, "rate": self.rate}

    def inject(self, args: Body) -> Script:
        if args["target"] == "valkey-5":
            raise Conflict("valkey-5 is the last live copy of shard-2")
        self._aborted = False
        for remaining in range(int(args["countdown"] or 0), 0, -1):
            counting = bodies.fault("mine", "countdown", remaining=remaining, injected_at=None)
            self.daemon.publish("fault.countdown", counting)
            self.fault = counting
            for _ in range(20):
                yield 0.05
                if self._aborted:
                    self.fault = None
                    self.daemon.publish("fault.failed", bodies.fault("mine", "failed", error="aborted"))
                    raise Conflict("the countdown was aborted")
        self.fault = bodies.fault("mine", params=args.get("params") or {})
        yield 0.02
        if self.detects:
            # As it is: seen before the frame of the injection comes.
            self.daemon.publish("violation.opened", bodies.violation())
        yield 0.02
        self.daemon.publish("fault.injected", self.fault)
        return {"fault": to_body(self.fault)}

    def _recover(self, args: Body) -> Script:
        if self.fault is None or args["id"] not in (None, "mine"):
            raise NotFound(f"no fault has the id {args['id']!r}")
        if self.fault.state == "countdown":
            self._aborted = True
            return {"recovered": [], "message": "stopped"}
        self.daemon.publish("fault.recovering", bodies.fault("mine", "recovering"))
        yield 0.1
        if not self.recovers:
            raise Conflict("valkey-1 does not come back")
        return self.recovered("undo")

    def recovered(self, by: str) -> Body:
        over = bodies.fault("mine", "recovered", recovered_at=time.time(), recovered_by=by)
        self.fault = None
        self.daemon.publish("violation.closed", bodies.violation())
        self.daemon.publish("fault.recovered", over)
        return {"recovered": [to_body(over)], "message": "recovered"}

    # the cluster and its load

    @property
    def broken(self) -> bool:
        return self.fault is not None and self.fault.owed

    def _tick(self) -> None:
        self._ticks += 1
        self.daemon.publish("cluster.health", self._health())
        if self.running and self._ticks % 2 == 0:
            self._samples += 1
            rate = RATE * (self.effect_on_load if self.broken else 1.0)
            self._operations += round(rate)
            known = self._samples > 3
            self.daemon.publish(
                "workload.sample",
                bodies.sample(
                    rate,
                    self._operations,
                    baseline=RATE if known else None,
                    threshold=RATE / 2 if known else None,
                    degraded=known and rate < RATE / 2,
                    elapsed=float(self._samples),
                    errors_per_sec=self.errors_per_sec if self.broken else 0.0,
                ),
            )
        self.daemon.later(_TICK_S, partial(self._tick))

    def _health(self) -> ClusterHealth:
        nodes = []
        for number in range(6):
            one = bodies.node(number, "primary" if number < 3 else "replica")
            state = "down" if self.broken and number == 1 else "up"
            nodes.append(Node(one.id, one.role, one.group, one.address, state))  # type: ignore[arg-type]  # a literal
        return ClusterHealth("valkey", not self.broken, "", nodes, time.time(), time.monotonic())


KINDS = [
    FaultKind("kill", "SIGKILL", "a start"),
    FaultKind("slow", "a duty cycle", "SIGCONT", [FaultParam("percent", "share", 70.0)]),
    FaultKind("latency", "netem", "tc", missing="the kernel module sch_netem"),
]
