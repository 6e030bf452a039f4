"""The processes: a live table with figures, what ended one, and its restart."""

import pytest
from tests.clients.viewer import scenes
from tests.clients.viewer.staged import SIZES, Stage

from operator_clients.viewer.layout import Size


def shown(*, readonly: bool = False) -> Stage:
    stage = Stage(readonly=readonly)
    scenes.healthy(stage.film)
    return stage.press("p")


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_process_has_state_restarts_cpu_and_memory(size: Size) -> None:
    stage = shown()
    stage.size = size
    stage.film.show("process.monitor.state", scenes.process("monitor", restarts=2, cpu_percent=12.4, rss=44 << 20))
    rows = [row.split() for row in stage.top().splitlines()]
    assert ["monitor", "●", "ready", "worker", "4007", "↻2", "12", "%", "44.0", "MiB"] in [row[:10] for row in rows]
    assert sum("valkey-" in row[0] for row in rows if row) == 6
    assert rows[2][:2] == ["▶", "agent"]


def test_what_ended_one_and_what_it_said_last_stand_below() -> None:
    stage = shown()
    dead = scenes.process(
        "monitor",
        "backoff",
        pid=None,
        restarts=3,
        signal=9,
        next_start_in=1.5,
        cpu_percent=None,
        rss=None,
        reason="no sign of life for 3 s",
        last_lines=["Traceback", "ValueError: x"],
    )
    stage.film.show("process.monitor.state", dead)
    stage.down_to("monitor")
    for words in (
        "✗ died",
        "↻3",
        "last ended by SIGKILL",
        "started again in 1.5 s",
        "no sign of life",
        "ValueError: x",
    ):
        assert words in stage.said()


def test_the_table_is_sorted_by_what_one_looks_for_and_the_row_stays_chosen() -> None:
    stage = shown().down_to("valkey-4")
    stage.film.show("process.valkey-4.state", scenes.process("valkey-4", kind="server", cpu_percent=88.0))
    order = []
    for _ in range(4):
        order.append(stage.top().splitlines()[0].split(" by ")[1].split()[0])
        if order[-1] == "CPU":
            assert "valkey-4" in stage.top().splitlines()[2]
        assert any("▶ valkey-4" in row for row in stage.top().splitlines())
        stage.press("s")
    assert order == ["kind", "CPU", "memory", "restarts"]


def test_a_worker_is_restarted_with_enter_because_nothing_is_taken_away() -> None:
    stage = shown().down_to("monitor").press("r")
    assert "the cluster is left alone" in stage.said()
    assert stage.changed() == []
    stage.press("enter")
    assert stage.changed() == [("restart", {"name": "monitor"})]
    assert len(stage.session.overlays) == 1


def test_a_server_that_runs_takes_another_key() -> None:
    stage = shown().down_to("valkey-3").press("r")
    assert "disruptive" in stage.said()
    assert "until it is back and in sync its clients go elsewhere" in stage.said()
    assert stage.press("enter").changed() == []
    assert stage.press("y").changed() == [("restart", {"name": "valkey-3"})]


def test_a_server_that_is_down_is_brought_back() -> None:
    stage = shown()
    stage.film.show("process.valkey-1.state", scenes.process("valkey-1", "failed", kind="server", pid=None, signal=9))
    stage.down_to("valkey-1").press("r")
    assert "It is started on its data" in stage.said()
    assert stage.press("enter").changed() == [("restart", {"name": "valkey-1"})]


def test_a_process_that_is_gone_meanwhile_is_not_restarted() -> None:
    stage = shown()
    stage.film.show("process.slow-valkey-1.state", scenes.process("slow-valkey-1", kind="tool"))
    stage.down_to("slow-valkey-1").press("r")
    assert "recover the fault instead" in stage.said()
    stage.film.show("process.slow-valkey-1.state", scenes.process("slow-valkey-1", "stopped", kind="tool"))
    assert "slow-valkey-1 is gone" in stage.said()
    stage.press("y")
    assert stage.changed() == []
    assert "slow-valkey-1" not in stage.top()


def test_more_processes_than_rows_are_scrolled_with_the_row_in_sight() -> None:
    stage = shown()
    for number in range(60):
        stage.film.show(f"process.app-{number:02}.state", scenes.process(f"app-{number:02}", kind="declared"))
    stage.down_to("app-40")
    assert "44/69" in stage.top().splitlines()[-1]
    assert "▶" in stage.press("G").top().splitlines()[-9]
    assert stage.press("g").top().splitlines()[2].startswith("▶ ")


def test_none_yet_says_so_and_nothing_can_be_restarted() -> None:
    stage = Stage().press("p")
    assert "told of no process yet" in stage.top()
    assert stage.press("r", "s", "down", "G").changed() == []
    assert len(stage.session.overlays) == 1


def test_a_read_only_viewer_restarts_nothing() -> None:
    stage = shown(readonly=True).press("r")
    assert "read-only" in stage.said()
    assert stage.press("enter").changed() == []
