"""The desk: from the countdown to the verified recovery, on a cluster that is a table in memory."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from operator_protocol.errors import (
    BadRequest,
    Conflict,
    DeadlineExceeded,
    InternalError,
    NoTarget,
    NotFound,
    OperatorError,
    Unavailable,
)
from operator_protocol.models import Fault
from operatord.faults.undo_journal import read_owed

from .toy_cluster import Bench, settle

Scenario = Callable[[Bench], Awaitable[None]]


def play(tmp_path: Path, scenario: Scenario) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await scenario(bench)
        await bench.desk.release()
        bench.journal.close()

    asyncio.run(run())


def test_it_counts_down_then_breaks_then_says_what_it_broke(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        fault = await bench.timeline.run(bench.desk.inject())
        counted = [body["remaining"] for topic, body in bench.frames if topic == "fault.countdown"]
        assert counted == [3, 2, 1]
        assert bench.topics()[-1] == "fault.injected"
        assert bench.down() == [fault.target]
        assert (fault.state, fault.owed, fault.role, fault.kind) == ("active", True, "primary", "kill")
        assert bench.desk.owed() == [fault]
        assert fault.injected_at is not None
        assert fault.requested_at is not None
        assert fault.injected_at - fault.requested_at == pytest.approx(3.0, abs=0.2)

    play(tmp_path, scenario)


def test_what_would_be_answered_is_told_for_each_node_and_nothing_is_done(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        assert [(one.target, one.allowed) for one in await bench.desk.check("kill")] == [
            (f"node-{number}", True) for number in range(6)
        ]
        assert (bench.frames, bench.down(), bench.desk.counting_down()) == ([], [], [])
        await bench.desk.inject(target="node-1", countdown_s=0)
        told = {one.target: one for one in await bench.desk.check("kill")}
        assert [name for name, one in told.items() if one.allowed] == ["node-0", "node-2", "node-3", "node-5"]
        assert "has a fault already" in told["node-1"].reason
        assert "last live copy" in told["node-4"].reason
        assert told["node-4"].hint == "--force overrides"
        forced = {one.target: one.allowed for one in await bench.desk.check("kill", force=True)}
        assert [name for name, allowed in forced.items() if not allowed] == ["node-1"]
        assert [one.target for one in await bench.desk.check("kill", "replica")] == ["node-1", "node-3", "node-5"]
        with pytest.raises(NotFound, match="no node or role"):
            await bench.desk.check("kill", "node-9")
        with pytest.raises(NotFound, match="no fault is called"):
            await bench.desk.check("melt")

    play(tmp_path, scenario)


def test_each_number_of_the_countdown_stands_for_a_second(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        task = asyncio.create_task(bench.desk.inject(target="node-1", countdown_s=2.5))
        seen = []
        for _ in range(3):
            await settle()
            seen.append((bench.last("fault.countdown").remaining, bench.down()))
            await bench.timeline.advance(0.5 if len(seen) == 1 else 1.0)
        await task
        assert seen == [(3, []), (2, []), (1, [])]
        assert bench.down() == ["node-1"]

    play(tmp_path, scenario)


def test_the_intent_is_on_disk_before_the_subject_is_touched(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.gate = asyncio.Event()
        task = asyncio.create_task(bench.desk.inject(target="node-0", countdown_s=0))
        await settle()
        # Half-way through the injection: this is what a daemon started now would find.
        assert bench.cluster.log == ["prepare kill node-0", "inject kill node-0"]
        (owed,) = read_owed(bench.path)
        assert (owed.fault.target, owed.memo, owed.instance) == ("node-0", {"was": "primary"}, "cluster-1")
        assert owed.fault.injected_at is None
        bench.cluster.gate.set()
        await task
        assert read_owed(bench.path)[0].fault.injected_at is not None

    play(tmp_path, scenario)


def test_a_journal_that_cannot_be_written_means_that_nothing_is_injected(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.journal.close()
        with pytest.raises(Unavailable, match="cannot be written"):
            await bench.desk.inject(countdown_s=0)
        assert bench.down() == []
        assert bench.desk.owed() == []
        assert not bench.last("fault.failed").owed

    play(tmp_path, scenario)


def test_recovery_is_done_when_it_is_seen_not_when_it_was_ordered(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject(countdown_s=0)
        bench.cluster.looks_until_healthy = 7
        (fault,) = await bench.timeline.run(bench.desk.recover())
        assert bench.cluster.looks_until_healthy == 0
        assert (fault.state, fault.owed, fault.recovered_by, fault.error) == ("recovered", False, "undo", "")
        assert bench.topics()[-2:] == ["fault.recovering", "fault.recovered"]
        assert bench.down() == []
        assert read_owed(bench.path) == []

    play(tmp_path, scenario)


def test_recovering_when_nothing_is_owed_is_success_also_for_a_fault_that_is_over(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.desk.recover() == []
        fault = await bench.desk.inject(countdown_s=0)
        await bench.timeline.run(bench.desk.recover(fault.id))
        assert await bench.desk.recover(fault.id) == []
        assert await bench.desk.recover() == []
        with pytest.raises(NotFound, match="nothing is owed"):
            await bench.desk.recover("nonsense")

    play(tmp_path, scenario)


def test_a_recovery_that_is_never_seen_fails_after_half_a_minute_stays_owed_and_can_be_tried_again(
    tmp_path: Path,
) -> None:
    async def scenario(bench: Bench) -> None:
        fault = await bench.desk.inject(target="node-0", countdown_s=0)
        bench.cluster.refuses_undo = Unavailable("the binary is gone")
        begun = bench.timeline.now
        with pytest.raises(DeadlineExceeded, match="the binary is gone") as refused:
            await bench.timeline.run(bench.desk.recover())
        assert 30 <= bench.timeline.now - begun < 32
        assert refused.value.retryable
        failed = bench.last("fault.failed")
        assert (failed.id, failed.owed, failed.state) == (fault.id, True, "failed")
        assert [one.fault.id for one in read_owed(bench.path)] == [fault.id]
        assert bench.cluster.log.count("undo kill node-0 primary") > 1
        bench.cluster.refuses_undo = None
        (fault,) = await bench.timeline.run(bench.desk.recover(fault.id))
        assert fault.state == "recovered"

    play(tmp_path, scenario)


def test_a_subject_that_cannot_be_seen_is_not_taken_for_a_healthy_one(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject(countdown_s=0)
        bench.cluster.blind = Unavailable("the monitor restarts")
        recovery = asyncio.create_task(bench.desk.recover())
        await bench.timeline.advance(5)
        assert not recovery.done()
        bench.cluster.blind = None
        (fault,) = await bench.timeline.run(recovery)
        assert fault.state == "recovered"

    play(tmp_path, scenario)


def test_two_who_recover_the_same_fault_wait_for_one_recovery(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject(target="node-0", countdown_s=0)
        bench.cluster.looks_until_healthy = 3
        both = asyncio.gather(bench.desk.recover(), bench.desk.recover())
        first, second = await bench.timeline.run(both)
        assert first == second
        assert bench.topics().count("fault.recovering") == 1

    play(tmp_path, scenario)


@pytest.mark.parametrize("how", ["recover", "recover one", "abort", "cancel"])
def test_a_countdown_can_be_interrupted_and_then_nothing_happened(tmp_path: Path, how: str) -> None:
    async def scenario(bench: Bench) -> None:
        task = asyncio.create_task(bench.desk.inject())
        await bench.timeline.advance(1.5)
        (counting,) = bench.desk.counting_down()
        aborted: list[Fault] = []
        if how == "recover":
            aborted = await bench.desk.recover()
        elif how == "recover one":
            aborted = await bench.desk.recover(counting.id)
        elif how == "abort":
            bench.desk.abort_countdowns()
        else:
            task.cancel()
        with pytest.raises((Conflict, asyncio.CancelledError)):
            await task
        assert [(fault.state, fault.owed) for fault in aborted] == [("failed", False)] * len(aborted)
        failed = bench.last("fault.failed")
        assert (failed.error, failed.owed, failed.remaining) == ("aborted during the countdown", False, None)
        assert bench.topics().count("fault.failed") == 1
        await bench.timeline.advance(10)
        assert not any(line.startswith("inject") for line in bench.cluster.log)
        assert bench.desk.owed() == bench.desk.counting_down() == []

    play(tmp_path, scenario)


def test_an_injection_that_fails_half_way_is_taken_back_and_verified(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.breaks_after_injecting = Unavailable("no right to do the rest")
        with pytest.raises(Unavailable, match="no right to do the rest"):
            await bench.timeline.run(bench.desk.inject(target="node-0", countdown_s=0))
        assert bench.cluster.log[-1] == "undo kill node-0 primary"
        assert bench.down() == []
        assert bench.topics() == ["fault.failed"]
        assert not bench.last("fault.failed").owed
        assert read_owed(bench.path) == []

    play(tmp_path, scenario)


def test_an_injection_that_fails_half_way_and_cannot_be_taken_back_stays_owed(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.breaks_after_injecting = ValueError("a defect")
        bench.cluster.refuses_undo = Unavailable("not now")
        with pytest.raises(InternalError, match="a defect"):
            await bench.timeline.run(bench.desk.inject(target="node-0", countdown_s=0))
        (owed,) = bench.desk.owed()
        assert (owed.state, owed.owed) == ("failed", True)
        assert "not now" in owed.error
        assert len(read_owed(bench.path)) == 1
        bench.cluster.refuses_undo = None
        assert [one.state for one in await bench.timeline.run(bench.desk.recover())] == ["recovered"]

    play(tmp_path, scenario)


def test_who_asked_may_go_away_the_injection_is_finished_and_owed(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.gate = asyncio.Event()
        task = asyncio.create_task(bench.desk.inject(countdown_s=0))
        await settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        bench.cluster.gate.set()
        await settle()
        assert [fault.state for fault in bench.desk.owed()] == ["active"]

    play(tmp_path, scenario)


def test_recovering_during_an_injection_undoes_it_when_it_is_complete(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.gate = asyncio.Event()
        injection = asyncio.create_task(bench.desk.inject(target="node-0", countdown_s=0))
        await settle()
        recovery = asyncio.create_task(bench.desk.recover())
        await bench.timeline.advance(1)
        assert not recovery.done()
        bench.cluster.gate.set()
        (fault,) = await bench.timeline.run(recovery)
        assert fault.state == "recovered"
        await injection
        assert bench.topics() == ["fault.injected", "fault.recovering", "fault.recovered"]
        assert bench.desk.owed() == []

    play(tmp_path, scenario)


def test_a_fault_of_limited_time_ends_by_itself(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        fault = await bench.desk.inject(countdown_s=0, for_s=30)
        assert fault.params == {"for_s": 30}
        await bench.timeline.advance(29)
        assert bench.down() == [fault.target]
        await bench.timeline.advance(2)
        assert bench.down() == []
        assert bench.last("fault.recovered").recovered_by == "undo"

    play(tmp_path, scenario)


def test_a_fault_of_limited_time_whose_undo_fails_is_tried_until_it_works(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject(countdown_s=0, for_s=10)
        bench.cluster.refuses_undo = Unavailable("not now")
        await bench.timeline.advance(60)
        assert len(bench.desk.owed()) == 1
        bench.cluster.refuses_undo = None
        await bench.timeline.advance(40)
        assert bench.desk.owed() == []

    play(tmp_path, scenario)


def test_a_fault_of_limited_time_ends_by_itself_also_when_who_asked_has_gone_away(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.gate = asyncio.Event()
        task = asyncio.create_task(bench.desk.inject(countdown_s=0, for_s=10))
        await settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bench.cluster.gate.set()
        await bench.timeline.advance(5)
        assert [fault.state for fault in bench.desk.owed()] == ["active"]
        await bench.timeline.advance(10)
        assert bench.desk.owed() == []

    play(tmp_path, scenario)


def test_a_fault_of_limited_time_that_failed_half_way_is_tried_again_when_its_time_is_over(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.breaks_after_injecting = Unavailable("half of it only")
        bench.cluster.refuses_undo = Unavailable("not now")
        with pytest.raises(Unavailable, match="half of it only"):
            await bench.timeline.run(bench.desk.inject(countdown_s=0, for_s=10))
        assert len(bench.desk.owed()) == 1
        bench.cluster.refuses_undo = None
        await bench.timeline.advance(20)
        assert bench.desk.owed() == []

    play(tmp_path, scenario)


def test_a_timer_of_a_fault_that_was_recovered_before_does_not_touch_the_next_one(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject(target="node-0", countdown_s=0, for_s=10)
        await bench.timeline.run(bench.desk.recover())
        again = await bench.desk.inject(target="node-0", countdown_s=0)
        await bench.timeline.advance(60)
        assert [fault.id for fault in bench.desk.owed()] == [again.id]

    play(tmp_path, scenario)


def test_whoever_brings_it_back_the_fault_is_struck_out(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        fault = await bench.desk.inject(countdown_s=0)
        await bench.timeline.advance(0.5)
        await bench.note()
        assert len(bench.desk.owed()) == 1
        await bench.cluster.revive(fault.target)
        await bench.timeline.advance(0.5)
        await bench.note()
        recovered = bench.last("fault.recovered")
        assert (recovered.id, recovered.recovered_by) == (fault.id, "observation")
        assert bench.desk.owed() == []
        assert read_owed(bench.path) == []

    play(tmp_path, scenario)


def test_a_look_that_began_before_the_injection_proves_nothing(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        before = await bench.cluster.observe()
        await bench.timeline.advance(1)
        await bench.desk.inject(countdown_s=0)
        bench.desk.note(before)
        assert len(bench.desk.owed()) == 1

    play(tmp_path, scenario)


def test_a_restart_is_over_as_soon_as_a_later_look_shows_the_node(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        fault = await bench.desk.inject("restart", "node-4", countdown_s=0)
        assert fault.owed
        await bench.timeline.advance(0.5)
        await bench.note()
        assert bench.desk.owed() == []
        assert bench.last("fault.recovered").recovered_by == "observation"

    play(tmp_path, scenario)


def test_a_blind_look_strikes_nothing_out(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        fault = await bench.desk.inject(countdown_s=0)
        await bench.cluster.revive(fault.target)
        await bench.timeline.advance(1)
        seen = await bench.cluster.observe()
        bench.desk.note(type(seen)("toy", None, "unknown", seen.nodes, observed_mono=seen.observed_mono))
        assert len(bench.desk.owed()) == 1

    play(tmp_path, scenario)


def test_after_a_failed_recovery_only_a_healthy_cluster_strikes_it_out(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject(countdown_s=0)
        bench.cluster.unwell = "16 slots have no owner"
        with pytest.raises(DeadlineExceeded, match="16 slots have no owner"):
            await bench.timeline.run(bench.desk.recover())
        await bench.note()
        assert len(bench.desk.owed()) == 1
        bench.cluster.unwell = ""
        await bench.note()
        assert bench.desk.owed() == []

    play(tmp_path, scenario)


def test_a_second_fault_on_the_same_node_is_refused_with_the_way_out(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        fault = await bench.desk.inject(target="node-0", countdown_s=0)
        with pytest.raises(Conflict, match="has a fault already: kill") as refused:
            await bench.desk.inject("pause", "node-0", countdown_s=0, force=True)
        assert refused.value.hint == f"operatorctl recover {fault.id} ends it"
        # Also while the first one still counts down.
        task = asyncio.create_task(bench.desk.inject(target="node-4"))
        await settle()
        with pytest.raises(Conflict, match="has a fault already"):
            await bench.desk.inject(target="node-4", force=True)
        bench.desk.abort_countdowns()
        await asyncio.gather(task, return_exceptions=True)

    play(tmp_path, scenario)


def test_faults_on_different_nodes_are_independent_and_are_all_recovered(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        both = asyncio.gather(bench.desk.inject("kill", "node-0"), bench.desk.inject("pause", "node-4"))
        first, second = await bench.timeline.run(both)
        assert bench.down() == ["node-0", "node-4"]
        (only,) = await bench.timeline.run(bench.desk.recover(second.id))
        assert only.target == "node-4"
        assert bench.desk.owed() == [first]
        await bench.desk.inject("pause", "node-5", countdown_s=0)
        recovered = await bench.timeline.run(bench.desk.recover())
        assert {fault.target for fault in recovered} == {"node-0", "node-5"}
        assert bench.down() == []

    play(tmp_path, scenario)


def test_one_that_cannot_be_recovered_does_not_keep_the_others_broken(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject("kill", "node-0", countdown_s=0)
        await bench.desk.inject("kill", "node-4", countdown_s=0)
        revive = bench.cluster.revive

        async def revive_all_but_one(node_id: str) -> None:
            if node_id == "node-4":
                raise Unavailable("node-4 does not start")
            await revive(node_id)

        bench.cluster.revive = revive_all_but_one  # type: ignore[method-assign]  # the node is what fails here
        with pytest.raises(DeadlineExceeded, match="node-4 does not start"):
            await bench.timeline.run(bench.desk.recover())
        assert [fault.target for fault in bench.desk.owed()] == ["node-4"]
        assert bench.down() == ["node-4"]

    play(tmp_path, scenario)


def test_the_guard_rails_refuse_before_the_countdown_and_force_overrides(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject(target="node-3", countdown_s=0)
        before = len(bench.frames)
        with pytest.raises(Conflict, match="last live copy of shard-0") as refused:
            await bench.desk.inject(target="node-0")
        assert refused.value.hint == "--force overrides"
        assert len(bench.frames) == before
        await bench.desk.inject(target="node-0", countdown_s=0, force=True)
        assert bench.down() == ["node-0", "node-3"]

    play(tmp_path, scenario)


def test_the_guard_rails_are_asked_again_at_the_moment_of_injection(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        task = asyncio.create_task(bench.desk.inject(target="node-0"))
        await bench.timeline.advance(1)
        bench.cluster.engine.launch("node-3")
        bench.cluster.engine.signal("node-3", signal.SIGKILL)
        with pytest.raises(Conflict, match="last live copy of shard-0"):
            await bench.timeline.run(task)
        assert "inject kill node-0" not in bench.cluster.log
        assert not bench.last("fault.failed").owed
        assert bench.desk.counting_down() == []

    play(tmp_path, scenario)


def test_a_node_that_has_not_answered_yet_is_waited_for_before_and_after_the_countdown(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        asked_at = bench.timeline.clock()
        bench.cluster.silent_until = {"node-4": asked_at + 0.5}
        task = asyncio.create_task(bench.desk.inject(target="node-0"))
        await bench.timeline.advance(1)
        assert bench.topics() == ["fault.countdown"], "asked again, and then announced"
        bench.cluster.silent_until = {"node-4": asked_at + 5.0}
        await bench.timeline.run(task)
        assert bench.down() == ["node-0"]
        assert 5.0 <= bench.timeline.clock() - asked_at < 5.5

    play(tmp_path, scenario)


def test_a_look_that_tells_nothing_is_taken_again_and_said_when_none_tells_more(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.unknown_until = bench.timeline.clock() + 0.5
        answers = await bench.timeline.run(bench.desk.check("kill"))
        assert [one.target for one in answers if one.allowed] == [f"node-{number}" for number in range(6)]
        bench.cluster.unknown_until = bench.timeline.clock() + 0.5
        await bench.timeline.run(bench.desk.inject(target="node-0"))
        assert bench.down() == ["node-0"]
        bench.cluster.unknown_until = bench.timeline.clock() + 600
        for asked in (bench.desk.check("kill"), bench.desk.inject(target="node-1")):
            with pytest.raises(Unavailable, match="the nodes of toy are not known: no look came back"):
                await bench.timeline.run(asked)

    play(tmp_path, scenario)


def test_a_node_that_never_answers_is_ill_health_after_a_while_and_force_does_not_wait(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        asked_at = bench.timeline.clock()
        bench.cluster.silent_until = {"node-4": asked_at + 600.0}
        with pytest.raises(Conflict, match="not healthy to begin with"):
            await bench.timeline.run(bench.desk.inject(target="node-0"))
        assert 3.0 <= bench.timeline.clock() - asked_at < 3.5
        await bench.desk.inject(target="node-0", countdown_s=0, force=True)
        assert bench.down() == ["node-0"]

    play(tmp_path, scenario)


def test_of_two_that_end_their_countdown_together_only_one_may_break_the_majority(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        outcomes = await bench.timeline.run(
            asyncio.gather(
                bench.desk.inject(target="node-0", force=True),
                bench.desk.inject(target="node-1"),
                return_exceptions=True,
            )
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, OperatorError)]
        assert len(refused) == 1
        assert "are a majority" in refused[0].message

    play(tmp_path, scenario)


def test_random_passes_over_nodes_that_the_guard_rails_protect(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        for replica in ("node-3", "node-4"):
            await bench.desk.inject(target=replica, countdown_s=0)
        for _ in range(8):
            fault = await bench.desk.inject("pause", countdown_s=0)
            assert fault.target == "node-2"
            await bench.timeline.run(bench.desk.recover(fault.id))
            bench.cluster.roles.update({"node-2": "primary", "node-5": "replica"})

    play(tmp_path, scenario)


def test_a_fault_forced_on_a_sick_cluster_is_undone_without_waiting_for_health(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.unwell = "was sick before"
        with pytest.raises(Conflict, match="was sick before"):
            await bench.desk.inject(countdown_s=0)
        await bench.desk.inject(countdown_s=0, force=True)
        (fault,) = await bench.timeline.run(bench.desk.recover())
        assert fault.state == "recovered"

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (("explode", "random", 0, None), NotFound),
        (("kill", "node-77", 0, None), NotFound),
        (("kill", "random", -1, None), BadRequest),
        (("kill", "random", float("nan"), None), BadRequest),
        (("kill", "random", float("inf"), None), BadRequest),
        (("kill", "random", 0, 0), BadRequest),
        (("kill", "random", 0, -5), BadRequest),
    ],
)
def test_bad_requests_are_typed_and_change_nothing(
    tmp_path: Path, request_: tuple[str, str, float, float | None], error: type[OperatorError]
) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(error):
            await bench.desk.inject(*request_)
        assert bench.frames == []
        assert bench.down() == []

    play(tmp_path, scenario)


def test_an_unknown_kind_is_answered_with_the_catalogue(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(NotFound) as refused:
            await bench.desk.inject("explode")
        assert refused.value.hint == "there are kill, stop, pause, restart, slow, latency"

    play(tmp_path, scenario)


def test_a_target_that_died_by_itself_during_the_countdown_is_not_counted_as_ours(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        task = asyncio.create_task(bench.desk.inject(target="node-1", force=True))
        await bench.timeline.advance(1)
        bench.cluster.engine.signal("node-1", signal.SIGKILL)
        with pytest.raises(Conflict, match="went down during the countdown"):
            await bench.timeline.run(task)
        with pytest.raises(NoTarget):
            await bench.desk.inject(target="node-1", force=True)

    play(tmp_path, scenario)


def test_the_next_daemon_undoes_what_this_one_owed(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        killed = await bench.desk.inject("kill", "node-0", countdown_s=0)
        paused = await bench.desk.inject("pause", "node-4", countdown_s=0)
        bench.restart()
        assert {fault.id for fault in bench.desk.owed()} == {killed.id, paused.id}
        swept = await bench.timeline.run(bench.desk.sweep())
        assert [(fault.state, fault.recovered_by) for fault in swept] == [("recovered", "sweep")] * 2
        assert bench.down() == []
        assert read_owed(bench.path) == []
        assert await bench.desk.sweep() == []

    play(tmp_path, scenario)


def test_a_daemon_killed_during_the_injection_leaves_an_intent_that_the_next_one_undoes(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.gate = asyncio.Event()
        first, desk = asyncio.create_task(bench.desk.inject(target="node-0", countdown_s=0)), bench.desk
        await settle()
        bench.restart()
        assert bench.down() == ["node-0"]
        await bench.timeline.run(bench.desk.sweep())
        assert (bench.down(), read_owed(bench.path)) == ([], [])
        # The first daemon of this test is not really dead: let it end.
        first.cancel()
        bench.cluster.gate.set()
        await asyncio.gather(first, return_exceptions=True)
        await desk.release()

    play(tmp_path, scenario)


def test_a_cluster_built_anew_owes_nothing_and_is_not_touched(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject("kill", "node-0", countdown_s=0)
        await bench.cluster.revive("node-0")
        bench.cluster.instance = "cluster-2"
        bench.restart()
        before = list(bench.cluster.log)
        (fault,) = await bench.timeline.run(bench.desk.sweep())
        assert (fault.state, fault.recovered_by) == ("recovered", "rebuild")
        assert bench.cluster.log == before

    play(tmp_path, scenario)


def test_what_the_sweep_cannot_undo_stays_owed_and_shown(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject("kill", "node-0", countdown_s=0)
        bench.restart()
        bench.cluster.refuses_undo = Unavailable("not yet")
        assert await bench.timeline.run(bench.desk.sweep()) == []
        assert [fault.state for fault in bench.desk.owed()] == ["failed"]
        bench.cluster.refuses_undo = None
        assert len(await bench.timeline.run(bench.desk.recover())) == 1

    play(tmp_path, scenario)


def test_the_end_of_the_desk_undoes_everything_and_takes_nothing_more(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject("kill", "node-0", countdown_s=0, for_s=500)
        counting = asyncio.create_task(bench.desk.inject("kill", "node-4"))
        await settle()
        await bench.timeline.run(bench.desk.close())
        assert isinstance((await asyncio.gather(counting, return_exceptions=True))[0], Conflict)
        assert (bench.down(), bench.desk.owed(), read_owed(bench.path)) == ([], [], [])
        with pytest.raises(Unavailable, match="stopping"):
            await bench.desk.inject()

    play(tmp_path, scenario)


def test_an_end_without_undoing_leaves_the_debt_in_the_journal(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject("kill", "node-0", countdown_s=0)
        bench.cluster.looks_until_healthy = 1000
        recovery = asyncio.create_task(bench.desk.recover())
        await bench.timeline.advance(1)
        await bench.desk.release()
        with pytest.raises(Unavailable, match="interrupted"):
            await recovery
        assert len(read_owed(bench.path)) == 1

    play(tmp_path, scenario)


def test_a_cluster_that_ended_takes_its_faults_with_it(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject("kill", "node-0", countdown_s=0)
        await bench.desk.release()
        (fault,) = await bench.desk.forfeit("the cluster was stopped")
        assert (fault.state, fault.recovered_by) == ("recovered", "the cluster was stopped")
        assert read_owed(bench.path) == []

    play(tmp_path, scenario)
