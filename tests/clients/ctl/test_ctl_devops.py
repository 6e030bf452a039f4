"""``devops`` and ``coord``: what they send, what they print, and how they end."""

import json
import time
from dataclasses import replace

import pytest
from tests.clients.ctl.conftest import Ctl
from tests.clients.scripted import ScriptedDaemon, any_json

from operator_clients.ctl.cli import main
from operator_protocol.codec import Body
from operator_protocol.coordination import MAX_DESCRIPTION_CHARS
from operator_protocol.errors import NotFound
from operator_protocol.models import CoordinationMessage, DevOpsActivity, DevOpsStep, MessagePayload
from operator_protocol.records import to_body

ACTIVITY = DevOpsActivity(
    "deploy-7",
    "Deploy web\x1b[2J 2.1.0",
    "in_progress",
    1000.0,
    1012.0,
    steps=[
        DevOpsStep("pull", "completed", 1001.0, 1006.0),
        DevOpsStep("apply", "failed", 1007.0, 1012.0, "no room"),
        DevOpsStep("wait"),
    ],
)
DONE = replace(ACTIVITY, id="deploy-6", status="completed", completed_at=1095.0)
MESSAGE = CoordinationMessage(
    "msg-0a1b2c3d", "READY_FOR_REVIEW", "backend", "orchestrator", 1000.0, MessagePayload("the store", "is done")
)


@pytest.fixture
def published(daemon: ScriptedDaemon) -> ScriptedDaemon:
    daemon.on("publish", lambda _: {"message": to_body(MESSAGE), "activity": to_body(ACTIVITY)})
    return daemon


def said(daemon: ScriptedDaemon) -> tuple[str, Body]:
    """Type and description of the last message."""
    args = daemon.asked("publish")[-1]
    assert (args["from"], args["to"], args["requires_ack"]) == ("devops", "all", False)
    return args["type"], json.loads(args["payload"]["description"])


@pytest.mark.criterion("defect-1", "the description is pure JSON with the activity_id")
@pytest.mark.criterion("US-09", "STARTED with the step list")
def test_start_prints_nothing_but_the_id_under_which_it_goes_on(published: ScriptedDaemon, ctl: Ctl) -> None:
    done = ctl("devops", "start", "Deploy Web 2.1.0", "--steps", "pull, apply,,wait")
    activity_id = done.stdout.strip()
    assert activity_id.startswith("deploy-web-2-1-0-")
    steps = ["pull", "apply", "wait"]
    expected = {"activity_id": activity_id, "operation": "Deploy Web 2.1.0", "steps": steps}
    assert said(published) == ("DEVOPS_STARTED", expected)
    assert ctl("devops", "start", "Deploy Web 2.1.0", "--steps", "pull").stdout.strip() != activity_id
    assert ctl("devops", "start", "x", "--steps", "pull", "--id", "mine").stdout == "mine\n"


@pytest.mark.criterion("US-09", "STEP_UPDATE per change, COMPLETE or FAILED")
def test_what_follows_names_the_operation_by_its_id(published: ScriptedDaemon, ctl: Ctl) -> None:
    done = ctl("devops", "step", "deploy-7", "pull", "failed", "--error", "no such image")
    assert done.stdout == "deploy-7: pull failed (1 of 3 steps completed)\n"
    step = {"activity_id": "deploy-7", "step": "pull", "status": "failed", "error": "no such image"}
    assert said(published) == ("DEVOPS_STEP_UPDATE", step)
    ctl("devops", "complete", "deploy-7")
    assert said(published) == ("DEVOPS_COMPLETE", {"activity_id": "deploy-7"})
    ctl("devops", "fail", "deploy-7", "--error", "x" * 5_000)
    kind, failed = said(published)
    assert (kind, len(failed["error"])) == ("DEVOPS_FAILED", 4_000)


@pytest.mark.parametrize(
    ("error", "sent"),
    [("caf\udce9", "caf\ufffd"), ("\x1b" * 9_000, "\x1b" * 1_332 + "…"), ("x" * 9_000, "x" * 3_999 + "…")],
)
def test_whatever_bytes_a_log_has_its_operation_is_told(
    published: ScriptedDaemon, ctl: Ctl, error: str, sent: str
) -> None:
    assert ctl("devops", "fail", "deploy-7", "--error", error).returncode == 0
    description = published.asked("publish")[-1]["payload"]["description"]
    assert json.loads(description)["error"] == sent
    assert len(description) <= MAX_DESCRIPTION_CHARS


def test_json_and_the_endpoint_are_taken_before_and_behind_the_action(published: ScriptedDaemon, ctl: Ctl) -> None:
    for words in (("--json", "devops", "complete", "x"), ("devops", "complete", "x", "--json")):
        assert any_json(ctl(*words).stdout)["activity"]["id"] == "deploy-7"
    elsewhere = ctl("devops", "complete", "x", "--endpoint", "/nonexistent", "--json")
    assert (elsewhere.returncode, any_json(elsewhere.stdout)["error"]["code"]) == (3, "unavailable")


def test_operations_are_listed_and_one_is_shown_with_its_steps(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("devops", lambda _: {"current": to_body(ACTIVITY), "recent": [to_body(DONE)]})
    daemon.on("activity", lambda _: {"activity": to_body(DONE)})
    listed = ctl("devops", "list", "--limit", "5").stdout.splitlines()
    assert daemon.asked("devops") == [{"limit": 5}]
    assert [line.split()[:2] for line in listed[1:]] == [["deploy-7", "in_progress"], ["deploy-6", "completed"]]
    assert "1 min 35 s" in listed[2]
    assert "\x1b" not in "".join(listed)
    assert "deploy-7" in ctl("devops", "show").stdout
    shown = ctl("devops", "show", "deploy-6").stdout.splitlines()
    assert shown[2:] == ["  ✓ pull  completed, 5.0 s", "  ✗ apply  failed, 5.0 s: no room", "  ○ wait  pending"]
    daemon.on("devops", lambda _: {"current": None, "recent": []})
    assert ctl("devops", "list").stdout == "no operations in the last 24 hours\n"
    assert ctl("devops", "show").returncode == 1


def test_what_the_daemon_refuses_is_exit_1_with_what_to_do(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    def refuse(_: Body) -> Body:
        raise NotFound("there is no operation 'x'", "operatorctl devops start")

    daemon.on("publish", refuse)
    done = ctl("devops", "complete", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "operatorctl: there is no operation 'x' (operatorctl devops start)\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("devops",), "the following arguments are required: ACTION"),
        (("devops", "begin"), "invalid choice: 'begin'"),
        (("devops", "start", "x"), "required: --steps"),
        (("devops", "start", "x", "--steps", " ,"), "--steps names no step"),
        (("devops", "step", "x", "pull", "done"), "invalid choice: 'done'"),
        (("devops", "step", "x", "pull", "running", "--error", "e"), "--error goes with: failed"),
        (("devops", "fail", "x"), "required: --error"),
        (("devops", "list", "--limit", "0"), "'0' is not a whole number above zero"),
        (("coord", "publish", "GENERAL", "subject"), "required: DESCRIPTION"),
    ],
)
def test_a_wrong_command_line_is_exit_2_and_asks_nothing(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("action", ["start", "step", "complete", "fail", "list", "show"])
def test_each_action_has_its_own_help(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("devops", action, "--help")) == 0
    assert f"usage: operatorctl devops {action}" in capsys.readouterr().out


def test_messages_are_published_listed_and_acknowledged(published: ScriptedDaemon, ctl: Ctl) -> None:
    assert ctl("coord", "publish", "READY_FOR_REVIEW", "the store", "is done", "--from", "backend").stdout == (
        "msg-0a1b2c3d\n"
    )
    assert published.asked("publish") == [
        {
            "type": "READY_FOR_REVIEW",
            "to": "orchestrator",
            "requires_ack": True,
            "payload": {"subject": "the store", "description": "is done"},
            "from": "backend",
        }
    ]
    published.on("messages", lambda _: {"messages": [to_body(MESSAGE)]})
    listed = ctl("coord", "messages", "--to", "orchestrator", "--pending", "--since", "10m").stdout
    assert "msg-0a1b2c3d  00:16:40  READY_FOR_REVIEW  backend  orchestrator  needed  the store" in listed
    (asked,) = published.asked("messages")
    assert abs(asked.pop("since") - (time.time() - 600)) < 60
    assert asked == {"to": "orchestrator", "pending_only": True, "limit": 20}
    acknowledged = replace(MESSAGE, acknowledged=True, ack_by="ann", ack_timestamp=1060.0)
    published.on("ack", lambda _: {"message": to_body(acknowledged)})
    assert ctl("coord", "ack", "msg-0a1b2c3d", "--comment", "fine").stdout == (
        "msg-0a1b2c3d acknowledged by ann at 00:17:40\n"
    )
    assert published.asked("ack") == [{"id": "msg-0a1b2c3d", "comment": "fine"}]
