"""Starting by readiness: order, cycles, failures."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_protocol.errors import BadRequest, DeadlineExceeded, OperatorError, Unavailable
from operatord.readiness import Milestones, Needs, start_in_order, start_order

DIAMOND: Needs = {"load": ["ycsb", "cluster"], "cluster": ["monitor"], "ycsb": [], "monitor": []}


class Starts:
    """Begins and ends of starts, as they came; each takes until it is let go."""

    def __init__(self, needs: Needs, broken: dict[str, Exception] | None = None) -> None:
        self.order: list[str] = []
        self.gates = {name: asyncio.Event() for name in needs}
        self.broken = broken or {}

    async def __call__(self, name: str) -> None:
        self.order.append(f"{name} begins")
        await self.gates[name].wait()
        if name in self.broken:
            raise self.broken[name]
        self.order.append(f"{name} is ready")


@given(
    st.dictionaries(st.integers(0, 7).map(str), st.lists(st.integers(0, 7).map(str), max_size=4), min_size=1).map(
        lambda needs: {name: [one for one in others if one < name and one in needs] for name, others in needs.items()}
    )
)
def test_each_comes_after_all_that_it_needs(needs: dict[str, list[str]]) -> None:
    order = start_order(needs)
    assert sorted(order) == sorted(needs)
    assert all(order.index(other) < order.index(name) for name, others in needs.items() for other in others)


def test_a_cycle_is_named_and_so_is_a_need_that_does_not_exist() -> None:
    with pytest.raises(BadRequest, match=r"(a -> b -> a|b -> a -> b)"):
        start_order({"c": [], "a": ["b", "c"], "b": ["a"]})
    with pytest.raises(BadRequest, match="a -> a"):
        start_order({"a": ["a"]})
    with pytest.raises(BadRequest, match="agent needs 'monitr'"):
        start_order({"agent": ["monitr"], "monitor": []})


def test_what_does_not_depend_on_each_other_starts_side_by_side_and_the_rest_waits() -> None:
    async def story() -> None:
        starts = Starts(DIAMOND)
        running = asyncio.create_task(start_in_order(DIAMOND, starts))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sorted(starts.order) == ["monitor begins", "ycsb begins"]
        for name in ("cluster", "load", "ycsb", "monitor"):
            starts.gates[name].set()
        assert await running == {}
        assert starts.order.index("monitor is ready") < starts.order.index("cluster begins")
        assert starts.order[-2:] == ["load begins", "load is ready"]

    asyncio.run(story())


def test_a_failure_takes_along_what_needs_it_and_nothing_else() -> None:
    async def story() -> dict[str, OperatorError]:
        starts = Starts(DIAMOND, {"monitor": Unavailable("monitor is failed")})
        for gate in starts.gates.values():
            gate.set()
        failed = await start_in_order(DIAMOND, starts)
        assert "ycsb is ready" in starts.order
        assert "load begins" not in starts.order
        return failed

    failed = asyncio.run(story())
    assert {name: error.message for name, error in failed.items()} == {
        "monitor": "monitor is failed",
        "cluster": "cluster was not started: it needs monitor",
        "load": "load was not started: it needs cluster",
    }


def test_a_defect_is_raised_as_it_is_and_ends_the_other_starts() -> None:
    async def story() -> None:
        starts = Starts(DIAMOND, {"monitor": RuntimeError("a defect")})
        starts.gates["monitor"].set()
        await start_in_order(DIAMOND, starts)

    with pytest.raises(RuntimeError, match="a defect"):
        asyncio.run(story())


@settings(max_examples=20)
@given(st.booleans())
def test_a_milestone_holds_for_those_who_come_later(reached_first: bool) -> None:
    async def story() -> None:
        milestones = Milestones()
        if reached_first:
            milestones.reach("observed")
        waiting = asyncio.create_task(milestones.wait("observed", 30))
        milestones.reach("observed")
        milestones.reach("observed")
        await waiting
        with pytest.raises(DeadlineExceeded, match="healthy"):
            await milestones.wait("healthy", 0.001)

    asyncio.run(story())
