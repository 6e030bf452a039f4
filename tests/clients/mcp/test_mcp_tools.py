"""The tools on a scripted daemon: what is offered, what is refused, how long an answer may be, what goes wrong."""

import asyncio
import re
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import Tool
from tests.clients import bodies
from tests.clients.mcp.sessions import call, error, in_memory, refused, text
from tests.clients.scripted import ScriptedDaemon

from operator_clients.mcp import changing
from operator_clients.mcp.answers import MAX_BYTES
from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, DeadlineExceeded, Unauthorized
from operator_protocol.models import Action, EvidenceItem
from operator_protocol.records import to_body

READING = {
    "operator_status",
    "operator_nodes",
    "operator_tickets",
    "operator_ticket",
    "operator_workload",
    "operator_events",
    "operator_faults",
    "operator_actions",
    "coord_check_messages",
    "coord_get_presence",
}
TELLING = {
    "coord_publish_message",
    "coord_ack_message",
    "coord_get_notifications",
    "coord_register_presence",
    "coord_deregister_presence",
    "coord_heartbeat",
}
PAGE = (Path(__file__).parents[3] / "docs" / "mcp.md").read_text()


def tools(runtime_dir: Path, *, control: bool = False) -> dict[str, Tool]:
    found: dict[str, Tool] = {}

    async def session(client: Client) -> None:
        found.update((tool.name, tool) for tool in (await client.list_tools()).tools)

    in_memory(runtime_dir, session, control=control)
    return found


def test_every_tool_says_what_it_takes_what_it_answers_and_whether_it_changes_anything(runtime_dir: Path) -> None:
    offered = tools(runtime_dir, control=True)
    assert set(offered) == READING | TELLING | changing.NAMES
    for name, tool in offered.items():
        assert tool.title, name
        assert tool.description, name
        assert tool.output_schema, name
        for parameter, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), f"{name}: {parameter}"
        hints = tool.annotations
        assert hints is not None, name
        assert hints.read_only_hint is (name in READING), name
        assert hints.open_world_hint is False, name
        if name not in READING:
            assert hints.destructive_hint is (name in ("operator_fault", "operator_approve")), name


def test_without_control_rights_there_is_no_tool_that_changes_the_cluster(
    runtime_dir: Path, scripted: ScriptedDaemon
) -> None:
    assert not changing.NAMES & set(tools(runtime_dir))

    async def session(client: Client) -> None:
        for name in sorted(changing.NAMES):
            told = await error(client, name, id=1)
            assert (told["code"], "--control" in told["hint"]) == ("unauthorized", True)
        assert "Unknown tool" in text(await refused(client, "operator_everything"))

    in_memory(runtime_dir, session)
    assert scripted.requests == []


def test_a_read_key_of_the_daemon_refuses_what_the_server_offers(runtime_dir: Path, scripted: ScriptedDaemon) -> None:
    def fault(_: Body) -> Body:
        raise Unauthorized("fault changes something, and 'wall' is a read key", "a control key is made with: operatord")

    scripted.on("fault", fault)

    async def session(client: Client) -> None:
        assert (await error(client, "operator_fault", kind="kill"))["code"] == "unauthorized"

    in_memory(runtime_dir, session, control=True)


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("operator_ticket", {}, "id: Field required"),
        ("operator_ticket", {"id": "seven"}, "id: .*integer"),
        ("operator_ticket", {"id": 10**30}, "cannot be sent"),
        ("operator_tickets", {"limit": 0}, "limit: .*greater than or equal to 1"),
        ("operator_tickets", {"limit": 101}, "limit: .*less than or equal to 100"),
        ("operator_tickets", {"status": "lost"}, "status: .*'open'"),
        ("operator_workload", {"seconds": 100_000}, "seconds: .*120"),
        ("operator_events", {"topics": ["."]}, "not a topic"),
        ("operator_fault", {"kind": "kill", "countdown": -1}, "countdown: .*0"),
        ("operator_fault", {"kind": "kill", "params": {"size": {"deep": 1}}}, "params"),
        ("operator_fault", {"kind": "kill", "traget": "valkey-1"}, "no parameter 'traget' .*target"),
        ("operator_status", {"verbose": True}, "no parameter 'verbose' .*no parameters"),
        ("operator_approve", {"id": 1, "wait_s": 100_000}, "wait_s: .*600"),
    ],
)
def test_bad_parameters_are_named_and_nothing_is_asked_of_the_daemon(
    runtime_dir: Path, scripted: ScriptedDaemon, tool: str, arguments: dict[str, Any], says: str
) -> None:
    async def session(client: Client) -> None:
        told = await error(client, tool, **arguments)
        assert told["code"] == "bad_request"
        assert re.search(says, f"{told['message']} {told['hint']}")

    in_memory(runtime_dir, session, control=True)
    assert scripted.requests == []


def test_bad_parameters_of_a_coordination_tool_are_told_as_its_contract_says(
    runtime_dir: Path, scripted: ScriptedDaemon
) -> None:
    async def session(client: Client) -> None:
        unknown = await refused(client, "coord_publish_message", msg_type="SHOUT", subject="a", description="b")
        assert unknown.structured_content is not None
        assert unknown.structured_content["success"] is False
        assert unknown.structured_content["error"] == "Invalid message type: SHOUT"
        assert len(unknown.structured_content["valid_types"]) == 26
        missing = await refused(client, "coord_publish_message", msg_type="GENERAL", subject="a")
        assert missing.structured_content == {"success": False, "error": "description: Field required"}

    in_memory(runtime_dir, session)
    assert scripted.requests == []


def test_an_agent_without_a_name_reads_and_cannot_write(runtime_dir: Path, scripted: ScriptedDaemon) -> None:
    scripted.on("messages", lambda _: {"messages": []})

    async def session(client: Client) -> None:
        assert (await call(client, "coord_check_messages"))["count"] == 0
        told = await refused(client, "coord_publish_message", msg_type="GENERAL", subject="a", description="b")
        assert told.structured_content is not None
        assert "--instance NAME" in told.structured_content["hint"]

    in_memory(runtime_dir, session, instance="")
    assert scripted.asked("publish") == []


def test_a_page_of_tickets_ends_where_it_would_get_too_long_and_says_how_to_go_on(
    runtime_dir: Path, scripted: ScriptedDaemon
) -> None:
    many = [replace(bodies.ticket(number, diagnosed=True), message="m" * 5_000) for number in range(100, 0, -1)]

    def listed(args: Body) -> Body:
        before = args["before"] or 101
        return {"tickets": [to_body(one) for one in many if one.id < before][: args["limit"]], "next": None}

    scripted.on("tickets", listed)

    async def session(client: Client) -> None:
        seen: list[int] = []
        before = None
        while True:
            page = await call(client, "operator_tickets", limit=100, before=before)
            assert len(text(await client.call_tool("operator_tickets", {"limit": 100}))) < 2 * MAX_BYTES
            seen += [ticket["id"] for ticket in page["tickets"]]
            if (before := page["next"]) is None:
                break
        assert seen == list(range(100, 0, -1))

    in_memory(runtime_dir, session)


def test_evidence_is_cut_to_size_and_what_is_cited_stays(runtime_dir: Path, scripted: ScriptedDaemon) -> None:
    evidence = [EvidenceItem(number, "log", f"{number} " + "x" * 2_000) for number in range(1, 201)]
    diagnosis = replace(bodies.diagnosis(), evidence=evidence, cited=[199, 200], markdown="m" * 500_000)
    ticket = replace(bodies.ticket(7), diagnosis=diagnosis)
    scripted.on("ticket", lambda _: {"ticket": to_body(ticket)})

    async def session(client: Client) -> None:
        answer = await call(client, "operator_ticket", id=7)
        told = answer["ticket"]["diagnosis"]
        ids = [item["id"] for item in told["evidence"]]
        assert ids == sorted(ids)
        assert {199, 200} < set(ids)
        assert len(ids) + answer["evidence_left_out"] == 200
        assert told["evidence"][0]["text"].endswith("characters more)")
        assert len(str(answer)) < MAX_BYTES

    in_memory(runtime_dir, session)


def test_events_are_the_newest_that_match_each_on_a_line(runtime_dir: Path, scripted: ScriptedDaemon) -> None:
    for number in range(30):
        scripted.publish("violation.opened", bodies.violation(number=number))
        scripted.publish("process.monitor.log", {"stream": "stdout", "line": f"line {number}", "dropped": 0})

    async def session(client: Client) -> None:
        newest = await call(client, "operator_events", limit=10)
        assert {event["topic"] for event in newest["events"]} == {"violation.opened"}
        assert [len(newest["events"]), newest["left_out"]] == [10, 20]
        assert [event["seq"] for event in newest["events"]] == sorted(event["seq"] for event in newest["events"])
        logs = await call(client, "operator_events", topics=["process.monitor.log"], limit=2)
        assert [event["text"] for event in logs["events"]] == ["line 28", "line 29"]
        none = await call(client, "operator_events", after=newest["now"] + 60)
        assert none["events"] == []

    in_memory(runtime_dir, session)


def test_a_refusal_of_the_daemon_keeps_its_code_and_its_hint(runtime_dir: Path, scripted: ScriptedDaemon) -> None:
    def fault(_: Body) -> Body:
        raise Conflict("shard-0 would lose its last copy", "recover first: operatorctl recover")

    scripted.on("fault", fault)

    async def session(client: Client) -> None:
        told = await error(client, "operator_fault", kind="kill", target="valkey-0")
        assert told == {
            "code": "conflict",
            "message": "shard-0 would lose its last copy",
            "hint": "recover first: operatorctl recover",
            "retryable": False,
        }

    in_memory(runtime_dir, session, control=True)


def test_parameters_of_a_fault_reach_the_daemon_as_its_command_has_them(
    runtime_dir: Path, scripted: ScriptedDaemon
) -> None:
    fault = {"id": "f1", "kind": "slow", "target": "valkey-1", "state": "active", "owed": True}
    scripted.on("fault", lambda _: {"fault": fault})

    async def session(client: Client) -> None:
        answer = await call(
            client, "operator_fault", kind="slow", target="valkey-1", countdown=0, for_s=1.5, params={"percent": 50}
        )
        assert (answer["fault"]["id"], answer["fault"]["owed"]) == ("f1", True)

    in_memory(runtime_dir, session, control=True)
    assert scripted.asked("fault") == [
        {"kind": "slow", "target": "valkey-1", "countdown": 0, "for": 1.5, "params": {"percent": 50}}
    ]


def test_an_approval_that_takes_longer_than_the_caller_waits_is_answered_as_under_way(
    runtime_dir: Path, scripted: ScriptedDaemon
) -> None:
    running = to_body(Action(3, 7, "start_server", "valkey-1", "running"))

    def approve(_: Body) -> Body:
        raise DeadlineExceeded("approve was not done within 1 s", "it goes on; follow it with: events -f")

    scripted.on("approve", approve)
    scripted.on("action", lambda _: {"action": running, "waits_for": ""})

    async def session(client: Client) -> None:
        answer = await call(client, "operator_approve", id=3, wait_s=1)
        assert (answer["over"], answer["action"]["status"]) == (False, "running")

    in_memory(runtime_dir, session, control=True)


def test_a_daemon_that_is_not_there_is_told_and_one_that_starts_later_is_found(runtime_dir: Path) -> None:
    async def session(client: Client) -> None:
        for tool, arguments in (
            ("operator_status", {}),
            ("operator_recover", {}),
            ("operator_fault", {"kind": "kill"}),
        ):
            told = await error(client, tool, **arguments)
            assert "no daemon answers" in told["message"]
            assert "operatord start" in told["hint"]
        absent = await refused(client, "coord_check_messages")
        assert absent.structured_content is not None
        assert absent.structured_content["success"] is False
        assert "no daemon answers" in absent.structured_content["error"]
        with ScriptedDaemon(runtime_dir) as late:
            late.on("tickets", lambda _: {"tickets": [], "next": None})
            assert (await call(client, "operator_tickets"))["tickets"] == []
        with ScriptedDaemon(runtime_dir) as again:
            again.on("tickets", lambda _: {"tickets": [to_body(bodies.ticket(9))], "next": None})
            assert [ticket["id"] for ticket in (await call(client, "operator_tickets"))["tickets"]] == [9]

    in_memory(runtime_dir, session, control=True)


def test_an_answer_that_this_version_does_not_know_is_told_as_that(runtime_dir: Path, scripted: ScriptedDaemon) -> None:
    strange = to_body(bodies.ticket(1)) | {"status": "pondering"}
    scripted.on("tickets", lambda _: {"tickets": [strange], "next": None})

    async def session(client: Client) -> None:
        told = await error(client, "operator_tickets")
        assert told["code"] == "internal"
        assert "pondering" in told["message"]
        assert "different versions" in told["hint"]

    in_memory(runtime_dir, session)


@pytest.mark.soak
def test_a_daemon_that_dies_under_a_fault_is_told_before_the_deadline(
    runtime_dir: Path, scripted: ScriptedDaemon
) -> None:
    def fault(_: Body) -> Generator[float, None, Body]:
        yield 3600.0
        return {}

    scripted.on("fault", fault)

    async def session(client: Client) -> None:
        asked = asyncio.ensure_future(error(client, "operator_fault", kind="kill"))
        while not scripted.asked("fault"):
            await asyncio.sleep(0.02)
        scripted.stop()
        assert "stopped answering before fault was done" in (await asked)["message"]

    in_memory(runtime_dir, session, control=True)


def test_the_page_lists_every_tool_with_its_parameters(runtime_dir: Path) -> None:
    rows = dict(re.findall(r"^\| `((?:operator|coord)_\w+)` \| (.*?) \|", PAGE, re.MULTILINE))
    offered = tools(runtime_dir, control=True)
    assert set(rows) == set(offered)
    for name, tool in offered.items():
        required = set(tool.input_schema.get("required", []))
        expected = [f"`{key}`" + ("*" if key in required else "") for key in tool.input_schema["properties"]]
        assert re.findall(r"`\w+`\*?", rows[name]) == expected, name
