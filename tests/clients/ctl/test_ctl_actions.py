"""The subcommands on actions: what they send, what they print, and how they end."""

from dataclasses import replace
from typing import get_args

import pytest
from tests.clients.ctl.conftest import Ctl
from tests.clients.scripted import ScriptedDaemon, any_json

from operator_clients.ctl.actions import STATUSES
from operator_protocol.codec import Body
from operator_protocol.errors import Conflict
from operator_protocol.models import Action, ActionKind, ActionStatus, AgentState, FaultParam
from operator_protocol.records import to_body

PROPOSED = Action(
    3,
    7,
    "failover",
    "valkey-1",
    "proposed",
    {"to": "valkey-4"},
    "disruptive",
    "valkey-1 answers late",
    "rules",
    proposed_at=1000.0,
    expires_at=1300.0,
    expected="valkey-4 serves\x1b[2J its slots",
)
DONE = replace(PROPOSED, status="succeeded", decided_by="ann", started_at=1010.0, result="p99_latency is over")
KIND = ActionKind("failover", "a replica takes over", "disruptive", [FaultParam("to", "the replica", "")], 30.0)
AGENT = AgentState(True, "execute", "safe")


def test_the_statuses_are_those_of_the_wire() -> None:
    assert get_args(ActionStatus) == STATUSES


def test_actions_are_listed_and_so_are_their_kinds(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("actions", lambda _: {"actions": [to_body(PROPOSED)], "kinds": [to_body(KIND)]})
    done = ctl("actions", "--status", "proposed", "--limit", "5")
    assert "3   proposed  disruptive  failover  valkey-1  7" in done.stdout
    assert "\x1b" not in done.stdout
    assert daemon.asked("actions") == [{"status": "proposed", "limit": 5}]
    kinds = ctl("actions", "--kinds").stdout
    assert "failover  disruptive" in kinds
    assert "--set to=…  the replica (text)" in kinds
    assert any_json(ctl("actions", "--json").stdout)["actions"][0]["id"] == 3


def test_one_action_is_shown_with_what_it_waits_for(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("action", lambda _: {"action": to_body(PROPOSED), "waits_for": "another action on valkey-1"})
    out = ctl("action", "3").stdout
    for part in (
        "action 3  proposed, disruptive, for ticket 7",
        "failover valkey-1 to=valkey-4",
        "operatorctl approve 3",
    ):
        assert part in out
    assert "waits for another action on valkey-1" in out


@pytest.mark.parametrize(("status", "code"), [("succeeded", 0), ("failed", 1), ("rejected", 1), ("expired", 1)])
def test_approve_waits_for_the_end_and_fails_if_it_did_not_help(
    daemon: ScriptedDaemon, ctl: Ctl, status: ActionStatus, code: int
) -> None:
    daemon.on("approve", lambda _: {"action": to_body(replace(DONE, status=status))})
    done = ctl("approve", "3")
    assert done.returncode == code
    assert f"action 3  {status}" in done.stdout
    assert "result: p99_latency is over" in done.stdout


def test_a_refused_approval_is_one_line_with_what_to_do(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    def refuse(_: Body) -> Body:
        raise Conflict("action 3 is expired already", "for a new one: operatorctl diagnose 7")

    daemon.on("approve", refuse)
    done = ctl("approve", "3")
    assert (done.returncode, done.stderr) == (
        1,
        "operatorctl: action 3 is expired already (for a new one: operatorctl diagnose 7)\n",
    )


def test_act_sends_its_parameters_and_a_dry_run_says_what_it_would_do(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on(
        "act",
        lambda args: {"action": None, "would": "hand over"} if args.get("dry_run") else {"action": to_body(DONE)},
    )
    assert ctl("act", "failover", "valkey-1", "--dry-run").stdout == "would hand over\n"
    assert ctl("act", "failover", "valkey-1", "--set", "to=valkey-4", "--ticket", "7").returncode == 0
    assert daemon.asked("act") == [
        {"kind": "failover", "target": "valkey-1", "dry_run": True},
        {"kind": "failover", "target": "valkey-1", "params": {"to": "valkey-4"}, "ticket": 7},
    ]
    assert ctl("act", "failover", "valkey-1", "--set", "a=1", "--set", "a=2").returncode == 2


def test_the_kill_switch_is_thrown_and_shown(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    off = replace(AGENT, on=False, off_reason="by ann: look first")
    daemon.on("agent", lambda args: {"agent": to_body(off if args["switch"] == "off" else AGENT), "pending": []})
    assert "the agent is off (by ann: look first): no action is taken" in ctl("agent", "off", "--reason", "x").stdout
    shown = ctl("agent", "show").stdout
    assert "the agent is on\n  autonomy execute, up to safe\n" in shown
    assert daemon.asked("agent")[0] == {"switch": "off", "reason": "x"}
    assert ctl("agent", "maybe").returncode == 2
