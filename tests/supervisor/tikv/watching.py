"""Looking at a stand-in cluster with the real probe."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.standins.cluster import StandInCluster

from operator_protocol.models import Node, Scalar, Violation
from operatord.subjects.base import Member, Observation, SubjectSpec
from operatord.subjects.tikv.probe import TiKVProbe
from operatord.subjects.tikv.settings import split_address
from operatord.workers.monitor.tracker import Changes, ViolationTracker

T = TypeVar("T")

QUICK = ("--disconnect-after-s", "2", "--raft-election-s", "1", "--election-s", "0.2")
"""Options of a cluster in which things happen sooner than in a real one."""


def spec_of(cluster: StandInCluster, **options: Scalar) -> SubjectSpec:
    """As the daemon writes it for containers of its own."""
    places = {name: url.partition("://")[2] for name, url in cluster.pd_urls.items()} | cluster.status
    data = ",".join(f"{name}={address}" for name, address in cluster.addresses.items())
    members = [Member(name, *split_address(place)) for name, place in places.items()]
    return SubjectSpec("tikv", members, {"data": data, **options})


class Watch:
    """A probe, and the tracker that a monitor feeds with what it sees."""

    def __init__(self, spec: SubjectSpec) -> None:
        self.probe = TiKVProbe(spec)
        self.tracker = ViolationTracker(self.probe.invariants(), time.monotonic)
        self.opened: list[str] = []
        """Invariant and node of everything that was opened, in order."""
        self.closed: list[str] = []

    async def look(self) -> Observation:
        seen = await self.probe.observe(0.4)
        changes: Changes = self.tracker.feed(seen)
        assert changes.failed_checks == []
        self.opened += [named(one) for one in changes.opened]
        self.closed += [named(one) for one in changes.closed]
        return seen

    async def until(self, wanted: Callable[[Observation], bool], timeout_s: float = 20.0) -> Observation:
        """Look until it is so."""
        ends = time.monotonic() + timeout_s
        while True:
            seen = await self.look()
            if wanted(seen):
                return seen
            assert time.monotonic() < ends, f"not so within {timeout_s} s: {seen.ok} {seen.reason} {self.open()}"
            await asyncio.sleep(0.1)

    async def until_well(self) -> Observation:
        return await self.until(lambda seen: seen.ok is True and not self.open())

    async def until_open(self, name: str) -> Observation:
        return await self.until(lambda _seen: name in self.open())

    def told(self) -> list[str]:
        """What was opened, save that PD or one of it was not heard for a moment, as on a host that is busy."""
        return [one for one in self.opened if not one.startswith(("observation_unknown", "pd_member_unhealthy"))]

    def open(self) -> set[str]:
        """``store_down tikv1``, ``no_pd_leader``."""
        return {named(one) for one in self.tracker.open()}


def named(violation: Violation) -> str:
    return f"{violation.invariant} {violation.node}" if violation.node else violation.invariant


def watching(spec: SubjectSpec, work: Callable[[Watch], Awaitable[T]]) -> T:
    async def main() -> T:
        watch = Watch(spec)
        try:
            return await work(watch)
        finally:
            await watch.probe.close()

    return asyncio.run(main())


def node(seen: Observation, name: str) -> Node:
    found = seen.node(name)
    assert found is not None
    return found


def signals(seen: Observation, name: str) -> dict[str, str]:
    return dict(node(seen, name).signals)
