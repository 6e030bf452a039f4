"""The fault menu: from the catalogue to one fault on one node, with the answer of the guard rails before it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.clients.viewer import scenes
from tests.clients.viewer.staged import SIZES, Answer, Stage

from operator_clients.viewer.keys import PASTED
from operator_clients.viewer.layout import Size
from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, UnknownCommand
from operator_protocol.models import ClusterHealth, FaultAnswer, FaultKind, FaultParam
from operator_protocol.records import to_body

SLOW = FaultKind(
    "slow",
    "SIGSTOP and SIGCONT in a duty cycle: the server answers late, and nobody holds it for failed.",
    "ending the process that does it, and SIGCONT.",
    [
        FaultParam("percent", "share of the time for which it is stopped", 70, "%", 1.0, 95.0),
        FaultParam("period", "length of one turn, stopped and running", 20.0, "ms", 10.0, 500.0),
    ],
)
LOSS = FaultKind(
    "loss",
    "A share of the packets to and from the target, chosen at random, is lost, clients' included.",
    "removing the rules.",
    [FaultParam("direction", "which way", "both", choices=["both", "in", "out"]), FaultParam("exact", "so", False)],
    needs="operatord start --isolate",
)
PARTITION = FaultKind("partition", "It is cut off.", "removing the rules.", missing="start it with --isolate")
KILL = FaultKind("kill", "SIGKILL: gone from one moment to the next.", "starting the server again on its data.")
LAST = "is refused: it is the last live copy of shard-1: nobody would be left to serve its data"


def check(args: Mapping[str, Any]) -> Body:
    """valkey-4 is the last copy of its shard."""
    answers = [FaultAnswer(f"valkey-{number}", True) for number in range(6)]
    if not args["force"]:
        answers[4] = FaultAnswer("valkey-4", False, f"{args['kind']} valkey-4 {LAST}", "--force overrides")
    return {"answers": [to_body(one) for one in answers], "default_role": "primary"}


CATALOGUE: Body = {"kinds": [to_body(one) for one in (KILL, SLOW, LOSS, PARTITION)], "owed": []}
ANSWERS: dict[str, Answer] = {"faults": CATALOGUE, "fault.check": check}


def menu(answers: dict[str, Answer] | None = None, *, readonly: bool = False) -> Stage:
    stage = Stage({**ANSWERS, **(answers or {})}, readonly=readonly)
    scenes.healthy(stage.film)
    return stage.press("f")


def test_enter_on_the_first_row_breaks_the_default_at_once_and_says_so_before() -> None:
    stage = menu()
    assert "kill a random primary after a countdown of 3, 2, 1" in stage.top()
    assert "ENTER does it now" in stage.top()
    assert "guard rails: allowed: one of valkey-0, valkey-1," in stage.top()
    stage.press("enter")
    assert stage.changed() == [("fault", {})]
    assert not stage.session.overlays


def test_the_arrow_that_goes_on_in_the_story_breaks_nothing_here() -> None:
    assert menu().press("right").changed() == []


def test_each_kind_is_described_with_its_parameters_its_undoing_and_what_is_missing() -> None:
    stage = menu().down_to("slow")
    for words in ("duty cycle", "Undone by ending the process", "percent 70 %: share", "1 % to 95 %", "period 20 ms"):
        assert words in stage.top()
    stage.down_to("✗ partition")
    assert "✗ not here: start it with --isolate" in stage.top()
    stage.press("enter")
    assert len(stage.session.overlays) == 1, "there is nothing to be filled in for what cannot be done"
    assert "Needs operatord start --isolate" in stage.press("up").top()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_fault_on_a_chosen_node_takes_a_handful_of_keys_and_a_yes(size: Size) -> None:
    stage = menu()
    stage.size = size
    stage.down_to("slow").press("enter")
    assert "a random primary" in stage.top()
    stage.press("enter").down_to("valkey-2")
    assert "valkey-2   primary  shard-2" in stage.top()
    stage.press("enter").down_to("percent").press("enter").write("50%").press("enter")
    stage.down_to("undo after").press("enter").write("1m30s").press("enter")
    stage.down_to("Inject…")
    assert "slow on valkey-2, percent 50%" in stage.top()
    assert stage.changed() == []
    stage.press("enter")
    for words in (
        "disruptive",
        "slow on valkey-2",
        "✓ guard rails: allowed on valkey-2",
        "undone by itself after 1 min 30 s",
    ):
        assert words in stage.said()
    stage.press("enter")
    assert stage.changed() == [], "what is disruptive takes another key than the one that led there"
    stage.press("y")
    order = {"kind": "slow", "target": "valkey-2", "params": {"percent": "50%"}, "force": False, "for": 90.0}
    assert stage.changed() == [("fault", order)]
    assert not stage.session.overlays, "the countdown is for the audience to see"


def test_enter_held_down_breaks_the_default_once_and_goes_on_to_no_other_chapter() -> None:
    stage = menu().press("enter", "enter")
    stage.film.mono += 0.5
    stage.press("enter")
    assert stage.changed() == [("fault", {})]
    stage.film.mono += 2.0
    stage.press("enter")
    assert [cmd for cmd, _ in stage.changed()] == ["fault", "next"]


def test_what_is_pasted_breaks_nothing_and_is_text_where_text_is_typed() -> None:
    stage = menu().press(f"{PASTED}\ry").press("esc", f"{PASTED}f\rr q")
    assert stage.changed() == []
    assert not stage.session.finished
    assert "what was pasted is text" in stage.text()
    stage.press(":", f"{PASTED}  restart\n x\x1b\r")
    assert "restart x" in stage.top()
    assert stage.changed() == []


def test_esc_goes_back_one_step_and_breaks_nothing() -> None:
    stage = menu().down_to("slow").press("enter", "enter")
    steps = []
    while stage.session.overlays:
        steps.append(len(stage.session.overlays))
        stage.press("esc")
    assert steps == [3, 2, 1]
    assert stage.changed() == []


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_guard_rails_say_no_before_anything_is_asked_for(size: Size) -> None:
    stage = menu()
    stage.size = size
    stage.down_to("slow").press("enter", "enter").down_to("valkey-4")
    assert stage.top().count("✗ refused") == 1
    assert "last live copy of shard-1" in stage.top()
    stage.press("enter")
    assert "✗ refused: slow valkey-4 is refused" in stage.top()
    assert "force: yes overrides that" in stage.top()
    stage.down_to("force").press("right")
    assert "✓ guard rails: allowed on valkey-4" in stage.top()
    stage.press("i")
    assert "destructive" in stage.top()
    stage.press("y", "enter")
    assert stage.changed() == []
    stage.press("Y")
    assert stage.changed()[0][1]["force"] is True


def test_what_the_daemon_says_of_a_parameter_is_shown_in_the_form() -> None:
    wrong = BadRequest("slow: percent is 1 to 95 %, not '99'", "percent: share of the time")
    stage = menu().down_to("slow").press("enter").down_to("percent").press("enter")
    stage.source.answers["fault.check"] = wrong
    stage.write("99").press("enter")
    assert "✗ refused: slow: percent is 1 to 95 %, not '99'" in stage.top()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_cluster_of_many_nodes_is_scrolled_with_the_chosen_one_in_sight(size: Size) -> None:
    stage = menu()
    stage.size = size
    nodes = [replace(scenes.node(number), id=f"store-with-a-long-name-{number}", group="") for number in range(70)]
    stage.film.show("cluster.health", ClusterHealth("tikv", True, "", nodes))
    stage.down_to("slow").press("enter", "enter", "G")
    assert "▶" in stage.top()
    assert "72/72" in stage.top().splitlines()[-1]
    chosen = next(row for row in stage.top().splitlines() if "▶" in row)
    stage.press("enter")
    assert next(word for word in chosen.split() if word.startswith("store-")) in stage.said()


def test_choices_are_gone_through_and_typed_times_are_looked_at_here() -> None:
    stage = menu().down_to("loss").press("enter").down_to("direction").press("right")
    assert "in ←→" in stage.top()
    stage.press("left", "left").down_to("exact").press("enter").down_to("undo after").press("enter")
    stage.write("soon").press("enter")
    assert "'soon' is not a duration like" in stage.top()
    stage.press("ctrl+u", "enter").down_to("countdown").press("enter").write("0").press("enter", "i", "y")
    order = {"kind": "loss", "target": None, "params": {"direction": "out", "exact": "yes"}, "force": False}
    assert stage.changed() == [("fault", {**order, "countdown": 0.0})]


def test_a_daemon_that_does_not_say_beforehand_can_be_asked_all_the_same() -> None:
    stage = menu({"fault.check": UnknownCommand("no command 'fault.check'")}).down_to("slow").press("enter")
    assert "this daemon does not say beforehand" in stage.top()
    stage.press("i", "y")
    assert [cmd for cmd, _ in stage.changed()] == ["fault"]


def test_the_answer_follows_what_happens_meanwhile() -> None:
    stage = menu().down_to("slow").press("enter")
    asked = sum(cmd == "fault.check" for cmd, _ in stage.source.sent)
    stage.film.show("fault.injected", scenes.fault("active"))
    stage.text()
    assert sum(cmd == "fault.check" for cmd, _ in stage.source.sent) == asked + 1
    stage.text()
    assert sum(cmd == "fault.check" for cmd, _ in stage.source.sent) == asked + 1, "and is asked no oftener than that"


def test_what_is_broken_already_is_said_and_is_recovered_from_here() -> None:
    stage = menu()
    stage.film.show("fault.countdown", scenes.fault("countdown", remaining=2))
    assert "◄ kill valkey-1 in 2" in stage.top()
    stage.press("r")
    assert stage.changed() == [("recover", {})]
    assert stage.session.overlays


def test_a_lost_daemon_is_said_and_asked_again_when_it_is_back() -> None:
    stage = Stage(ANSWERS)
    scenes.healthy(stage.film)
    stage.source.status = "lost"
    stage.press("f")
    assert "the catalogue is not known" in stage.top()
    assert "connection lost" in stage.text()
    stage.press("enter")
    assert stage.source.sent == []
    stage.source.status = "live"
    stage.resync()
    assert "slow" in stage.top()


def test_what_was_filled_in_is_not_lost_with_the_daemon() -> None:
    stage = menu().down_to("slow").press("enter").down_to("percent").press("enter").write("30").press("enter", "i")
    stage.source.status = "lost"
    stage.press("y")
    assert stage.changed() == []
    assert "slow on a random primary, percent 30" in stage.said()
    stage.source.status = "live"
    stage.resync()
    assert [cmd for cmd, _ in stage.press("i", "y").changed()] == ["fault"]


def test_a_read_only_viewer_shows_all_of_it_and_injects_nothing() -> None:
    stage = menu(readonly=True)
    assert "read-only" in stage.top()
    stage.down_to("slow").press("enter")
    assert "allowed" in stage.top()
    assert "read-only" in stage.top()
    stage.press("i")
    assert "read-only" in stage.top()
    stage.press("y")
    assert stage.changed() == []
    assert "read-only" in stage.text().splitlines()[-1] + stage.text().splitlines()[-2]
