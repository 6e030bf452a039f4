"""Kill, stop, pause, restart: what a client and the kernel see of each, and that nothing of it stays."""

from pathlib import Path

import pytest

from operatord.subjects.valkey.views import parse_info
from operatord.subjects.valkey.wire import NodeGone, NodeSilent, text

from .fault_stage import Stage, on_stage


async def run_id(stage: Stage, name: str) -> str:
    client = stage.client(name)
    info = parse_info(text(await client.command("INFO", "server", deadline_s=5)))
    client.close()
    return info["run_id"]


@pytest.mark.parametrize("kind", ["kill", "stop"])
def test_a_server_that_was_ended_refuses_until_it_is_started_again_on_its_data(tmp_path: Path, kind: str) -> None:
    async def story(stage: Stage) -> None:
        before = await run_id(stage, "valkey-3")
        await stage.desk.inject(kind, "valkey-3", countdown_s=0)
        client = stage.client("valkey-3")
        with pytest.raises(NodeGone, match="refused"):
            await client.command("PING", deadline_s=5)
        client.close()
        end = stage.table.state("valkey-3")
        assert (end.signal, end.exit_code) == ((9, None) if kind == "kill" else (None, 0))
        (fault,) = await stage.desk.recover()
        assert fault.recovered_by == "undo"
        assert await run_id(stage, "valkey-3") != before

    on_stage(tmp_path, story)


def test_a_paused_server_accepts_and_times_out_until_it_is_continued(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        before = await run_id(stage, "valkey-4")
        await stage.desk.inject("pause", "valkey-4", countdown_s=0)
        assert stage.life("valkey-4") == "T"
        client = stage.client("valkey-4")
        with pytest.raises(NodeSilent) as silent:
            await client.command("PING", deadline_s=0.5)
        assert silent.value.connected
        client.close()
        await stage.desk.recover()
        assert stage.life("valkey-4") not in {"", "T"}
        assert await run_id(stage, "valkey-4") == before, "the same server goes on"

    on_stage(tmp_path, story)


def test_a_restarted_server_is_another_one_and_in_sync_when_it_is_over(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        before, pid = await run_id(stage, "valkey-5"), stage.table.pid("valkey-5")
        await stage.desk.inject("restart", "valkey-5", countdown_s=0)
        assert stage.table.pid("valkey-5") not in (None, pid)

        async def over() -> bool:
            await stage.note()
            return not stage.desk.owed()

        await stage.until(over)
        assert await run_id(stage, "valkey-5") != before

        async def in_sync() -> bool:
            detail = (await stage.node("valkey-5")).detail
            # A look at which it was late tells nothing of the link.
            assert detail.get("link", "up") == "up"
            return "link" in detail

        await stage.until(in_sync)

    on_stage(tmp_path, story)
