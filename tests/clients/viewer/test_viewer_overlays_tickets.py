"""The tickets: a list that follows the live state, one with its diagnosis, and the decisions about it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.clients.viewer import scenes
from tests.clients.viewer.staged import SIZES, Answer, Stage

from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.markdown import markdown_lines
from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, NotFound
from operator_protocol.models import Action, AgentState, Diagnosis, Risk, Ticket, TicketEvent
from operator_protocol.records import to_body

REPORT = """# Ticket 1: valkey-1 is slow

**Cause:** stop_and_go

## Evidence

- [1] many glances at `valkey-1` found it stopped by a signal, others did not, and that for a long time
- [2] no other node is slow

## What to do

1. failover valkey-1 (risk: disruptive)

## What would change this answer

glances that never find it stopped
"""
FAILOVER = Action(
    *(3, 1, "failover", "valkey-1", "proposed", {"to": "valkey-4"}, "disruptive", "valkey-1 is slow", "rules"),
    expected="valkey-4 serves the slots of shard-1",
    verify_within=30.0,
)


def answer() -> Diagnosis:
    return replace(scenes.diagnosis(), summary="valkey-1 is stopped and continued", markdown=REPORT)


def waiting(status: str = "diagnosed", **more: Any) -> Ticket:
    return replace(scenes.ticket(1, status, answer()), **more)  # type: ignore[arg-type]  # a status, as the test wants it


def record(args: Mapping[str, Any]) -> Body:
    """What the daemon has of a ticket that is resolved, with its history."""
    ticket = replace(scenes.ticket(int(args["id"]), "resolved", answer()), resolved_at=scenes.EPOCH + 61.0)
    history = [
        TicketEvent(1, scenes.EPOCH, "operatord", "opened", {"violation": to_body(scenes.violation())}),
        TicketEvent(2, scenes.EPOCH + 3, "ann", "note", {"text": "looking *at* it"}),
    ]
    return {"ticket": to_body(ticket), "violation": "v", "actions": [], "history": [to_body(one) for one in history]}


ANSWERS: dict[str, Answer] = {
    "tickets": {
        "tickets": [to_body(scenes.ticket(9, "resolved")), to_body(scenes.ticket(8, "resolved"))],
        "next": None,
    },
    "ticket": record,
    "act": {"action": None, "would": "have valkey-4 take the place of valkey-1"},
}


def listed(*actions: Action, answers: dict[str, Answer] | None = None, readonly: bool = False) -> Stage:
    """The list, with one unresolved ticket and what is to be done about it."""
    stage = Stage({**ANSWERS, **(answers or {})}, readonly=readonly)
    scenes.broken(stage.film)
    stage.film.show("ticket.updated", waiting())
    for action in actions:
        stage.film.show("action.proposed", action)
    return stage.press("t")


def opened(*actions: Action, answers: dict[str, Answer] | None = None, readonly: bool = False) -> Stage:
    return listed(*actions, answers=answers, readonly=readonly).press("enter")


def rows(stage: Stage) -> list[str]:
    return [row for row in stage.top().splitlines() if "#" in row]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_waits_for_a_decision_comes_first_then_the_unresolved_then_the_resolved(size: Size) -> None:
    stage = listed(FAILOVER)
    stage.size = size
    stage.film.show("ticket.opened", scenes.ticket(2))
    listing = rows(stage)
    assert [row.split("#")[1].split()[0] for row in listing] == ["1", "2", "9", "8"]
    assert "▶    #1 → ◆ diagnosed  critical" in listing[0]
    assert "✓ resolved" in listing[2]
    assert "failover valkey-1, to valkey-4 waits for your decision" in stage.said()
    assert "valkey-1 is stopped and continued" in stage.said()


def test_the_list_follows_what_happens_and_keeps_the_row() -> None:
    stage = listed().press("down")
    assert "▶    #9" in stage.top()
    stage.film.show("ticket.opened", scenes.ticket(10))
    assert "▶    #9" in stage.top()
    assert "#10" in rows(stage)[0]
    stage.press("up")
    assert "▶    #1 " in stage.top()
    stage.film.show("ticket.resolved", waiting("resolved"))
    stage.source.answers["tickets"] = {"tickets": [to_body(scenes.ticket(number, "resolved")) for number in (1, 9, 8)]}
    assert [row.split("#")[1].split()[0] for row in rows(stage)] == ["10", "9", "8", "1"]
    assert "▶    #1   ✓ resolved" in stage.top()


def test_no_ticket_says_so() -> None:
    stage = Stage({"tickets": {"tickets": [], "next": None}})
    scenes.healthy(stage.film)
    assert "no ticket: nothing is broken" in stage.press("t").top()
    assert stage.press("enter").changed() == []


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_ticket_shows_what_waits_for_a_decision_and_then_the_diagnosis_as_markdown(size: Size) -> None:
    stage = opened(FAILOVER)
    stage.size = size
    for words in ("◆ diagnosed", "→ failover valkey-1, to valkey-4 waits for you ! disruptive", "a approves it"):
        assert words in stage.said()
    assert "valkey-4 serves the slots of shard-1" in stage.said()
    assert "◄ kill valkey-1 is active, made on purpose r recovers it" in stage.said()
    seen = stage.top()
    while "below" in stage.top():
        stage.press("pgdn")
        seen += stage.top()
    assert "• [1] many glances at valkey-1 found it stopped" in seen
    assert "glances that never find it stopped" in seen
    assert not any(mark in seen for mark in ("**", "##", "`"))
    assert seen.count("valkey-1 is stopped and continued") >= 1


def test_scrolling_reaches_both_ends_and_stays_within() -> None:
    stage = opened(FAILOVER)
    first = stage.top()
    last = stage.press("G").top()
    assert "below" not in last
    assert stage.press("down", "pgdn").top() == last
    assert stage.press("g", "up", "pgup").top() == first
    assert stage.press("j", "k").top() == first


def test_approving_says_what_it_risks_and_what_it_would_do_now_and_takes_another_key() -> None:
    stage = opened(FAILOVER).press("a")
    for words in ("! disruptive", "failover valkey-1, to valkey-4", "why: valkey-1 is slow", "over within 30 s"):
        assert words in stage.said()
    assert "✓ now it would have valkey-4 take the place of valkey-1" in stage.said()
    assert stage.press("enter", "a").changed() == []
    stage.press("y")
    assert stage.changed() == [("approve", {"id": 3})]
    stage.film.show("action.approved", replace(FAILOVER, status="approved", decided_by="ann"))
    stage.film.show("action.started", replace(FAILOVER, status="running", decided_by="ann"))
    assert "► failover valkey-1, to valkey-4 runs" in stage.said()
    stage.film.show("action.finished", replace(FAILOVER, status="succeeded", result="valkey-4 is primary"))
    stage.film.show("ticket.resolved", waiting("resolved"))
    assert "✓ failover valkey-1, to valkey-4 succeeded valkey-4 is primary" in stage.said()
    assert "✓ resolved" in stage.said()
    assert "resolved" in stage.top()


@pytest.mark.parametrize(
    ("risk", "key"), [("read", "enter"), ("safe", "enter"), ("disruptive", "y"), ("destructive", "Y")]
)
def test_the_riskier_the_further_the_key(risk: Risk, key: str) -> None:
    stage = opened(replace(FAILOVER, risk=risk)).press("a")
    for other in [one for one in ("enter", "y", "Y") if one != key]:
        if risk in ("read", "safe") and other == "y":
            continue
        stage.press(other)
        assert stage.changed() == []
    stage.press(key)
    assert stage.changed() == [("approve", {"id": 3})]


def test_what_stands_against_it_now_is_said_before() -> None:
    refused = Conflict("no replica is in sync with valkey-1", "wait")
    stage = opened(FAILOVER, answers={"act": refused}).press("a")
    assert "✗ now: no replica is in sync with valkey-1" in stage.said()


def test_what_somebody_else_decided_meanwhile_is_not_approved_again() -> None:
    stage = opened(FAILOVER).press("a")
    stage.film.show("action.rejected", replace(FAILOVER, status="rejected", decided_by="bob"))
    assert "it is over: any yes does nothing" in stage.said()
    stage.press("y")
    assert stage.changed() == []
    assert "✗ failover valkey-1, to valkey-4 rejected" in stage.said()


def test_of_several_actions_the_one_is_decided_that_is_pointed_at() -> None:
    second = replace(FAILOVER, id=4, kind="restart_server", params={})
    stage = opened(FAILOVER, second)
    assert stage.top().count("a approves it") == 1
    assert "restart_server valkey-1 rejected" not in stage.said()
    stage.press("tab", "a")
    assert "Approve action 4?" in stage.top()
    stage.press("esc", "tab", "a")
    assert "Approve action 3?" in stage.top()


@pytest.mark.parametrize(
    ("key", "text", "sent"),
    [
        ("x", "not now", ("reject", {"id": 3, "reason": "not now"})),
        ("x", "", ("reject", {"id": 3, "reason": ""})),
        ("n", "the disk is q?fine", ("note", {"id": 1, "text": "the disk is q?fine"})),
        ("h", "mine", ("hold", {"id": 1, "note": "mine"})),
        ("s", "", ("resolve", {"id": 1, "note": ""})),
        ("o", "again", ("reopen", {"id": 1, "note": "again"})),
    ],
)
def test_a_line_is_typed_and_enter_does_it_and_esc_does_not(key: str, text: str, sent: tuple[str, Body]) -> None:
    stage = opened(FAILOVER).press(key).write(text).press("esc")
    assert stage.changed() == []
    assert len(stage.session.overlays) == 2
    stage.press(key).write(text + "zz").press("backspace", "backspace", "enter")
    assert stage.changed() == [sent]


def test_an_empty_note_is_none() -> None:
    stage = opened().press("n", "enter")
    assert "nothing was typed" in stage.said()
    assert stage.changed() == []


@pytest.mark.parametrize(("key", "sent"), [("d", ("diagnose", {"ticket": 1})), ("r", ("recover", {}))])
def test_what_takes_nothing_away_is_done_at_once(key: str, sent: tuple[str, Body]) -> None:
    assert opened().press(key).changed() == [sent]


def test_keys_for_a_decision_do_nothing_where_there_is_none() -> None:
    stage = opened().press("a", "x", "tab")
    assert stage.changed() == []
    assert "No action waits for you." in stage.said()
    stage.film.show("agent.switch", AgentState(False, "approve", "safe", "by ann: look first"))
    assert "The agent is off (by ann: look first)" in stage.said()
    stage.film.show("agent.switch", AgentState(True, "observe", "safe"))
    assert "The agent only observes here" in stage.said()


def test_the_last_line_has_the_keys_that_lead_somewhere_now() -> None:
    stage = opened(FAILOVER)
    assert "a approve   x reject" in stage.text().splitlines()[-1]
    stage.film.show("action.rejected", replace(FAILOVER, status="rejected"))
    last = stage.text().splitlines()[-1]
    assert "approve" not in last
    assert all(words in last for words in ("h hold", "s solved", "d diagnose", "ESC back", "? keys"))
    stage.film.show("ticket.resolved", waiting("resolved"))
    assert "o reopen" in stage.text().splitlines()[-1]
    stage.press("?")
    assert "Approve the action that waits" in stage.top(), "the list has all of them"


def test_notes_and_on_demand_the_history() -> None:
    stage = opened()
    stage.film.show("ticket.updated", waiting(notes=["ann: looking at it"]))
    stage.text()
    assert "• ann: looking at it" in stage.press("G").top()
    assert "noted" not in stage.said()
    stage.press("l")
    assert "ann noted: looking *at* it" in stage.said()
    stage.press("l", "G")
    assert "noted" not in stage.said()


def test_a_resolved_ticket_is_asked_for_with_its_diagnosis() -> None:
    stage = listed().press("down", "enter")
    assert ("ticket", {"id": 9, "history": True}) in stage.source.sent
    for words in ("✓ resolved", "after 1 min 01 s", "Nothing is left to be done", "Cause: stop_and_go"):
        assert words in stage.said()


def test_the_steps_of_the_agent_are_shown_until_it_has_answered() -> None:
    stage = Stage(ANSWERS)
    scenes.diagnosing(stage.film)
    stage.press("t", "enter")
    assert "the agent is at it" in stage.said()
    assert "= result process_killed fits all four" in stage.said()
    assert "the agent is not done" in stage.said()


def test_another_daemon_has_other_tickets_and_that_is_said() -> None:
    stage = opened(FAILOVER, answers={"ticket": NotFound("no ticket 1", "there are none")})
    stage.film.state.tickets.clear()
    stage.resync("another daemon")
    assert "no ticket 1" in stage.said()
    assert "failover" not in stage.said()


def test_a_read_only_viewer_shows_the_question_and_does_nothing() -> None:
    stage = opened(FAILOVER, readonly=True)
    assert "a approves it" not in stage.said()
    stage.press("a")
    assert "read-only" in stage.said()
    stage.press("y", "h")
    assert "read-only" in stage.said()
    stage.press("enter", "d", "r")
    assert stage.changed() == []


def test_a_diagnosis_cannot_draw_beyond_its_box_or_become_a_link() -> None:
    hostile = (
        "# \x1b[2J\n\n[click](https://example.org) ![p](x) \x1b]0;title\x07\n\n```\n\x1b[31mred\n"
        + "字" * 90
        + "\n```\n"
    )
    lines = markdown_lines(hostile, 40)
    assert all(line.cell_len <= 40 for line in lines if not line.no_wrap)
    assert not any("\x1b" in line.plain or "\x07" in line.plain for line in lines)
    assert not any(getattr(span.style, "link", None) for line in lines for span in line.spans)
    stage = listed()
    stage.film.show(
        "ticket.updated", replace(waiting(), diagnosis=replace(answer(), markdown=hostile), message=hostile)
    )
    stage.press("enter").press("G")
    assert "\x1b" not in stage.text()
