"""The half that looks: asks all nodes at once and merges what they say."""

import asyncio
import ipaddress
import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from libvalkey import ReplyError

from operator_protocol.models import EvidenceItem
from operatord.clock import Clock
from operatord.procfs import ProcessId, read_stat
from operatord.subjects.base import Invariant, Member, Observation, SubjectSpec
from operatord.subjects.valkey import evidence, health, invariants
from operatord.subjects.valkey.answers import Answer, Contact, calls
from operatord.subjects.valkey.handover import Handovers
from operatord.subjects.valkey.host import HostTrack, started_ago_s
from operatord.subjects.valkey.latency import DATA_COMMANDS, PINGS_PER_LOOK, LatencyTrack, Ping
from operatord.subjects.valkey.procfs import glance, life
from operatord.subjects.valkey.runqueue import RunQueue
from operatord.subjects.valkey.settings import Settings
from operatord.subjects.valkey.views import parse_info, parse_nodes
from operatord.subjects.valkey.wire import Command, NodeClient, NodeGone, NodeSilent, Reply, text

_QUESTIONS: tuple[Command, ...] = (
    ("INFO", "server", "clients", "memory", "persistence", "stats", "replication", "commandstats"),
    ("CLUSTER", "INFO"),
    ("CLUSTER", "NODES"),
    ("LATENCY", "HISTOGRAM", *DATA_COMMANDS),
)

_PING_BUDGET_S = 0.1
"""Pings of one look stop after this long, so that one slow node does not make the look slow."""

_PING_GAP_S = 0.005
"""Pings of one look stand up to this far apart, by chance. Without it they are one instant, and looks that come at
even intervals may all fall into the same phase of a node that is stopped at even intervals: one that stood still for
14 of every 20 ms looked as quick as the others."""

_AGE_TOLERANCE_S = 3.0
"""The server tells its age in whole seconds, and begins to count a moment after it was started."""

_MARGIN_S = 0.02
"""Kept back from the deadline for parsing and merging."""

_INTERVAL_S = 0.5
"""Between two looks, at most; who looks less often does not know what was in between."""

_LATE_S = 0.1
"""A look that begins or ends this long after its time: it was we who did not run."""


class _Watched:
    """One node, and what is remembered of it from look to look."""

    def __init__(self, member: Member, now: float) -> None:
        self.member = member
        self.client = NodeClient(member.id, member.host, member.port)
        self.latency = LatencyTrack()
        self.process: ProcessId | None = None
        self.answered_at = now
        self.asked_at: float | None = None
        """Since when it has left each question unanswered; None while it answers."""
        self.run_id = ""
        self.commands = 0
        self.here = _is_loopback(member.host)
        self.host = HostTrack()
        self.queue = RunQueue()
        self.asked_s = 0.0
        self.pinged = False


class ValkeyProbe:
    """``SubjectProbe`` of the Valkey cluster; keeps one connection to each node."""

    def __init__(self, spec: SubjectSpec, *, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        self._settings = Settings.read(spec.options)
        self._clock = clock
        self._wall = wall
        self._watched = [_Watched(member, clock()) for member in spec.members]
        self._invariants = invariants.of(self._settings)
        self._handovers = Handovers()
        self._looked_at = clock()
        self._own_queue = RunQueue()
        if (own := read_stat(os.getpid())) is not None:
            self._own_queue.follow(own.id)

    async def observe(self, deadline_s: float) -> Observation:
        """One look, finished within ``deadline_s`` whatever the nodes do."""
        at, mono = self._wall(), self._clock()
        answers = await self._ask_all(deadline_s, pings=PINGS_PER_LOOK)
        seen = health.observation(answers, silence_s=self._settings.silence_s, at=at, mono=mono)
        return replace(seen, nodes=self._handovers.look(seen.nodes, mono))

    async def evidence(self, node_id: str | None, deadline_s: float) -> list[EvidenceItem]:
        """What each node says of itself and of ``node_id``, and what the kernel says; numbered from 1."""
        answers = await self._ask_all(deadline_s, pings=0)
        seen = health.observation(answers, silence_s=self._settings.silence_s, at=self._wall(), mono=self._clock())
        return evidence.of(answers, seen, node_id)

    def invariants(self) -> Sequence[Invariant]:
        """What must hold, with the thresholds and grace periods of the spec."""
        return self._invariants

    async def close(self) -> None:
        """Give the connections back."""
        self._own_queue.close()
        for watched in self._watched:
            watched.client.close()
            watched.queue.close()
        await asyncio.sleep(0)  # the transports close in the next turn of the loop

    async def _ask_all(self, deadline_s: float, pings: int) -> list[Answer]:
        budget_s = max(0.01, deadline_s - _MARGIN_S)
        self._excuse(self._clock() - self._looked_at - _INTERVAL_S)
        due = self._clock() + budget_s
        try:
            outcomes = await asyncio.gather(*(self._ask(watched, budget_s, pings) for watched in self._watched))
        finally:  # a look that is cancelled may be so because we did not run
            self._looked_at = self._clock()
            self._excuse(self._looked_at - due)
        return [self._read(*outcome) for outcome in zip(self._watched, outcomes, strict=True)]

    def _excuse(self, idle_s: float) -> None:
        """For so long nobody asked, or listened for an answer: nobody is to blame for none."""
        if idle_s > _LATE_S:
            for watched in self._watched:
                if watched.asked_at is not None:
                    watched.asked_at += idle_s

    async def _ask(self, watched: _Watched, budget_s: float, pings: int) -> list[Reply] | NodeGone | NodeSilent:
        """The replies to the questions, or why there are none. Reading them waits until all nodes were asked, so
        that it does not lengthen the round trips of the pings."""
        began = self._clock()
        end = began + budget_s
        watched.pinged = False
        if watched.asked_at is None:
            watched.asked_at = began
        try:
            try:
                await watched.client.ask(("PING",), deadline_s=budget_s)
                watched.pinged, began = True, self._clock()
                replies = await watched.client.ask(*_QUESTIONS, deadline_s=max(0.001, end - self._clock()))
            except NodeGone:
                # A kept connection that breaks says that the server ended, not whether another one took its place.
                replies = await watched.client.ask(*_QUESTIONS, deadline_s=max(0.001, end - self._clock()))
        except (NodeGone, NodeSilent) as error:
            return error
        watched.asked_s, watched.asked_at = self._clock() - began, None
        watched.latency.pinged(await self._ping(watched, min(end, self._clock() + _PING_BUDGET_S), pings))
        return replies

    async def _ping(self, watched: _Watched, end: float, pings: int) -> list[Ping]:
        took: list[Ping] = []
        for _ in range(pings):
            await asyncio.sleep(random.uniform(0, _PING_GAP_S))
            watched.host.glance()
            queued_s, started = self._queued_s(watched), self._clock()
            if started >= end:
                break
            try:
                await watched.client.ask(("PING",), deadline_s=end - started)
            except (NodeGone, NodeSilent):
                # It took at least this long; that it does not answer at all is for the next look to find.
                took.append(Ping(self._clock() - started))
                break
            took_s = self._clock() - started
            took.append(Ping(took_s, self._queued_s(watched) - queued_s))
        return took

    def _queued_s(self, watched: _Watched) -> float:
        """What the node and we have waited for a processor: on a busy host that, and not the node, is late."""
        return watched.queue.waited_s() + self._own_queue.waited_s()

    def _read(self, watched: _Watched, outcome: list[Reply] | NodeGone | NodeSilent) -> Answer:
        now = self._clock()
        if isinstance(outcome, NodeGone | NodeSilent):
            silent = isinstance(outcome, NodeSilent)
            connected = isinstance(outcome, NodeSilent) and outcome.connected
            return Answer(
                watched.member,
                contact=("silent" if connected else "unreachable") if silent else _contact_of(outcome),
                silent_for_s=now - (now if watched.asked_at is None else watched.asked_at),
                answered_ago_s=now - watched.answered_at if watched.run_id else None,
                process=life(watched.process) if watched.process else None,
                pinged=watched.pinged,
                host=watched.host.look(now),
            )
        info_reply, cluster, nodes, histogram = outcome
        info = parse_info(text(info_reply))
        ops_per_sec = _remember(watched, info, now)
        if not isinstance(histogram, ReplyError):
            watched.latency.looked(watched.run_id, histogram, watched.asked_s)
        return Answer(
            watched.member,
            contact="answered",
            process=life(watched.process) if watched.process else None,
            info=info,
            cluster=parse_info(text(cluster)),
            view=tuple(parse_nodes(text(nodes))),
            ops_per_sec=ops_per_sec,
            pings_p99_ms=watched.latency.pings_p99_ms,
            pings_own_p99_ms=watched.latency.pings_own_p99_ms,
            commands_p99_ms=watched.latency.commands_p99_ms,
            pings_least_ms=watched.latency.pings_least_ms,
            pings_median_ms=watched.latency.pings_median_ms,
            pinged=True,
            asked_ms=round(watched.asked_s * 1000, 2),
            asked_least_ms=watched.latency.asked_least_ms,
            asked_chars=len(text(info_reply)) + len(text(nodes)),
            host=watched.host.look(now),
        )


def _remember(watched: _Watched, info: Mapping[str, str], now: float) -> float | None:
    """Note what the next look compares with; returns the operations per second since the look before."""
    run_id, pid, commands = info.get("run_id", ""), info.get("process_id", ""), calls(info, DATA_COMMANDS)
    elapsed_s, ran = now - watched.answered_at, commands - watched.commands
    same_server = run_id == watched.run_id
    if not same_server:
        watched.process = _identify(watched, pid, info.get("uptime_in_seconds", ""))
        watched.host.meet(watched.process)
        watched.queue.follow(watched.process)
    watched.answered_at, watched.run_id, watched.commands = now, run_id, commands
    return round(ran / elapsed_s, 1) if same_server and elapsed_s > 0 else None


def _identify(watched: _Watched, pid: str, uptime: str) -> ProcessId | None:
    """The process of this machine that the server says it is; None when it is on another, or cannot be told.

    A server that is not on the loopback may still be here, in a network namespace of its own. Then it is a server by
    its name that was started when it says that it was: that another one has both its pid and its age is no accident
    to reckon with.
    """
    process = glance(int(pid), "valkey") if pid.isdigit() else None
    if process is None or watched.here:
        return process
    age_s = started_ago_s(process)
    told = uptime.isdigit() and age_s is not None and abs(age_s - int(uptime)) <= _AGE_TOLERANCE_S
    return process if told else None


def _contact_of(error: NodeGone | NodeSilent) -> Contact:
    """A refusal and a cut connection are the word of a kernel; no route to a host is not."""
    return "refused" if isinstance(error.__cause__, ConnectionError) else "unreachable"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
