"""From a ticket to its first diagnosis at a client, for every kind of fault that this host can inject."""

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.e2e.real_daemon import RealDaemon

from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import OperatorError
from operator_protocol.events import FrameSeen
from operator_protocol.follow import Follower
from operator_protocol.models import FaultKind
from operator_protocol.records import from_body
from operator_protocol.topics import AGENT_DIAGNOSIS, TICKET_OPENED

from .clusterwatch import Unexpected, follow_for, wait_for, whole
from .figures import Figure
from .registry import Bench, Benchmark

T = TypeVar("T")

TARGET_MS = 300.0
REPEATS = 5
_QUICK = ("kill", "pause")
_FOUND_S = 30.0
"""A latency must be high for some seconds before it is a violation."""
_ANSWERED_S = 30.0
_WHOLE_S = 90.0
_STEADY_S = 1.0
_TICK_S = 0.02
_CONFIG = '[agent]\ndiagnoser = "rules"\nautonomy = "observe"\n'


class Listener:
    """A subscriber that does nothing else: when it received each ticket, and the first diagnosis of it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.opened: dict[int, tuple[float, str]] = {}
        """With the node, empty for none."""
        self.answered: dict[int, tuple[float, str]] = {}
        """With the cause."""
        self._endpoint = endpoint
        self._joined = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    @contextmanager
    def listening(self) -> Iterator["Listener"]:
        """From when it has joined to the end of the block."""
        self._thread.start()
        try:
            if not self._joined.wait(15):
                raise Unexpected("the subscriber did not join")
            yield self
        finally:
            self._over.set()
            self._thread.join()

    def first(self, about: Collection[str], known: Collection[int]) -> int | None:
        """The first ticket about one of those nodes that is not among ``known``."""
        opened = self.opened.copy()
        return next((number for number in sorted(opened) if number not in known and opened[number][1] in about), None)

    def _listen(self) -> None:
        with Follower(self._endpoint, actor="bench-subscriber") as follower:
            follower.join(10)
            self._joined.set()
            while not self._over.is_set():
                for event in follower.poll(0.1):
                    if isinstance(event, FrameSeen):
                        self._take(event.frame.topic, event.frame.body, time.monotonic())

    def _take(self, topic: str, body: Mapping[str, object], at: float) -> None:
        if topic == TICKET_OPENED and isinstance(number := body["id"], int):
            self.opened[number] = (at, str(body["node"] or ""))
        elif topic == AGENT_DIAGNOSIS and isinstance(number := body["ticket"], int) and number not in self.answered:
            diagnosis = body["diagnosis"]
            self.answered[number] = (at, str(diagnosis.get("cause")) if isinstance(diagnosis, Mapping) else "")


def run(bench: Bench) -> list[Figure]:
    """Under the default load, on a primary and on a replica in turns; each fault is undone before the next one.

    Each fault meets another group than the one before it, whose traces are evidence for half a minute.
    """
    found: dict[str, list[float]] = {}
    without: list[str] = []
    turns = itertools.count()
    with bench.stopped_daemon() as daemon:
        _start(daemon, bench)
        with Listener(daemon.endpoint).listening() as listener, Follower(daemon.endpoint, actor="bench") as follower:
            follower.join(10)
            for number in range(bench.rounds(REPEATS, 1)):
                for kind in _kinds(bench, follower):
                    if kind.missing:
                        continue
                    took_s, told = _once(follower, listener, kind.name, number, next(turns))
                    bench.say(f"  {number + 1} {kind.name}: {told}")
                    if took_s is None:
                        without.append(kind.name)
                    else:
                        found.setdefault(kind.name, []).append(took_s * 1000)
            lacking = [f"{kind.name} ({kind.missing})" for kind in _kinds(bench, follower) if kind.missing]
    note = "ticket.opened to the first agent.diagnosis, both received" + "".join(
        f"; {title}: {', '.join(names)}"
        for title, names in (("without a ticket or an answer", without), ("not here", lacking))
        if names
    )
    everything = [sample for samples in found.values() for sample in samples]
    if not everything:
        raise Unexpected(f"no fault led to a diagnosis: {note}")
    return [
        Figure("diagnosis", "ms", everything, target=TARGET_MS, note=note),
        *(Figure(f"diagnosis.{kind}", "ms", samples) for kind, samples in found.items()),
    ]


def _start(daemon: RealDaemon, bench: Bench) -> None:
    """With networks of their own for the nodes where that is possible: some faults need it."""
    config = Path(bench.directory()) / "operatord.toml"
    config.write_text(_CONFIG)
    options = ("--load", "--config", str(config))
    if daemon.start("--isolate", *options, check=False).returncode != 0:
        daemon.stop()
        daemon.start(*options)


def _kinds(bench: Bench, follower: Follower) -> list[FaultKind]:
    listed = [from_body(FaultKind, one) for one in follower.perform("faults")["kinds"]]
    return [kind for kind in listed if not bench.quick or kind.name in _QUICK]


def _once(follower: Follower, listener: Listener, kind: str, number: int, turn: int) -> tuple[float | None, str]:
    """Seconds from the ticket to the answer, and a line that says what happened; None without either."""
    wait_for(follower, lambda state: whole(state) and not state.faults, "a whole cluster", _WHOLE_S)
    follow_for(follower, _STEADY_S)
    role = "primary" if kind == "failover" or number % 2 == 0 else "replica"
    nodes = list(follower.state.nodes.values())
    group, target = sorted((node.group, node.id) for node in nodes if node.role == role)[turn % 3]
    # A ticket about another group would be a late one of the fault before.
    about = {"", *(node.id for node in nodes if node.group == group)}
    before = set(listener.opened)
    try:
        follower.perform("fault", {"kind": kind, "target": target, "countdown": 0})
        ticket = _await(follower, lambda: listener.first(about, before), _FOUND_S)
        if ticket is None:
            return None, f"no ticket within {_FOUND_S:g} s"
        answer = _await(follower, lambda: listener.answered.get(ticket), _ANSWERED_S)
        if answer is None:
            return None, f"no answer within {_ANSWERED_S:g} s"
        took_s = answer[0] - listener.opened[ticket][0]
        return took_s, f"{took_s * 1000:.0f} ms, {answer[1]} ({role})"
    except OperatorError as error:
        return None, error.message
    finally:
        _recover(follower)


def _await(follower: Follower, look: Callable[[], T | None], within_s: float) -> T | None:
    until = time.monotonic() + within_s
    while (seen := look()) is None and time.monotonic() < until:
        follow_for(follower, _TICK_S)
    return seen


def _recover(follower: Follower) -> None:
    """Undo it, and put away the tickets that nothing is left of, as one that is open would stand for the next."""
    follower.perform("recover", {})
    wait_for(follower, lambda state: whole(state) and not state.faults, "the undo to show", _WHOLE_S)
    for ticket in list(follower.state.tickets.values()):
        follower.perform("resolve", {"id": ticket.id, "note": "measured"})


BENCHMARK = Benchmark("diagnosis", "ticket.opened to the first agent.diagnosis, every kind of fault", run)
