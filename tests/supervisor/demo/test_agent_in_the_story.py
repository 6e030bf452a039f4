"""The recovery stage with an agent that may act by itself."""

from pathlib import Path

from .stage import Stage, play


def test_the_agent_repairs_at_the_recovery_stage_and_not_before(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.agent.executes = True
        await stage.at(5)
        before = stage.director.holds_actions
        assert before
        await stage.timeline.advance(10)
        assert stage.bench.down() == [stage.desk.owed()[0].target]
        assert "action.started" not in stage.bench.topics()
        await stage.director.next()
        after = stage.director.holds_actions
        assert not after
        last = await stage.at(7)
        assert stage.bench.last("fault.recovered").recovered_by == "observation"
        assert "fault.recovering" not in stage.bench.topics()
        assert "repaired by the agent in 1." in last.narration
        told = [state.narration for state in stage.shown() if state.index == 6]
        assert any(words.startswith("The agent repairs it: start_node") for words in told)
        assert any(words.startswith("The agent brought it back:") for words in told)

    play(tmp_path, scenario)


def test_what_the_agent_does_not_repair_is_recovered_and_told_as_such(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.agent.executes, stage.agent.helps = True, False
        last = await stage.at(7)
        assert stage.bench.last("fault.recovered").recovered_by == "undo"
        assert stage.bench.topics().index("action.finished") < stage.bench.topics().index("fault.recovering")
        assert "repaired in" in last.narration

    play(tmp_path, scenario)


def test_an_agent_that_hangs_does_not_keep_the_story_from_recovering(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.agent.executes, stage.agent.takes_s = True, 10_000.0
        await stage.at(5)
        await stage.director.next()
        await stage.until(lambda state: state.index == 7, at_most_s=90)
        assert stage.bench.last("fault.recovered").recovered_by == "undo"

    play(tmp_path, scenario)


def test_an_agent_that_proposes_nothing_is_not_waited_for(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.agent.executes = stage.silent = True
        await stage.director.goto(3)
        await stage.over()
        await stage.director.goto(6)
        begun = stage.timeline.now
        await stage.until(lambda _: not stage.desk.owed())
        assert stage.timeline.now - begun < 5.0

    play(tmp_path, scenario)
