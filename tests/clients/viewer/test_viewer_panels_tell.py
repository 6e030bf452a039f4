"""What the panels tell at a glance, and what they know when they have the focus."""

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from tests.clients.viewer import scenes

from operator_clients.viewer import diff
from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.compose import DETAILS, compose
from operator_clients.viewer.layout import PanelName, Size
from operator_clients.viewer.panels.chart import chart
from operator_clients.viewer.panels.node import duty
from operator_clients.viewer.panels.wording import named
from operator_clients.viewer.shell import Shell
from operator_clients.viewer.story import Mark
from operator_protocol.models import (
    Action,
    AgentState,
    ClusterHealth,
    Hypothesis,
    InvariantKind,
    InvariantTable,
    LatencySummary,
    Node,
    ProcessState,
    WorkloadSample,
)
from operator_protocol.records import to_body

SHELL = Shell("/run/operatord", "operatord start", joined=True, status="live", age_s=0.1)
COLOURS = {"TERM": "xterm-256color"}
SMALL, MIDDLE, LARGE = Size(80, 24), Size(120, 40), Size(200, 60)


def shown(film: scenes.Film, size: Size = SMALL, *, after_s: float = 0.0) -> str:
    picture = compose(film.view(after_s=after_s), SHELL, size, Pen(COLOURS))
    return "\n".join("".join(cell.text for cell in row) for row in picture)


def told(panel: PanelName, film: scenes.Film, width: int = 100) -> str:
    return "\n".join(text.plain for text in DETAILS[panel](film.view(), width))


@pytest.mark.parametrize("moment", scenes.ALL)
@pytest.mark.parametrize("panel", DETAILS)
def test_the_detail_of_a_panel_fits_every_width_and_is_never_empty(panel: PanelName, moment: str) -> None:
    view = scenes.ALL[moment]().view(after_s=1.0)
    for width in (20, 36, 76, 196):
        lines = DETAILS[panel](view, width)
        assert lines
        assert all("\n" not in text.plain and text.no_wrap for text in lines)
    assert max(text.cell_len for text in lines) <= 196


def test_the_chart_has_a_unit_a_scale_and_the_levels_it_is_read_against() -> None:
    rows = [text.plain for text in chart(list(scenes.recovered().state.workload), [], Size(60, 11))]
    assert len(rows) == 11
    assert {len(row) for row in rows} == {60}
    assert rows[0].startswith("ops/s┤")
    assert any(row.startswith("2,000┤") for row in rows)
    alarm = next(row for row in rows if row.startswith("1,000┤"))
    assert alarm[6:].count("╌") > 40
    assert rows[-2].startswith("    0┤")


@pytest.mark.parametrize(("at", "behind"), [(4.9, 4), (5.3, 3), (9.8, 0)])
def test_a_mark_stands_where_the_second_is_that_it_fell_in(at: float, behind: int) -> None:
    """Each sample is taken at the end of its second; of the last one there is none yet."""
    drawn = chart([scenes.sample(second) for second in range(1, 10)], [Mark("fault", scenes.EPOCH + at)], Size(40, 6))
    assert len(drawn[-1].plain) - 1 - drawn[-1].plain.index("F") == behind, drawn[-1].plain


def test_a_dip_shows_the_baseline_it_fell_from() -> None:
    lines = shown(scenes.stores(), Size(200, 60)).splitlines()
    assert any(re.search(r"31\.2k┤.*█┄+█", line) for line in lines)


def test_marks_stand_above_the_axis_and_are_told_in_words_where_there_is_room() -> None:
    text = shown(scenes.recovered(), LARGE)
    assert re.search(r"F fault \d\d:\d\d:\d\d  D detected \+0\.2 s  R recovered \+\d\.\d s", text)
    assert "┊" in text
    detail = told("workload", scenes.recovered())
    assert re.search(r"D detected 0\.2 s later", detail)


def test_each_fault_has_its_own_detection_mark_also_while_the_one_before_is_not_over() -> None:
    film = scenes.broken()
    again = replace(scenes.fault(injected_at=scenes.EPOCH + film.mono), id="f2", target="valkey-0")
    film.show("fault.injected", again, after_s=5.0)
    film.show("violation.opened", scenes.violation(target="valkey-0", at=scenes.EPOCH + film.mono), after_s=0.3)
    film.show("violation.opened", scenes.violation("primary_without_replica", "valkey-3"), after_s=2.0)
    assert [mark.kind for mark in film.story.marks] == ["fault", "detection", "fault", "detection"]


def test_operations_that_failed_are_told_by_kind() -> None:
    film = scenes.stores(failing=True)
    assert "✗ 70 READ ✗ 50 UPDATE" in shown(film, SMALL)
    assert "✗ 120 errors/s" in shown(film, LARGE)
    table = shown(film, LARGE)
    assert re.search(r"READ +0\.10 +0\.41 +2\.0 +900 +70", table)
    assert re.search(r"SCAN +1\.2 +14\.1 +30\.0 +400 +0", table)


def test_every_invariant_has_its_state_and_since_when() -> None:
    text = shown(scenes.healthy(), LARGE)
    for name in scenes.INVARIANTS:
        assert re.search(rf"✓ {name} +holds since \d\d:\d\d:\d\d", text)
    assert "✓ all 14 invariants hold" in text
    broken = shown(scenes.broken(), LARGE, after_s=12.0)
    assert re.search(r"✗ node_down valkey-1 +critical for 1[23] s", broken)
    assert len(re.findall("✓ .* holds since", broken)) == 13


def test_an_invariant_that_was_broken_stands_first_among_those_that_hold() -> None:
    film = scenes.recovered()
    at = film.story.ended["node_down"]
    assert at > scenes.EPOCH
    lines = [line for line in shown(film, MIDDLE).splitlines() if "holds since" in line]
    assert "✓ node_down" in lines[0]


def test_where_there_is_little_room_the_invariants_that_hold_are_counted() -> None:
    assert re.search(r"✓ \d+ others hold", shown(scenes.healthy(), SMALL))
    assert "✓ all 14 invariants hold" in shown(scenes.healthy(), SMALL)
    few = scenes.healthy().show("cluster.invariants", InvariantTable("valkey", [InvariantKind("a", "warning", 0.0)]))
    assert "✓ a" in shown(few, SMALL)


def test_nothing_is_said_to_hold_where_nothing_was_observed() -> None:
    film = scenes.healthy().show("cluster.health", ClusterHealth("valkey", None, "no node answered"))
    detail = told("monitor", film)
    assert "holds" not in detail
    assert re.search(r"\? node_down +not known", detail)


def test_a_daemon_that_does_not_tell_its_invariants_still_has_those_that_were_broken() -> None:
    film = scenes.recovered()
    film.state.invariants.clear()
    text = told("monitor", film)
    assert "✓ node_down" in text
    assert "✓ the others hold" in text


def test_the_log_is_only_in_the_detail_of_the_monitor() -> None:
    film = scenes.recovered()
    assert "injected: kill valkey-1" in told("monitor", film)
    assert "injected: kill valkey-1" not in shown(film, SMALL)
    assert told("monitor", film).rstrip().endswith("load is back: 1,998 ops/s")


def test_a_broken_invariant_says_what_a_person_should_do() -> None:
    film = scenes.broken()
    kinds = [InvariantKind("node_down", "critical", 0.0, "Bring the server back.")]
    film.show("cluster.invariants", InvariantTable("valkey", kinds))
    assert "→ Bring the server back." in told("monitor", film)


def test_each_signal_of_each_node_is_shown_at_every_size() -> None:
    film = scenes.broken()
    assert re.search(r"valkey-1 primary down ◄ ✗✗✗", shown(film, SMALL))
    assert re.search(r"valkey-0 primary up +✓✓✓", shown(film, SMALL))
    assert "process probe cluster" in shown(film, MIDDLE)
    assert "process ✗ probe ✗ cluster ✗" in shown(film, LARGE)


def test_more_nodes_than_rows_stand_side_by_side_and_none_is_left_out() -> None:
    text = shown(scenes.stores(), SMALL)
    for number in range(3):
        assert f"●pd{number}" in text
    for number in range(8):
        assert f"{'✗' if number == 2 else '●'}tikv{number}" in text
    assert "★●pd0" in text
    assert re.search(r"✗ tikv2 +tikv +down ◄ kill +✗✗✓", text)


def test_the_detail_of_the_cluster_tells_the_fault_the_violation_and_the_process_of_a_node() -> None:
    text = told("cluster", scenes.broken())
    assert "◄ kill active for" in text
    assert re.search(r"✗ node_down for \d s: valkey-1 does not answer", text)
    assert re.search(r"✗ process failed  pid \d+", text)
    assert "127.0.0.1:7001" in text


def test_a_chapter_that_is_overdue_says_so_and_the_way_back() -> None:
    for size in (SMALL, MIDDLE, LARGE):
        text = shown(scenes.overdue(), size)
        assert "✗ not as expected  ← goes back, SPACE goes on" in text
        assert "go back to stage 3" in " ".join(text.split())
        assert text.splitlines()[1].startswith("┏━ [5/8]")
    waiting = scenes.broken().show("demo.chapter", scenes.chapter(4, expectation_met=False))
    assert "… not seen yet" in shown(waiting)


def test_the_next_chapter_is_announced_where_there_is_room() -> None:
    film = scenes.healthy().show("demo.chapter", scenes.chapter(2, next_title="Stage 3: Fault Injection"))
    assert "next: Stage 3: Fault Injection" in shown(film, MIDDLE)
    assert "next: Stage 3: Fault Injection" in told("narration", film)


def test_the_countdown_is_as_large_as_there_is_room_for() -> None:
    blocks = [shown(scenes.counting(), size).count("██") for size in (SMALL, MIDDLE, LARGE)]
    area = scenes.counting()
    area.state.workload.clear()
    heights = [sum("██" in line or "▀▀" in line for line in shown(area, size).splitlines()) for size in (SMALL, LARGE)]
    assert all(blocks)
    assert heights == [3, 10]


def test_the_agent_says_whether_it_may_act() -> None:
    film = scenes.healthy().show("agent.switch", AgentState(True, "approve", "safe"))
    assert "● on, it acts when somebody approves" in shown(film, MIDDLE)
    film.show("agent.switch", AgentState(False, "execute", "safe", "by ann: look first"))
    assert "○ switched off by ann: look first" in shown(film, MIDDLE)


def test_the_detail_of_the_agent_has_every_step_then_the_whole_diagnosis_then_what_was_done() -> None:
    film = scenes.diagnosed()
    film.show("action.finished", to_body(Action(4, 1, "start_node", scenes.VICTIM, "succeeded", result="it is back")))
    text = told("agent", film)
    parts = [
        "tool ",
        "evidence ",
        "thought ",
        "result ",
        "diagnosis",
        "because",
        "ruled out",
        "seen, not cited",
        "action 4",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "[3] used memory of valkey-1" in text


def test_a_first_answer_is_marked_as_one() -> None:
    film = scenes.diagnosing()
    possible = [Hypothesis("network_partition", None, "its peers reach it")]
    first = replace(scenes.diagnosis(), preliminary=True, hypotheses=possible, usage={"cost_usd": 0.0123})
    film.show("agent.diagnosis", {"ticket": 1, "diagnosis": to_body(first)})
    assert "preliminary, 94% sure, by rules, 0.012 USD" in shown(film, MIDDLE)
    assert "? network_partition: not shown yet; it waits to see whether" in shown(film, MIDDLE)
    assert "? network_partition" in shown(film, SMALL)


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=str)
def test_a_second_of_an_ordinary_load_takes_less_than_a_kilobyte(size: Size) -> None:
    film, pen = scenes.healthy(), Pen(COLOURS)
    taken, before = [], None
    for second in range(150):
        for body in an_ordinary_second(film, second):
            film.show(*body)
        film.mono += 1.0
        picture = compose(film.view(), SHELL, size, pen)
        if before is not None and second >= 130:
            taken.append(len(diff.changes(before, picture).encode()))
        before = picture
    assert 0 < sum(taken) / len(taken) < 1000


def an_ordinary_second(film: scenes.Film, second: int) -> list[tuple[str, scenes.Record]]:
    """A load within a tenth of what it should be, and the usage of nine processes."""
    jitter = second * 7_919 % 101 / 500 - 0.1
    sample = scenes.sample(int(film.mono) + 1, 2_000.0 * (1 + jitter))
    latency = {name: replace(one, p99=0.4 * (1 + jitter)) for name, one in sample.latency.items()}
    names = ["monitor", "agent", "ycsb", *(f"valkey-{number}" for number in range(6))]
    nodes = [
        replace(node, detail={**node.detail, "offset": 12_345 + second * 1_000}) for node in scenes.cluster().nodes
    ]
    return [
        ("workload.sample", replace(sample, latency=latency)),
        *((f"process.{name}.state", usage(name, second)) for name in names),
        ("cluster.health", replace(scenes.cluster(), nodes=nodes)),
    ]


def usage(name: str, second: int) -> ProcessState:
    busy, rss = second * 31 % 17 / 4, (31 << 20) + (second % 9 << 16)
    return scenes.process(name, kind="server" if "-" in name else "worker", cpu_percent=busy, rss=rss)


@pytest.mark.parametrize("term", ["xterm-256color", "xterm", "xterm-direct"])
def test_only_the_sixteen_colours_of_the_terminal_are_used_and_no_background(term: str) -> None:
    allowed = {1, 2, 3, 7, *range(30, 38)}
    for film in scenes.ALL.values():
        picture = compose(film().view(after_s=1.0), SHELL, MIDDLE, Pen({"TERM": term, "COLORTERM": "truecolor"}))
        used = {int(code) for row in picture for cell in row for code in re.findall(r"\d+", cell.sgr)}
        assert used <= allowed


def test_a_wide_character_does_not_move_what_stands_behind_it() -> None:
    film = scenes.healthy().show("demo.chapter", scenes.chapter(2, narration="数据库 🔥 ok", title="段階 🔥"))
    picture = compose(film.view(), SHELL, SMALL, Pen(COLOURS))
    written = diff.whole(picture)
    row = next(line for line in written.split("\x1b[") if "🔥" in line)
    column = re.search(r"\x1b\[(\d+)G ok", written[written.index("🔥", written.index("数")) :])
    assert row
    assert column is not None
    assert int(column[1]) == 3 + cell_len("数据库 🔥")


def test_a_node_with_a_long_name_and_many_figures_stays_within_its_panel() -> None:
    figures = {f"figure_{number}": number * 1.5 for number in range(30)}
    nodes = [Node("a-store-with-a-long-name", "tikv", "g" * 40, "[fe80::1]:20160", "up", detail=figures)]
    film = scenes.Film().show("cluster.health", ClusterHealth("tikv", True, "", nodes))
    for size in (SMALL, MIDDLE, LARGE):
        assert {cell_len(line) for line in shown(film, size).splitlines()} == {size.width}
    assert "figure 29 43.5" in told("cluster", film, 60)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf"), -1e300, 1e300, 0.0])
def test_figures_that_are_none_break_no_panel(odd: float) -> None:
    film = scenes.broken()
    summary = LatencySummary(1, odd, odd, odd, odd, odd)
    sample = WorkloadSample(odd, odd, True, odd, 1, odd, odd, 1, {"READ": summary}, odd)
    film.show("workload.sample", sample)
    film.show("workload.sample", replace(scenes.sample(90), baseline=odd, threshold=odd))
    film.show("workload.sample", sample)
    film.show("violation.opened", replace(scenes.violation("memory", "valkey-2", at=odd), value=odd, threshold=odd))
    film.show("process.agent.state", scenes.process("agent", cpu_percent=odd, since_at=odd, next_start_in=odd))
    film.show("demo.chapter", scenes.chapter(4, entered_at=odd))
    film.show("fault.injected", scenes.fault(injected_at=odd))
    film.show("agent.diagnosis", {"ticket": 1, "diagnosis": to_body(replace(scenes.diagnosis(), confidence=odd))})
    for size in (SMALL, MIDDLE, LARGE):
        assert {cell_len(line) for line in shown(film, size).splitlines()} == {size.width}
    assert all(told(panel, film) for panel in DETAILS)


def test_a_load_without_latencies_has_a_panel_too() -> None:
    film = scenes.Film()
    for second in range(5):
        film.show("workload.sample", replace(scenes.sample(second), latency={}))
    assert "no latencies are told" in shown(film)
    film.show("workload.sample", replace(scenes.sample(6), latency={"READ": LatencySummary(7)}))
    assert "READ" in shown(film, LARGE)


def test_a_load_that_tells_nothing_any_more_is_not_called_steady() -> None:
    assert "● steady" in shown(scenes.recovered(), MIDDLE)
    silent = shown(scenes.recovered(), MIDDLE, after_s=60.0)
    assert "● steady" not in silent
    assert "no sample for 1 min" in silent


def test_a_second_in_which_nothing_was_done_has_no_unit_without_figures() -> None:
    film = scenes.recovered()
    last = film.state.workload[-1]
    film.state.workload[-1] = replace(last, ops_per_sec=0.0, latency={"READ": LatencySummary(0)})
    assert "nothing was done" in shown(film)


def test_a_load_whose_latencies_are_not_told_is_shown_by_what_it_did() -> None:
    film = scenes.recovered()
    last = film.state.workload[-1]
    film.state.workload[-1] = replace(last, latency={"READ": LatencySummary(54), "UPDATE": LatencySummary(45)})
    for size in (SMALL, MIDDLE, LARGE):
        text = shown(film, size)
        assert "p99 -" not in text
        assert "-/-" not in text
        assert "54" in text
    assert "latencies are not told" in shown(film, MIDDLE)


def test_a_store_says_what_it_leads_where_there_is_room_for_it() -> None:
    store = replace(scenes.store(0), detail={"leaders": 4, "regions": 12})
    assert [duty(store, room).plain for room in (13, 12, 6)] == ["leads 4 of 12", "leads 4", ""]
    assert duty(scenes.pd(0), 40).plain == ""


def test_figures_of_a_node_are_written_as_people_write_them() -> None:
    told = [named("available", 69506000000.0), named("p99_ms", 14.031), named("busy", False), named("leaders", 6)]
    assert told == ["available 69,506,000,000", "p99 14.0 ms", "busy no", "leaders 6"]
    assert re.fullmatch(r"container since \d\d:\d\d:\d\d", named("container_since_at", 1.795e9))
