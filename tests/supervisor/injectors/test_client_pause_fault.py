"""Paused clients: nobody is answered for a while, nobody takes over, and the pause never outlives its owner."""

import asyncio
import time
from pathlib import Path

import pytest

from operator_protocol.errors import Conflict
from operatord.injectors.base import Scene, Target
from operatord.subjects.valkey.client_pause import ClientPause

from .fault_stage import Stage, on_stage


def test_clients_wait_for_the_duration_and_there_is_no_failover(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        begun = time.monotonic()
        fault = await stage.desk.inject("client-pause", "valkey-0", countdown_s=0, params={"duration": "4500ms"})
        assert fault.params == {"duration": 4.5}
        assert not await stage.answers("valkey-0", within_s=1.0)

        async def paused() -> bool:
            node = (await stage.note()).node("valkey-0")
            assert node is not None
            return (node.signals["probe"], node.signals["process"], node.signals["cluster"]) == ("down", "up", "up")

        await stage.until(paused)
        assert stage.desk.owed() == [fault]

        async def over() -> bool:
            await stage.note()
            return not stage.desk.owed()

        await stage.until(over)
        assert time.monotonic() - begun >= 4.5
        assert stage.frames[-1][1]["recovered_by"] == "observation"
        assert (await stage.node("valkey-0")).role == "primary"
        assert await stage.answers("valkey-0", within_s=10)

    on_stage(tmp_path, story)


def test_the_pause_has_no_gaps_through_which_a_command_slips(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        begun = time.monotonic()
        await stage.desk.inject("client-pause", "valkey-1", countdown_s=0, params={"duration": 2})
        client = stage.client("valkey-1")
        await client.command("PING", deadline_s=20)
        assert time.monotonic() - begun >= 1.9
        client.close()

    on_stage(tmp_path, story)


def test_a_pause_of_minutes_is_over_at_once_when_it_is_recovered(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.desk.inject("client-pause", "valkey-3", countdown_s=0, params={"duration": 300})
        assert not await stage.answers("valkey-3", within_s=0.5)
        (fault,) = await stage.desk.recover()
        assert fault.recovered_by == "undo"
        assert await stage.answers("valkey-3", within_s=10)
        assert await stage.control.leftovers(fault, {}) == ""

    on_stage(tmp_path, story)


def test_a_pause_ends_with_the_daemon_that_holds_it(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        holder = ClientPause()
        fault = await stage.desk.inject("client-pause", "valkey-2", countdown_s=0, params={"duration": 300})
        # What another daemon, or `operatord recover`, finds: it holds nothing itself.
        assert holder.holds(fault, Scene(Target("valkey-2", "127.0.0.1", (), tmp_path)), {}, await stage.look()) == ""
        for task in asyncio.all_tasks():
            if task.get_name() == f"client-pause {fault.id}":
                task.cancel()  # its connection closes, as those of a process do that is killed
        await stage.until(lambda: stage.answers("valkey-2"))

    on_stage(tmp_path, story)


def test_a_server_that_somebody_else_has_paused_is_refused_before_the_countdown(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        client = stage.client("valkey-5")
        await client.command("CLIENT", "PAUSE", 60_000, "WRITE", deadline_s=2)
        with pytest.raises(Conflict, match="the clients of valkey-5 are paused"):
            await stage.desk.inject("client-pause", "valkey-5", countdown_s=3600)
        assert stage.frames == []
        await client.command("CLIENT", "UNPAUSE", deadline_s=2)
        client.close()

    on_stage(tmp_path, story)
