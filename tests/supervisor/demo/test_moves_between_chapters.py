"""Every way from one chapter to another: what is in force there afterwards, and that nothing is left behind."""

import contextlib
import itertools
import random
from pathlib import Path

import pytest

from operator_protocol.errors import Conflict, OperatorError
from operatord.demo.catalogue import load_catalogue
from operatord.demo.chapters import tell
from operatord.demo.reading import read_story, story_file
from operatord.faults.undo_journal import read_owed

from .stage import Stage, play

CHAPTERS = range(8)
LOAD, FAULT, RECOVERY, LAST = 2, 3, 6, 7
BROKEN = range(3, 6)
"""Chapters in which the fault is in force."""
MOMENTS = (0.0, 1.0, 4.0, 7.5, 8.5, 9.5, 10.2, 11.0, 14.0)
"""In a jump from the beginning to the diagnosis: load, baseline, countdown, injection, detection, diagnosis."""


async def stand(stage: Stage, index: int) -> None:
    """Be in a chapter that was walked to; the recovery is over, and about to go on by itself."""
    if index != RECOVERY:
        await stage.at(index)
        return
    await stage.at(RECOVERY - 1)
    await stage.director.next()
    await stage.until(lambda state: state.index == RECOVERY and state.expectation_met is True)


def injections(stage: Stage) -> int:
    return stage.bench.topics().count("fault.injected")


def assert_in_force(stage: Stage, index: int, *, owed: bool) -> None:
    assert [fault.target for fault in stage.desk.owed()] == stage.bench.down()
    assert len(stage.desk.owed()) == (1 if owed else 0)
    assert stage.desk.counting_down() == []
    if index < LOAD:
        assert not stage.load.running
    if index in (LOAD, *BROKEN):
        assert stage.load.running


def assert_nothing_left(stage: Stage) -> None:
    assert stage.bench.down() == []
    assert stage.desk.owed() == stage.desk.counting_down() == []
    assert read_owed(stage.bench.path) == []


@pytest.mark.parametrize(("start", "goal"), list(itertools.product(CHAPTERS, CHAPTERS)))
def test_goto_from_every_chapter_to_every_chapter(tmp_path: Path, start: int, goal: int) -> None:
    async def scenario(stage: Stage) -> None:
        await stand(stage, start)
        state = await stage.director.goto(goal)
        assert state.index == goal
        state = await stage.over()
        assert state.index == (LAST if goal == RECOVERY else goal)
        assert state.expectation_met in (True, None)
        assert not state.overdue
        # From before the fault it is broken; from after its repair only by goto 3, the others show what was.
        broken_anew = (goal in BROKEN and start < FAULT) or (goal == FAULT and start >= RECOVERY)
        assert injections(stage) == (start >= FAULT) + broken_anew
        assert_in_force(stage, goal, owed=goal in BROKEN and (start < RECOVERY or goal == FAULT))
        assert stage.load.started == (start >= LOAD or goal in (LOAD, *BROKEN))
        # And one back from there, which breaks nothing.
        before = injections(stage)
        if state.index == 0:
            with pytest.raises(Conflict):
                await stage.director.previous()
            return
        back = await stage.director.previous()
        assert back.index == state.index - 1
        back = await stage.until(lambda state: not state.busy)
        assert injections(stage) == before
        if back.index < FAULT:
            assert_in_force(stage, back.index, owed=False)

    assert_nothing_left(play(tmp_path, scenario))


@pytest.mark.parametrize("start", CHAPTERS[1:])
def test_previous_from_every_chapter_down_to_the_first(tmp_path: Path, start: int) -> None:
    async def scenario(stage: Stage) -> None:
        await stand(stage, start)
        here = stage.now.index
        before = injections(stage)
        for index in reversed(range(here)):
            assert (await stage.director.previous()).index == index
            state = await stage.until(lambda state: not state.busy)
            assert state.index == index
            assert injections(stage) == before
            if index in BROKEN:
                assert len(stage.desk.owed()) == (start in BROKEN)
            else:
                assert_in_force(stage, index, owed=False)
        assert not stage.load.running
        # The story can be told again from here, to its end.
        assert (await stage.at(LAST)).expectation_met is True

    assert_nothing_left(play(tmp_path, scenario))


@pytest.mark.parametrize(("after_s", "goal"), list(itertools.product(MOMENTS, [None, *CHAPTERS])))
def test_every_way_out_of_a_jump_that_is_not_over(tmp_path: Path, after_s: float, goal: int | None) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.director.goto(5)
        await stage.timeline.advance(after_s)
        working = stage.now.busy
        if goal is None:
            assert (await stage.director.previous()).index == (0 if working else 4)
        elif goal >= 5 and working:
            with pytest.raises(Conflict):
                await stage.director.goto(goal)
            assert stage.now.index == 5
            return
        else:
            with contextlib.suppress(Conflict):  # the present one is being entered already
                assert (await stage.director.goto(goal)).index == goal
        state = await stage.over()
        assert injections(stage) <= 1
        if state.index in BROKEN:
            assert len(stage.desk.owed()) == 1
        else:
            assert_in_force(stage, state.index, owed=False)

    assert_nothing_left(play(tmp_path, scenario))


TWO_ACTS = read_story(story_file("two-acts"), load_catalogue())
KIND_AT = [None, None, "pause", "pause", None, "kill", "kill", None]
"""What is in force in each chapter of the shipped story in two acts."""


@pytest.mark.parametrize(("start", "goal"), list(itertools.product(range(8), range(8))))
def test_a_story_with_two_faults_never_takes_the_one_for_the_other(tmp_path: Path, start: int, goal: int) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(start)
        await stage.director.goto(goal)
        state = await stage.over()
        assert (state.index, state.expectation_met in (True, None)) == (goal, True)
        kinds = [fault.kind for fault in stage.desk.owed()]
        wanted = KIND_AT[goal]
        if wanted is None:
            assert kinds == []
        elif goal > start or (goal == start):
            assert kinds == [wanted]
        else:
            assert kinds in ([wanted], [])  # looking back breaks nothing
        if wanted is not None and goal >= start:
            assert stage.desk.owed()[0].target in state.narration

    assert_nothing_left(play(tmp_path, scenario, tell(story=TWO_ACTS)))


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 40))])
@pytest.mark.parametrize("story", ["demo", "two-acts"])
def test_whatever_is_pressed_in_whatever_order_no_more_is_broken_than_is_told(
    tmp_path: Path, seed: int, story: str
) -> None:
    chance = random.Random(seed)

    async def scenario(stage: Stage) -> None:
        for _ in range(25):
            move = chance.choice(("next", "next", "previous", "goto", "recover", "inject"))
            with contextlib.suppress(OperatorError):
                if move == "goto":
                    await stage.director.goto(chance.randrange(8))
                elif move == "recover":
                    await stage.timeline.run(stage.desk.recover())
                elif move == "inject" and not stage.desk.owed() and not stage.desk.counting_down():
                    await stage.timeline.run(stage.desk.inject(countdown_s=0))
                elif move != "inject":
                    await getattr(stage.director, move)()
            await stage.timeline.advance(chance.choice((0.0, 0.3, 1.0, 3.0, 12.0, 40.0)))
            assert len(stage.desk.owed()) <= 1
            assert stage.director.state().index in range(8)
        # From wherever that led, the story can be told from its beginning.
        await stage.director.goto(0)
        await stage.over()
        await stage.timeline.run(stage.desk.recover())  # what was broken by hand before the story's own fault
        assert not stage.load.running
        assert (await stage.at(LAST)).expectation_met is True

    plan = read_story(story_file(story), load_catalogue())
    assert_nothing_left(play(tmp_path, scenario, tell(story=plan)))
