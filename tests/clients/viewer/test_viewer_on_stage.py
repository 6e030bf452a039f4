"""What is on the screen is fit to be shown: whole columns, whole lines where there is room, words, and no secret."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.text import Text
from tests.clients.viewer import scenes
from tests.clients.viewer.test_viewer_panels import SHELL, codes, draw, shown

from operator_clients.console_address import console_address
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.keys import KeysOverlay
from operator_clients.viewer.panels import diagnosis
from operator_clients.viewer.panels.wording import phrases
from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.models import ClusterHealth, EvidenceItem, Scalar

PRIMARY: dict[str, Scalar] = {"slots": "0-5460", "slots_count": 5461, "serves": True, "contact": "answered"}
REPLICA: dict[str, Scalar] = {"slots": "", "slots_count": 0, "serves": False, "contact": "answered", "pinged": True}


@pytest.mark.parametrize("kind", ["kill", "evict-leader"])
def test_a_long_row_keeps_the_signals_of_all_and_gives_up_the_name_of_its_fault_first(kind: str) -> None:
    film = scenes.broken()
    nodes = [scenes.node(1, "degraded", "replica"), *(scenes.node(number) for number in (0, 2, 3, 4, 5))]
    film.show("cluster.health", ClusterHealth("valkey", False, "valkey-1 is synchronising", nodes))
    film.show("fault.injected", replace(scenes.fault(), kind=kind))
    rows = [row for row in shown(film.view()).splitlines() if "valkey-" in row and ("✓✓✓" in row or "✗✗✗" in row)]
    assert len(rows) == 6
    assert "◐ valkey-1 replica deg… ◄ ✗✗✗ ┃" in next(row for row in rows if "◐" in row)


def told(room: Size) -> list[str]:
    long = "it wrote a line that is much longer than the panel is wide, and it goes on and on until it is over"
    evidence = [EvidenceItem(number, "log", f"{number}: {long}") for number in range(1, 6)]
    found = replace(scenes.diagnosis(), evidence=evidence, cited=[1, 2, 3, 4, 5])
    return [text.plain for text in diagnosis.glance(found, [Text("a step")], room)]


def test_free_rows_go_to_lines_that_were_cut_and_the_explanation_stays() -> None:
    whole, tight = told(Size(50, 60)), told(Size(50, 26))
    assert not any(row.endswith("…") for row in whole)
    for number in range(1, 6):
        assert any(f"[{number}]" in row for row in tight)
    assert "explanation" in tight
    assert any(row.endswith("…") for row in tight)
    assert len(tight) == 26
    assert "explanation" not in told(Size(50, 14))


def test_what_a_node_tells_is_in_words() -> None:
    assert list(phrases(PRIMARY)) == ["serves slots 0-5460 (5,461)", "answers"]
    assert list(phrases(PRIMARY | {"serves": False, "problem": "is down"}, brief=True)) == [
        "is down",
        "owns slots 0-5460 (5,461) and serves none",
        "answers",
    ]
    more: dict[str, Scalar] = {"silent_for_s": 0.0, "primary": "valkey-0", "repl_lag": 0, "p99_ms": 0.31}
    assert list(phrases(REPLICA | more, brief=True)) == [
        *("no slots of its own", "follows valkey-0", "0 B behind", "p99 0.31 ms", "answers", "ping answered")
    ]
    flagged: dict[str, Scalar] = {"flagged_failing_by": 5, "asked_about_it": 5}
    assert list(phrases(flagged)) == ["called failing by 5 of 5 nodes"]


def test_names_that_nothing_is_known_of_keep_their_words_and_units() -> None:
    figures: dict[str, Scalar] = {"apply_p99_ms": 12.5, "oom_killed": False, "scrape_age_s": 1.25, "sent_per_s": 2301.4}
    assert list(phrases(figures)) == ["apply p99 12.5 ms", "oom killed no", "scrape age 1.2 s", "sent 2,301/s"]


def test_a_load_that_is_well_looks_well() -> None:
    assert "32" in codes(draw(scenes.healthy().view()), "╭─ Workload")


def test_the_console_is_shown_without_its_token(tmp_path: Path) -> None:
    endpoint = runtime_endpoint(tmp_path)
    assert console_address(endpoint).url == ""
    (tmp_path / "console.json").write_text(json.dumps({"url": "http://127.0.0.1:8970/#token=secret", "pid": 1}))
    found = console_address(endpoint)
    assert found == ("http://127.0.0.1:8970/", str(tmp_path / "console.json"))
    found = found._replace(file="/run/operatord/console.json")
    shell = SHELL._replace(console=found, overlays=(KeysOverlay(console=found),))
    screen = shown(scenes.healthy().view(), Size(120, 60), shell)
    assert found.url in screen
    assert "secret" not in screen
    assert found.file in screen
