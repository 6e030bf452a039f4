"""The five panels as pictures, at three sizes and in every moment of the demo."""

import itertools
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from tests.clients.viewer import scenes

from operator_clients.viewer.canvas import Pen, Picture
from operator_clients.viewer.compose import compose
from operator_clients.viewer.layout import MIN_HEIGHT, MIN_WIDTH, Size, arrange, too_small
from operator_clients.viewer.overlays.keys import KeysOverlay
from operator_clients.viewer.shell import Notice, Shell
from operator_clients.viewer.view import View
from operator_protocol.models import Action, ClusterHealth, Node
from operator_protocol.records import to_body

SIZES = [Size(80, 24), Size(120, 40), Size(200, 60)]
SHELL = Shell("/run/operatord", "operatord start", joined=True, status="live", age_s=0.1)
COLOURS = {"TERM": "xterm-256color"}
RED, GREEN, YELLOW = "31", "32", "33"


def draw(view: View, size: Size = SIZES[0], shell: Shell = SHELL, environ: dict[str, str] | None = None) -> Picture:
    return compose(view, shell, size, Pen(environ or COLOURS))


def text_of(picture: Picture) -> list[str]:
    return ["".join(cell.text for cell in row) for row in picture]


def shown(view: View, size: Size = SIZES[0], shell: Shell = SHELL) -> str:
    return "\n".join(text_of(draw(view, size, shell)))


def codes(picture: Picture, text: str) -> set[str]:
    """The colour codes under the first place where ``text`` stands."""
    for row, line in zip(picture, text_of(picture), strict=True):
        if text in line:
            start = line.index(text)
            return {code for cell in row[start : start + len(text)] for code in re.findall(r"\d+", cell.sgr)}
    raise AssertionError(f"{text!r} is not in the picture")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("moment", scenes.ALL)
def test_the_five_panels_are_whole(moment: str, size: Size) -> None:
    picture = draw(scenes.ALL[moment]().view(after_s=1.0), size)
    lines = text_of(picture)
    assert len(lines) == size.height
    assert {cell_len(line) for line in lines} == {size.width}
    for name, rect in arrange(size).panels.items():
        box = [line[rect.x : rect.x + rect.width] for line in lines[rect.y : rect.y + rect.height]]
        assert (box[0][0], box[0][-1]) in {("╭", "╮"), ("┏", "┓")}, name
        assert (box[-1][0], box[-1][-1]) in {("╰", "╯"), ("┗", "┛")}, name
        assert all((row[0], row[-1]) in {("│", "│"), ("┃", "┃")} for row in box[1:-1]), name
        title = {"cluster": "Cluster", "workload": "Workload", "monitor": "Monitor", "agent": "Agent"}.get(name)
        assert (title or ("Narration" if moment == "nothing" else "/8]")) in box[0]


def test_the_panels_tile_every_size_without_gap_or_overlap() -> None:
    for width, height in itertools.product(range(80, 230, 7), range(24, 80, 5)):
        covered = [[0] * width for _ in range(height)]
        for rect in arrange(Size(width, height)).panels.values():
            for row in covered[rect.y : rect.y + rect.height]:
                row[rect.x : rect.x + rect.width] = [count + 1 for count in row[rect.x : rect.x + rect.width]]
        assert all(set(row) == {1} for row in covered[1:-1]), (width, height)
        assert not any(covered[0])
        assert not any(covered[-1])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_all_six_nodes_are_shown_with_glyph_role_and_word(size: Size) -> None:
    text = shown(scenes.broken().view(), size)
    for number, (star, role) in enumerate([("★", "primary")] * 3 + [(" ", "replica")] * 3):
        glyph, word = ("✗", "down") if number == 1 else ("●", "up")
        assert f"{star} {glyph} valkey-{number} {role} {word}" in text


def test_state_is_told_by_glyph_and_colour() -> None:
    picture = draw(scenes.broken().view())
    assert RED in codes(picture, "✗ valkey-1")
    assert GREEN in codes(picture, "●")
    nodes = [scenes.node(0, "degraded"), scenes.node(1, "unknown")]
    film = scenes.Film().show("cluster.health", ClusterHealth("valkey", False, "", nodes))
    assert "◐ valkey-0 primary degraded" in shown(film.view())
    assert "? valkey-1 primary unknown" in shown(film.view())
    assert YELLOW in codes(draw(film.view()), "◐")


def test_a_node_that_is_down_and_that_its_cluster_takes_for_up_is_shown_as_both() -> None:
    nodes = [Node(f"tikv{number}", "tikv", "", f"127.0.0.1:2016{number}", "up") for number in range(8)]
    nodes[1] = replace(nodes[1], state="down", signals={"container": "down", "probe": "down", "cluster": "up"})
    film = scenes.Film().show("cluster.health", ClusterHealth("tikv", False, "", nodes))
    told = shown(film.view(), SIZES[1])
    assert re.search("✗ tikv1 +tikv +down +cluster ✓  ✗✗✓", told)
    assert "no group" not in told


def test_nothing_is_coloured_where_no_colour_is_wanted() -> None:
    picture = draw(scenes.broken().view(), environ={**COLOURS, "NO_COLOR": "1"})
    used = {int(code) for row in picture for cell in row for code in re.findall(r"\d+", cell.sgr)}
    assert used <= {1, 2, 3, 7}
    assert text_of(picture) == text_of(draw(scenes.broken().view()))


def test_an_observation_that_could_not_be_made_is_not_shown_as_healthy() -> None:
    film = scenes.healthy().show("cluster.health", ClusterHealth("valkey", None, "no node answered"))
    text = shown(film.view())
    assert "? not known: no node answered" in text
    assert "healthy" not in text.splitlines()[0]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_countdown_is_written_in_large_digits(size: Size) -> None:
    pictures = {left: shown(scenes.counting(remaining=left).view(), size) for left in (3, 2, 1)}
    assert all(f"kill valkey-1 in {left}…" in picture for left, picture in pictures.items())
    assert all(picture.count("█") > 0 and ("██" in picture) for picture in pictures.values())
    assert len(set(pictures.values())) == 3
    assert "[4/8] Stage 3: Fault Injection" in pictures[3]


def test_the_narration_tells_chapter_text_and_key() -> None:
    text = shown(scenes.healthy().view())
    assert "[3/8] Stage 2: Load Generation" in text
    assert "YCSB workload A reads and updates" in text
    assert "▶ SPACE goes on" in text


def test_a_narration_is_reflowed_within_its_sentences_only() -> None:
    text = "Six servers run. We put\nload on them.\nNothing is simulated\nWatch the load"
    lines = shown(scenes.healthy().show("demo.chapter", scenes.chapter(2, narration=text)).view()).splitlines()
    told = [line[2:-2].strip() for line in lines[2:5]]
    assert told == ["Six servers run. We put load on them.", "Nothing is simulated", "Watch the load"]


def test_a_narration_that_is_too_long_ends_with_an_ellipsis_and_keeps_the_key() -> None:
    film = scenes.healthy().show("demo.chapter", scenes.chapter(2, narration="word " * 200))
    text = shown(film.view())
    assert "word…" in text
    assert "▶ SPACE goes on" in text


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_detection_says_how_long_it_took_and_stands_out(size: Size) -> None:
    view = scenes.broken().view()
    lines = text_of(draw(view, size))
    rect = arrange(size).panels["monitor"]
    monitor = " ".join(line[rect.x + 2 : rect.x + rect.width - 2].strip() for line in lines[rect.y :][: rect.height])
    assert "DETECTED node_down valkey-1 0.2 s after injection" in monitor
    assert lines[rect.y][rect.x] == "┏"
    assert "✗ 1 broken" in monitor


def test_a_detection_stops_standing_out_but_stays_as_long_as_it_is_open() -> None:
    film = scenes.broken()
    lines = text_of(draw(film.view(after_s=60.0)))
    rect = arrange(SIZES[0]).panels["monitor"]
    assert lines[rect.y][rect.x] == "╭"
    assert "DETECTED node_down" in "\n".join(lines)
    assert "DETECTED" not in shown(scenes.recovered(film).view())


def test_the_load_waits_for_its_first_sample_then_shows_figures() -> None:
    assert "Waiting for workload data..." in shown(scenes.Film().view())
    text = shown(scenes.healthy().view())
    assert "ops/s" in text and "0 errors/s" in text and "p99 READ 0.41 UPDATE 0.52 ms" in text
    assert "baseline 2,000" in text and "alarm 1,000" in text


def test_a_degraded_load_is_red_and_says_so() -> None:
    healthy, degraded = draw(scenes.healthy().view()), draw(scenes.broken().view())
    assert GREEN in codes(healthy, "1,990")
    assert RED in codes(degraded, "410 ops/s")
    assert "DEGRADED" in "\n".join(text_of(degraded))
    assert GREEN in codes(healthy, "─ Workload")
    assert RED in codes(degraded, "━ Workload")


def test_a_load_of_nothing_still_has_a_line() -> None:
    film = scenes.Film()
    for second in range(5):
        film.show("workload.sample", scenes.sample(second, 0.0, baseline=None))
    assert "▁▁▁▁▁" in shown(film.view())


def test_fault_detection_and_recovery_are_marked_on_the_time_axis() -> None:
    axis = next(line for line in shown(scenes.recovered().view(), SIZES[1]).splitlines() if "s ago" in line)
    assert re.search(r"FD─*R", axis)


def test_a_worker_that_was_killed_is_seen_going_and_coming_back() -> None:
    film = scenes.healthy()
    film.show("process.monitor.state", scenes.process("monitor", "backoff", pid=None, signal=9, restarts=1))
    assert "✗ monitor died" in shown(film.view())
    assert "monitor ended by SIGKILL" in shown(film.view())
    film.show("process.monitor.state", scenes.process("monitor", "starting", restarts=1))
    film.show("process.monitor.state", scenes.process("monitor", restarts=1))
    for size in SIZES:
        assert re.search(r"● monitor .*↻1 back", shown(film.view(), size))
    assert "monitor is back (restart 1)" in shown(film.view())
    later = shown(film.view(after_s=60.0))
    assert "↻1" in later and "↻1 back" not in later


def test_what_does_the_work_of_a_fault_is_shown_until_that_is_over_and_leaves_the_columns_straight() -> None:
    film = scenes.healthy().show("process.slow-valkey-1.state", scenes.process("slow-valkey-1", kind="tool"))
    rows = [line for line in text_of(draw(film.view(), SIZES[1])) if re.search("slow-valkey-1|ycsb", line)]
    starts = {row.index(" ready") for row in rows if " ready" in row}
    assert len(rows) > 1
    assert len(starts) == 1
    film.show("process.slow-valkey-1.state", scenes.process("slow-valkey-1", "stopped", kind="tool"))
    assert "○ slow-valkey-1" not in shown(film.view(), SIZES[1])
    film.show("process.agent.state", scenes.process("agent", "stopped"))
    assert "○ agent" in shown(film.view(), SIZES[1])


def test_declared_processes_stand_after_the_workers_and_say_what_they_wait_for() -> None:
    film = scenes.healthy()
    film.show("process.api.state", scenes.process("api", "stopped", kind="declared", pid=None, reason="waits for db"))
    film.show("process.db.state", scenes.process("db", kind="declared"))
    text = shown(film.view(), SIZES[2])
    assert "api" in shown(film.view())
    assert text.index("ycsb") < text.index("api") < text.index("db ")
    assert "api          stopped: waits for db" in text


def test_the_agent_shows_its_steps_then_its_diagnosis() -> None:
    thinking = shown(scenes.diagnosing().view(), SIZES[1])
    for word in ("tool", "evidence", "thought", "result", "thinking", "ticket #1 node_down valkey-1"):
        assert word in thinking
    for size in SIZES:
        text = shown(scenes.diagnosed().view(), size)
        assert "valkey-1, primary of shard-1" in text
        assert "process_killed on valkey-1" in text
        assert "94% sure, by rules" in text
        assert "✓ [1] the process of valkey-1" in text
        assert "✗ network_partition: the process" in text


def test_a_diagnosis_stays_after_its_ticket_is_resolved() -> None:
    assert "process_killed on valkey-1" in shown(scenes.recovered().view())


def test_the_victim_of_a_fault_is_marked() -> None:
    assert "valkey-1 primary up ◄ kill in 3" in shown(scenes.counting().view(), SIZES[1])
    assert "valkey-1 primary down ◄ kill" in shown(scenes.broken().view(), SIZES[1])
    assert "◄ kill valkey-1" in shown(scenes.broken().view()).splitlines()[0]


def test_text_from_outside_can_neither_command_the_terminal_nor_break_a_line() -> None:
    film = scenes.healthy()
    film.show("demo.chapter", scenes.chapter(2, narration="\x1b[2Jgone\x07\x9b1m \u202eback", title="one\ntwo"))
    picture = draw(film.view())
    text = "".join(text_of(picture))
    assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e", "\n"}
    assert "gone" in text


def test_wide_characters_keep_the_borders_in_place() -> None:
    film = scenes.healthy().show("demo.chapter", scenes.chapter(2, narration="数据库 🔥 " * 40, title="段階 🔥"))
    for line in text_of(draw(film.view())):
        assert cell_len(line) == 80


def test_a_lost_daemon_is_a_banner_with_the_age_of_the_data() -> None:
    lost = SHELL._replace(status="lost", age_s=12.4)
    assert "✗ connection lost, data 12 s old" in shown(scenes.healthy().view(), shell=lost).splitlines()[0]
    resynced = SHELL._replace(resynced="3 frames lost")
    assert "↻ resynchronised: 3 frames lost" in shown(scenes.healthy().view(), shell=resynced).splitlines()[0]


def test_before_the_first_snapshot_it_says_which_command_starts_a_daemon() -> None:
    waiting = SHELL._replace(joined=False, status="joining")
    text = shown(scenes.Film().view(), shell=waiting)
    assert "Waiting for a daemon at /run/operatord" in text
    assert "start one with: operatord start" in text


def test_an_error_is_one_notice_with_its_hint_and_goes_over_to_a_second_line_if_it_must() -> None:
    notice = Notice("fault: the majority of the primaries would be gone — recover first, or use --force", "bad", 1e9)
    text = shown(scenes.healthy().view(), shell=SHELL._replace(notice=notice))
    assert "✗ fault: the majority" in text
    assert text.endswith("--force" + " " * (80 - len(text.splitlines()[-1].rstrip())))


@pytest.mark.parametrize(("width", "height"), [(40, 10), (79, 24), (80, 23), (10, 3), (1, 1)])
def test_a_terminal_that_is_too_small_gets_a_notice_of_its_size(width: int, height: int) -> None:
    size = Size(width, height)
    assert too_small(size)
    lines = text_of(draw(scenes.broken().view(), size))
    assert [cell_len(line) for line in lines] == [width] * height
    if width >= 40:
        assert f"{width}x{height}, too small" in "\n".join(lines)
        assert f"need {MIN_WIDTH}x{MIN_HEIGHT}" in "\n".join(lines)


def test_the_list_of_keys_lies_over_the_panels() -> None:
    for size in SIZES:
        lines = text_of(draw(scenes.healthy().view(), size, SHELL._replace(overlays=(KeysOverlay(),))))
        assert {cell_len(line) for line in lines} == {size.width}
        assert any("┏━ Keys" in line for line in lines)


def test_nothing_moves_where_nothing_may_move() -> None:
    film = scenes.diagnosing()
    film.show("demo.chapter", scenes.chapter(5, busy=True))
    still = [text_of(draw(film.view(animate=False, after_s=0.25))) for _ in range(4)]
    assert all(picture == still[0] for picture in still)
    moving = [text_of(draw(film.view(animate=True, after_s=0.25))) for _ in range(4)]
    assert any(picture != moving[0] for picture in moving)


def test_the_agent_panel_tells_of_its_action_and_how_to_approve_it() -> None:
    film = scenes.diagnosed()
    proposed = Action(4, 1, "start_server", scenes.VICTIM, "proposed", risk="safe", proposed_by="rules")
    film.show("action.proposed", to_body(proposed))
    for size in SIZES:
        assert f"→ approve 4: start_server {scenes.VICTIM}" in shown(film.view(), size)
    film.show("action.started", to_body(replace(proposed, status="running", decided_by="ann")))
    assert f"→ start_server {scenes.VICTIM} running" in shown(film.view())
    film.show("action.finished", to_body(replace(proposed, status="failed", result="still open after 30 s")))
    assert "failed: still open after 30 s" in shown(film.view(), SIZES[2])
    told = [entry.text for entry in film.story.log if entry.kind == "action"]
    assert told[0] == f"action 4 start_server {scenes.VICTIM} (safe) waits for: operatorctl approve 4"
