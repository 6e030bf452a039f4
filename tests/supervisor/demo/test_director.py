"""The director on a toy cluster: the whole story, every way through it, and every way out of it."""

import asyncio
import itertools
from pathlib import Path

import pytest
from tests.supervisor.faults.toy_cluster import settle

from operator_protocol.errors import Conflict, NotFound, OperatorError, Unavailable
from operatord.demo.chapters import CHAPTERS
from operatord.faults.undo_journal import read_owed

from .stage import Stage, play

TITLES = [
    "Welcome",
    "Stage 1: Cluster Health",
    "Stage 2: Load Generation",
    "Stage 3: Fault Injection",
    "Stage 4: Detection",
    "Stage 5: AI Diagnosis",
    "Stage 6: Recovery",
    "Demo Complete",
]


def assert_whole(stage: Stage) -> None:
    assert stage.bench.down() == []
    assert stage.desk.owed() == stage.desk.counting_down() == []
    assert read_owed(stage.bench.path) == []


def test_the_story_has_its_eight_chapters() -> None:
    assert [chapter.title for chapter in CHAPTERS] == TITLES


def test_the_whole_story_from_a_healthy_cluster_to_a_healthy_cluster(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        last = await stage.at(7)
        assert last.expectation_met is True
        visited = list(dict.fromkeys(state.title for state in stage.shown()))
        assert visited == TITLES
        assert "fault.injected" in stage.bench.topics()
        fault = stage.bench.last("fault.recovered")
        assert (fault.kind, fault.role, fault.recovered_by) == ("kill", "primary", "undo")
        assert f"{fault.target} (primary) was killed: detected" in last.narration
        assert "diagnosed" in last.narration
        assert "repaired in" in last.narration
        assert "2,000 ops/s before, 200 ops/s at worst, 2,000 ops/s now" in last.narration.replace("\n", " ")
        with pytest.raises(Conflict, match="complete") as refused:
            await stage.director.next()
        assert "goto 0" in refused.value.hint
        assert_whole(stage)

    stage = play(tmp_path, scenario)
    assert stage.load.started == 1


def test_every_line_ever_shown_fits_a_small_terminal(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.blind = True
        await stage.at(3)
        await stage.director.next()
        await stage.timeline.advance(35)
        stage.blind = False
        await stage.at(7)

    for state in play(tmp_path, scenario).shown():
        lines = state.narration.splitlines()
        assert 1 <= len(lines) <= 4, state.narration
        assert all(0 < len(line) <= 70 for line in lines), state.narration
        assert len(state.key_hint) <= 60


def test_the_countdown_is_told_and_blocks_the_way_on(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(2)
        state = await stage.director.next()
        assert (state.title, state.busy, state.expectation_met) == ("Stage 3: Fault Injection", True, False)
        await stage.timeline.advance(1.1)
        assert "in 2…" in stage.now.narration
        for move in (stage.director.next(), stage.director.goto(5), stage.director.goto(3)):
            with pytest.raises(Conflict):
                await move
        assert stage.now.index == 3
        assert stage.bench.down() == []
        state = await stage.over()
        assert (state.busy, state.expectation_met) == (False, True)
        assert "was killed" in state.narration

    play(tmp_path, scenario)


def test_going_back_interrupts_the_countdown_and_nothing_is_broken(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(2)
        await stage.director.next()
        await stage.timeline.advance(1.5)
        state = await stage.director.previous()
        assert state.index == 2
        await stage.over()
        await stage.timeline.advance(10)
        assert stage.bench.last("fault.failed").error == "aborted during the countdown"
        assert "fault.injected" not in stage.bench.topics()
        assert_whole(stage)

    play(tmp_path, scenario)


def test_a_countdown_stopped_by_hand_is_told_with_the_way_on(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(2)
        await stage.director.next()
        await stage.timeline.advance(1)
        await stage.desk.recover()
        await settle()
        assert (stage.now.index, stage.now.expectation_met, stage.now.busy) == (3, False, False)
        assert "aborted during the countdown" in stage.now.narration
        assert "goto 3" in stage.now.narration
        with pytest.raises(Conflict, match="did not work") as refused:
            await stage.director.next()
        assert "goto 3" in refused.value.hint
        await stage.director.goto(3)
        await stage.over()
        assert len(stage.bench.down()) == 1

    play(tmp_path, scenario)


def test_going_back_from_the_fault_repairs_it_and_going_on_again_breaks_anew(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(4)
        first = stage.bench.last("fault.injected")
        assert (await stage.director.previous()).index == 3
        assert len(stage.bench.down()) == 1
        assert stage.now.expectation_met is True
        state = await stage.director.previous()
        assert state.busy
        assert "Going back" in state.narration
        with pytest.raises(Conflict):
            await stage.director.next()
        await stage.over()
        assert_whole(stage)
        await stage.director.next()
        await stage.over()
        assert stage.bench.last("fault.injected").id != first.id
        assert len(stage.desk.owed()) == 1

    play(tmp_path, scenario)


def test_looking_back_after_the_repair_breaks_nothing(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(7)
        for index in (6, 5, 4, 3):
            state = await stage.director.previous()
            assert state.index == index
            await stage.timeline.advance(10)
            assert stage.now.index == index
        assert stage.bench.topics().count("fault.injected") == 1
        assert "is back by now" in stage.now.narration
        for index in (4, 5):
            assert (await stage.director.next()).index == index
            assert stage.now.expectation_met is True
        assert stage.bench.topics().count("fault.injected") == 1
        assert_whole(stage)

    play(tmp_path, scenario)


def test_a_fault_injected_by_hand_is_taken_for_the_one_of_the_story(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(2)
        fault = await stage.timeline.run(stage.desk.inject("pause", "node-1", countdown_s=0))
        await stage.director.next()
        state = await stage.over()
        assert "node-1 (primary) was frozen" in state.narration
        assert stage.desk.owed() == [fault]
        assert stage.bench.topics().count("fault.injected") == 1
        await stage.at(7)
        assert_whole(stage)

    play(tmp_path, scenario)


def test_a_fault_injected_after_the_end_has_its_time_and_is_told_with_the_key_that_recovers(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(7)
        await stage.timeline.advance(60)
        await stage.timeline.run(stage.desk.inject("pause", "node-1", countdown_s=0))
        await stage.timeline.advance(5)
        assert stage.now.narration == "Broken since the story ended: node-1. r recovers."
        assert (stage.now.expectation_met, stage.now.overdue) == (False, False)
        await stage.timeline.advance(31)
        assert stage.now.overdue

    play(tmp_path, scenario)


def test_a_load_that_ran_before_is_used_and_left_running(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.load.start()
        await stage.at(2)
        await stage.director.previous()
        await settle()
        assert stage.load.running
        assert (stage.load.started, stage.load.stopped) == (1, 0)

    play(tmp_path, scenario)


def test_a_load_that_the_story_started_is_stopped_when_the_story_goes_back(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(2)
        await stage.director.previous()
        await settle()
        assert not stage.load.running

    play(tmp_path, scenario)


def test_detection_is_waited_for_in_seconds_and_said_to_be_missing_after_thirty(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.blind = True
        await stage.at(3)
        await stage.director.next()
        await stage.timeline.advance(5)
        assert "Waiting for detection… 5 s" in stage.now.narration
        assert stage.now.expectation_met is False
        seen = [state.narration for state in stage.shown() if state.index == 4]
        assert len(seen) >= 5
        await stage.timeline.advance(26)
        assert "No detection in 30 s" in stage.now.narration
        assert "Waiting for detection… 31 s" in stage.now.narration
        stage.blind = False
        state = await stage.over()
        assert "Detected 3" in state.narration
        assert "is down" in state.narration

    play(tmp_path, scenario)


def test_a_detection_that_overtakes_the_word_of_the_injection_counts(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(2)
        stage.cluster.gate = asyncio.Event()
        await stage.director.next()
        await stage.timeline.advance(4.5)
        assert "violation.opened" in stage.bench.topics()
        assert "fault.injected" not in stage.bench.topics()
        stage.cluster.gate.set()
        await stage.over()
        await stage.director.next()
        assert stage.now.expectation_met is True

    play(tmp_path, scenario)


def test_the_diagnosis_shown_is_one_of_a_ticket_opened_since_the_fault(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(7)
        stage.silent = True
        await stage.director.goto(0)
        await stage.at(4)
        await stage.director.next()
        await stage.timeline.advance(5)
        assert stage.now.expectation_met is False
        assert "Waiting for the diagnosis" in stage.now.narration
        stage.silent = False
        state = await stage.over()
        assert "90% sure" in state.narration
        assert stage.bench.last("fault.injected").target in state.narration

    play(tmp_path, scenario)


def test_recovery_goes_on_by_itself_only_when_the_load_is_back(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(5)
        stage.load.stuck_at = 300.0
        await stage.director.next()
        await stage.until(lambda state: "is back, and the cluster is healthy" in state.narration)
        await stage.timeline.advance(20)
        assert (stage.now.index, stage.now.expectation_met, stage.now.busy) == (6, False, False)
        assert "Waiting for the load to reach at least 1,000 ops/s: 300 ops/s now." in stage.now.narration
        stage.load.stuck_at = None
        state = await stage.until(lambda state: state.expectation_met is True)
        # Busy while it lingers: a script that goes on when a chapter is over must not step twice.
        assert (state.index, state.busy) == (6, True)
        await stage.until(lambda state: state.index == 7)

    play(tmp_path, scenario)


def test_a_person_may_be_quicker_than_the_chapter_that_goes_on_by_itself(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(5)
        await stage.director.next()
        await stage.until(lambda state: state.index == 6 and state.expectation_met is True)
        assert (await stage.director.next()).index == 7
        await stage.timeline.advance(10)
        assert stage.now.index == 7

    play(tmp_path, scenario)


def test_a_repair_that_fails_is_told_and_can_be_tried_again(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(5)
        stage.cluster.refuses_undo = Unavailable("the binary is gone")
        await stage.director.next()
        state = await stage.until(lambda state: not state.busy)
        assert (state.index, state.expectation_met) == (6, False)
        assert "That did not work" in state.narration
        with pytest.raises(Conflict, match="did not work"):
            await stage.director.next()
        stage.cluster.refuses_undo = None
        await stage.director.goto(6)
        await stage.until(lambda state: state.index == 7)
        assert_whole(stage)

    play(tmp_path, scenario)


def test_a_jump_to_a_late_chapter_brings_about_what_it_needs_in_the_open(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        state = await stage.director.goto(5)
        assert (state.index, state.busy) == (5, True)
        assert "First, Stage 2: Load Generation:" in state.narration
        with pytest.raises(Conflict, match="not over yet"):
            await stage.director.next()
        await stage.until(lambda state: "in 3…" in state.narration)
        assert "First, Stage 3: Fault Injection:" in stage.now.narration
        sample = next(body for topic, body in reversed(stage.bench.frames) if topic == "workload.sample")
        assert sample["baseline"] == 2000.0
        state = await stage.over()
        assert (state.index, state.expectation_met) == (5, True)
        assert stage.bench.topics().count("fault.injected") == 1

    play(tmp_path, scenario)


def test_going_back_during_a_jump_returns_to_where_it_began(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.director.next()
        await stage.director.goto("Stage 5")
        await stage.until(lambda state: "in 2…" in state.narration)
        assert (await stage.director.previous()).index == 1
        await stage.over()
        await stage.timeline.advance(10)
        assert not stage.load.running
        assert_whole(stage)

    play(tmp_path, scenario)


def test_a_jump_to_the_repair_or_to_the_end_breaks_nothing_first(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.director.goto(7)
        assert (await stage.over()).expectation_met is True
        assert "Nothing was broken" in stage.now.narration
        await stage.director.goto(0)
        await stage.director.goto(6)
        await stage.until(lambda state: state.index == 7)
        assert stage.cluster.log == []

    play(tmp_path, scenario)


def test_a_jump_to_the_end_repairs_what_is_broken(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(4)
        await stage.director.goto("demo complete")
        assert (await stage.over()).expectation_met is True
        assert_whole(stage)

    play(tmp_path, scenario)


def test_a_need_that_does_not_come_true_is_said_instead_of_going_on_without(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.load.refuses = Unavailable("the ycsb worker is gone", "operatorctl restart ycsb")
        await stage.director.goto(3)
        state = await stage.until(lambda state: not state.busy)
        assert (state.index, state.expectation_met) == (3, False)
        assert "the ycsb worker is gone (operatorctl restart ycsb)" in state.narration.replace("\n", " ")
        assert stage.cluster.log == []

    play(tmp_path, scenario)


def test_a_baseline_that_never_comes_keeps_the_fault_from_being_injected(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.load.start()
        stage.load.sample = lambda down: None  # type: ignore[method-assign]  # a load that says nothing
        await stage.director.goto(3)
        state = await stage.until(lambda state: not state.busy)
        assert "Stage 2: Load Generation did not get there in 30 s" in state.narration
        assert stage.cluster.log == []

    play(tmp_path, scenario)


def test_a_guard_rail_that_refuses_is_told_even_after_an_earlier_fault(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(7)
        stage.cluster.unwell = "16 slots have no owner"
        await stage.director.goto(3)
        state = await stage.until(lambda state: not state.busy)
        assert (state.index, state.expectation_met) == (3, False)
        assert "16 slots have no owner" in state.narration
        stage.cluster.unwell = ""
        # A person who breaks something by hand puts it right.
        await stage.desk.inject(countdown_s=0)
        state = await stage.over()
        assert state.expectation_met is True

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(0, 0), ("welcome", 0), ("Stage 1", 1), ("stage 2: load generation", 2), ("DEMO", 7), ("  Demo Complete ", 7)],
)
def test_a_chapter_is_found_by_index_title_or_its_beginning(tmp_path: Path, wanted: int | str, index: int) -> None:
    async def scenario(stage: Stage) -> None:
        assert (await stage.director.goto(wanted)).index == index

    play(tmp_path, scenario)


@pytest.mark.parametrize("wanted", [8, -1, "Stage", "Stage 9", "", "  ", "Epilogue"])
def test_an_unknown_chapter_is_answered_with_those_there_are(tmp_path: Path, wanted: int | str) -> None:
    async def scenario(stage: Stage) -> None:
        with pytest.raises(NotFound) as refused:
            await stage.director.goto(wanted)
        assert "3 Stage 3: Fault Injection" in refused.value.hint
        assert stage.now.index == 0

    play(tmp_path, scenario)


def test_there_is_no_way_back_from_the_first_chapter(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        with pytest.raises(Conflict, match="first chapter"):
            await stage.director.previous()

    play(tmp_path, scenario)


def test_what_is_published_is_what_a_client_that_asks_is_told_and_nothing_is_said_twice(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(3)
        await settle()
        assert stage.shown()[-1] == stage.now
        shown = stage.shown()
        assert all(one != other for one, other in itertools.pairwise(shown))

    play(tmp_path, scenario)


@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 5, 6, 7])
def test_whichever_chapter_the_daemon_stops_in_everything_is_whole_afterwards(tmp_path: Path, index: int) -> None:
    async def scenario(stage: Stage) -> None:
        if index == 6:
            await stage.at(5)
            await stage.director.next()
        else:
            await stage.at(index)

    assert_whole(play(tmp_path, scenario))


@pytest.mark.parametrize("after_s", [0.0, 0.5, 1.5, 2.9, 3.1])
def test_whenever_the_daemon_stops_in_the_countdown_everything_is_whole_afterwards(
    tmp_path: Path, after_s: float
) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(2)
        await stage.director.next()
        await stage.timeline.advance(after_s)

    assert_whole(play(tmp_path, scenario))


def test_a_fault_by_hand_is_undone_too_when_the_daemon_stops(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.desk.inject(countdown_s=0)

    assert_whole(play(tmp_path, scenario))


def test_a_stop_in_the_middle_of_an_injection_waits_for_it_and_undoes_it(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(2)
        stage.cluster.gate = asyncio.Event()
        await stage.director.next()
        await stage.timeline.advance(4)
        assert len(stage.bench.down()) == 1

    assert_whole(play(tmp_path, scenario))


def test_after_the_end_nothing_moves(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.director.close()
        for move in (stage.director.next(), stage.director.previous(), stage.director.goto(2)):
            with pytest.raises(OperatorError):
                await move

    play(tmp_path, scenario)


def test_what_does_not_come_in_its_time_is_said_with_the_way_back(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.silent = True
        await stage.at(4)
        await stage.director.next()
        await stage.timeline.advance(29)
        assert (stage.now.expectation_met, stage.now.overdue) == (False, False)
        await stage.timeline.advance(2)
        late = stage.now
        assert (late.expectation_met, late.overdue, late.busy) == (False, True, False)
        assert "Waiting for the diagnosis" in late.narration
        assert late.narration.endswith("Not there after 30 s: ← goes back, operatorctl goto 5 tries again.")
        assert "← goes back" in late.key_hint
        assert stage.shown()[-1].overdue
        # It comes after all.
        stage.silent = False
        state = await stage.over()
        assert (state.expectation_met, state.overdue) == (True, False)
        assert "Not there" not in state.narration

    play(tmp_path, scenario)


def test_time_that_a_chapter_works_is_not_counted_against_it(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(2)
        stage.cluster.gate = asyncio.Event()
        await stage.director.next()
        await stage.timeline.advance(60)
        assert (stage.now.busy, stage.now.overdue) == (True, False)
        stage.cluster.gate.set()
        assert (await stage.over()).overdue is False

    play(tmp_path, scenario)


def test_what_came_and_went_again_has_its_time_anew(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(1)
        await stage.timeline.advance(60)
        await stage.timeline.run(stage.desk.inject(countdown_s=0))
        state = await stage.until(lambda state: state.expectation_met is False)
        assert not state.overdue
        assert (await stage.until(lambda state: state.overdue)).expectation_met is False

    play(tmp_path, scenario)


def test_a_chapter_that_is_overdue_lets_both_ways(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.blind = True
        await stage.at(3)
        for way in (stage.director.previous, stage.director.next):
            await stage.director.goto(4)
            await stage.until(lambda state: state.overdue)
            state = await way()
            assert (state.index, state.overdue) == (3 if way == stage.director.previous else 5, False)

    assert_whole(play(tmp_path, scenario))


def test_the_presenter_gets_notes_and_the_next_title(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        assert stage.now.next_title == TITLES[1]
        assert "Say what the audience sees" in stage.now.notes
        await stage.at(7)
        assert stage.now.next_title == ""
        assert all(state.notes and state.notes not in state.narration for state in stage.shown())

    play(tmp_path, scenario)
