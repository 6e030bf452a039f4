"""From a ticket to its first answer at a client, and to the one that stands, for every kind of fault of this host.

The first answer is preliminary: it may be a guess, and is replaced. Neither figure says whether an answer is right; the
lines of the progress name the cause of both.
"""

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.e2e.real_daemon import RealDaemon

from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import OperatorError
from operator_protocol.events import FrameSeen
from operator_protocol.follow import Follower
from operator_protocol.models import FaultKind, TicketDiagnosis
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


class Taken(NamedTuple):
    """Milliseconds from a ticket to its first answer, and to the one that stands."""

    first_ms: float
    final_ms: float | None


class Listener:
    """A subscriber that does nothing else: when it received each ticket, its first answer, and the one that stands."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.opened: dict[int, tuple[float, str]] = {}
        """With the node, empty for none."""
        self.answered: dict[int, tuple[float, str]] = {}
        """With the cause."""
        self.settled: dict[int, tuple[float, str]] = {}
        """With the cause; of an answer that is not preliminary."""
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
        elif topic == AGENT_DIAGNOSIS:
            told = from_body(TicketDiagnosis, body)
            self.answered.setdefault(told.ticket, (at, told.diagnosis.cause))
            if not told.diagnosis.preliminary:
                self.settled.setdefault(told.ticket, (at, told.diagnosis.cause))


def run(bench: Bench) -> list[Figure]:
    """Under the default load, on a primary and on a replica in turns; each fault is undone before the next one.

    Each fault meets another group than the one before it, whose traces are evidence for half a minute.
    """
    found: dict[str, list[Taken]] = {}
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
                    taken, told = _once(follower, listener, kind.name, number, next(turns))
                    bench.say(f"  {number + 1} {kind.name}: {told}")
                    if taken is None:
                        without.append(kind.name)
                    else:
                        found.setdefault(kind.name, []).append(taken)
            lacking = [f"{kind.name} ({kind.missing})" for kind in _kinds(bench, follower) if kind.missing]
    note = "ticket.opened to the first agent.diagnosis, preliminary or not, both received" + "".join(
        f"; {title}: {', '.join(names)}"
        for title, names in (("without a ticket or an answer", without), ("not here", lacking))
        if names
    )
    everything = [taken for samples in found.values() for taken in samples]
    if not everything:
        raise Unexpected(f"no fault led to a diagnosis: {note}")
    return [
        Figure("diagnosis", "ms", _firsts(everything), target=TARGET_MS, note=note),
        *_finals("diagnosis.final", everything),
        *(Figure(f"diagnosis.{kind}", "ms", _firsts(samples)) for kind, samples in found.items()),
        *(figure for kind, samples in found.items() for figure in _finals(f"diagnosis.{kind}.final", samples)),
    ]


def _firsts(samples: list[Taken]) -> list[float]:
    return [taken.first_ms for taken in samples]


def _finals(name: str, samples: list[Taken]) -> list[Figure]:
    """None where no answer stood in time."""
    values = [taken.final_ms for taken in samples if taken.final_ms is not None]
    return [Figure(name, "ms", values)] if values else []


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


def _once(follower: Follower, listener: Listener, kind: str, number: int, turn: int) -> tuple[Taken | None, str]:
    """What it took, and a line that says what happened; None without a ticket or an answer."""
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
        opened_at = listener.opened[ticket][0]
        final = _await(follower, lambda: listener.settled.get(ticket), _ANSWERED_S)
        taken = Taken((answer[0] - opened_at) * 1000, (final[0] - opened_at) * 1000 if final else None)
        stands = f"{taken.final_ms:.0f} ms, {final[1]}" if final else "none that stands"
        return taken, f"first {taken.first_ms:.0f} ms, {answer[1]}; final {stands} ({role})"
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


BENCHMARK = Benchmark(
    "diagnosis", "ticket.opened to the first agent.diagnosis and to the one that stands, every kind of fault", run
)
