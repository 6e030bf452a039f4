"""A failover in good order: the roles are swapped, nothing is lost, and they are swapped back."""

import asyncio
import signal
from pathlib import Path

import pytest

from operator_protocol.errors import Conflict

from .fault_stage import Stage, on_stage


def test_the_replica_takes_the_place_of_the_primary_and_gives_it_back(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        fault = await stage.desk.inject("failover", "valkey-0", countdown_s=0)

        async def well_with(*roles: str) -> bool:
            seen = await stage.note()
            found = [node.role if node is not None else "" for node in map(seen.node, ("valkey-0", "valkey-3"))]
            return bool(seen.ok) and found == [*roles]

        await stage.until(lambda: well_with("replica", "primary"))
        assert stage.desk.owed() == [fault], "healthy is not what was there before"
        (recovered,) = await stage.desk.recover()
        assert recovered.recovered_by == "undo"
        await stage.until(lambda: well_with("primary", "replica"))

    on_stage(tmp_path, story)


def test_no_acknowledged_write_is_lost_by_it(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        client = stage.client("valkey-0")
        written = [number for number in range(300) if await _write(stage, number)]
        client.close()
        assert written
        await stage.desk.inject("failover", "valkey-0", countdown_s=0)
        taker = stage.client("valkey-3")
        assert [await taker.command("GET", f"key:{number}", deadline_s=2) for number in written] == [
            str(number) for number in written
        ]
        taker.close()

    on_stage(tmp_path, story)


async def _write(stage: Stage, number: int) -> bool:
    """True when the key belongs to the shard, and was written."""
    client = stage.client("valkey-0")
    (reply,) = await client.ask(("SET", f"key:{number}", number), deadline_s=2)
    client.close()
    return reply == "OK"


def test_a_target_that_gets_its_shard_back_otherwise_owes_nothing(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.desk.inject("failover", "valkey-1", countdown_s=0)
        client = stage.client("valkey-1")
        await client.command("CLUSTER", "FAILOVER", deadline_s=2)
        client.close()

        async def over() -> bool:
            await stage.note()
            return not stage.desk.owed()

        await stage.until(over)
        assert stage.frames[-1][1]["recovered_by"] == "observation"

    on_stage(tmp_path, story)


def test_it_is_undone_even_when_the_target_was_killed_meanwhile(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.desk.inject("failover", "valkey-2", countdown_s=0)
        stage.table.signal("valkey-2", signal.SIGKILL)
        (recovered,) = await asyncio.wait_for(stage.desk.recover(), 60)
        assert recovered.recovered_by == "undo"
        assert (await stage.node("valkey-2")).role == "primary"

    on_stage(tmp_path, story)


def test_a_replica_is_refused_before_anybody_counts_down(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(Conflict, match="valkey-4 is a replica"):
            await stage.desk.inject("failover", "valkey-4", countdown_s=3600)
        assert stage.frames == []

    on_stage(tmp_path, story)
