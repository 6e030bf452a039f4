"""The monitor's looks: one at a time, never older than the request, and never the end of the worker."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence

import pytest

from operator_protocol.models import ClusterHealth, EvidenceItem, Node
from operator_protocol.records import from_body
from operatord.subjects.base import Breach, Invariant, Observation
from operatord.workers.monitor.tracker import ViolationTracker
from operatord.workers.monitor.worker import Monitor

from .worker_bench import MemoryContext, running, until

Look = Callable[[int], Coroutine[None, None, Observation]]


def seen(number: int, ok: bool | None = True) -> Observation:
    node = Node("a", "primary", "g", "", "up" if ok else "down")
    return Observation("toy", ok, "" if ok else "a is down", [node], {"look": float(number)}, 100.0 + number, 0.0)


class ToySubject:
    """A subject whose every look is written by the test."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.begun = 0
        self.under_way = 0
        self.most_at_once = 0

    async def observe(self, deadline_s: float) -> Observation:
        assert deadline_s == 0.4
        self.begun += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            return await self._look(self.begun)
        finally:
            self.under_way -= 1

    async def evidence(self, node_id: str | None, deadline_s: float) -> list[EvidenceItem]:
        return []

    def invariants(self) -> Sequence[Invariant]:
        return [Invariant("down", "critical", 0.0, lambda one: [] if one.ok else [Breach("a", "a is down")])]

    async def close(self) -> None:
        pass


class Bench:
    def __init__(self, look: Look, interval_s: float = 3600.0) -> None:
        self.subject = ToySubject(look)
        self.ctx = MemoryContext({})
        tracker = ViolationTracker(self.subject.invariants(), lambda: 0.0)
        self.monitor = Monitor(self.ctx, self.subject, tracker, "toy", interval_s)

    def health(self) -> list[ClusterHealth]:
        return [from_body(ClusterHealth, body) for body in self.ctx.bodies("cluster.health")]


def test_it_looks_at_once_and_then_at_its_interval() -> None:
    async def look(number: int) -> Observation:
        return seen(number)

    async def scenario() -> None:
        bench = Bench(look, interval_s=0.01)
        async with running(bench.monitor.run()):
            await until(lambda: len(bench.health()) >= 5)
        assert [one.observed_at for one in bench.health()[:5]] == [101.0, 102.0, 103.0, 104.0, 105.0]
        assert bench.health()[0].nodes == seen(1).nodes

    asyncio.run(scenario())


def test_a_look_that_is_asked_for_begins_after_the_request() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def look(number: int) -> Observation:
            if number == 2:
                await gate.wait()
            return seen(number)

        bench = Bench(look)
        async with running(bench.monitor.run()):
            await until(lambda: len(bench.health()) == 1)
            second = asyncio.create_task(bench.monitor.observe())
            await until(lambda: bench.subject.under_way == 1)
            third = asyncio.create_task(bench.monitor.observe())
            await asyncio.sleep(0)
            gate.set()
            assert (await second).metrics["look"] == 2.0
            assert (await third).metrics["look"] == 3.0
        assert bench.subject.most_at_once == 1

    asyncio.run(scenario())


def test_requests_that_wait_together_share_one_look() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def look(number: int) -> Observation:
            if number == 1:
                await gate.wait()
            return seen(number)

        bench = Bench(look)
        async with running(bench.monitor.run()):
            await until(lambda: bench.subject.under_way == 1)
            asked = [asyncio.create_task(bench.monitor.observe()) for _ in range(20)]
            await asyncio.sleep(0)
            gate.set()
            assert {(await one).metrics["look"] for one in asked} == {2.0}
            assert bench.subject.begun == 2

    asyncio.run(scenario())


def test_a_caller_who_gives_up_does_not_take_the_look_from_the_others() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def look(number: int) -> Observation:
            if number == 2:
                await gate.wait()
            return seen(number)

        bench = Bench(look)
        async with running(bench.monitor.run()):
            await until(lambda: len(bench.health()) == 1)
            first, second = (asyncio.create_task(bench.monitor.observe()) for _ in range(2))
            await until(lambda: bench.subject.under_way == 1)
            first.cancel()
            gate.set()
            assert (await second).metrics["look"] == 2.0

    asyncio.run(scenario())


def test_violations_are_published_when_they_open_and_when_they_close() -> None:
    async def look(number: int) -> Observation:
        return seen(number, ok=number != 2)

    async def scenario() -> None:
        bench = Bench(look)
        tracker = ViolationTracker(
            [Invariant("down", "critical", 0.0, bench.subject.invariants()[0].check, clear_s=0.0)], lambda: 0.0
        )
        monitor = Monitor(bench.ctx, bench.subject, tracker, "toy", 0.01)
        async with running(monitor.run()):
            await until(lambda: bench.ctx.bodies("violation.closed") != [])
        (opened,), (closed,) = bench.ctx.bodies("violation.opened"), bench.ctx.bodies("violation.closed")
        assert opened["node"] == "a"
        assert opened["id"] == closed["id"]

    asyncio.run(scenario())


def test_a_probe_that_crashes_makes_the_cluster_unknown_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    async def look(number: int) -> Observation:
        if number in (2, 3):
            raise RuntimeError("the socket\nis on fire")
        return seen(number)

    async def scenario() -> None:
        bench = Bench(look, interval_s=0.01)
        async with running(bench.monitor.run()):
            await until(lambda: len(bench.health()) >= 4)
        assert [one.ok for one in bench.health()[:4]] == [True, None, None, True]
        assert "RuntimeError: the socket" in bench.health()[1].reason
        assert bench.ctx.bodies("violation.opened") == []

    asyncio.run(scenario())
    printed = capsys.readouterr().out
    assert "Traceback" not in printed
    assert printed.count("the probe failed") == 1
    assert "looking works again" in printed


def test_a_probe_that_hangs_is_cut_off() -> None:
    async def look(number: int) -> Observation:
        # On a busy host the first may be taken again.
        if number <= 2:
            await asyncio.sleep(3600)
        return seen(number)

    async def scenario() -> None:
        bench = Bench(look, interval_s=0.01)
        async with running(bench.monitor.run()):
            await until(lambda: any(one.ok for one in bench.health()))
        assert bench.health()[0].ok is None

    asyncio.run(scenario())


def test_a_look_that_took_so_long_because_the_monitor_itself_stood_still_is_taken_again() -> None:
    async def look(number: int) -> Observation:
        if number == 1:
            time.sleep(1.3)  # noqa: ASYNC251 - nothing else of this process runs, as on a host that was paused
            await asyncio.sleep(3600)
        return seen(number)

    async def scenario() -> None:
        bench = Bench(look)
        async with running(bench.monitor.run()):
            await until(lambda: len(bench.health()) >= 1)
        assert [one.ok for one in bench.health()] == [True]

    asyncio.run(scenario())
