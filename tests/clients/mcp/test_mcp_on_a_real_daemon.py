"""Sessions of the official client with a real daemon on the embedded subject."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mcp import Client
from tests.clients.mcp.sessions import call, error, in_memory, over_stdio, refused
from tests.e2e.real_daemon import RealDaemon

from operator_protocol.coordination import MESSAGE_TYPES
from operator_protocol.requests import Requester


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    """One for all of them; each leaves the cluster as it found it."""
    real = RealDaemon(tmp_path_factory.mktemp("d"))
    real.start()
    yield real
    real.end()


def described(msg_type: str, activity: str) -> str:
    """What a message of that type says; the four that tell of an operation say it in JSON."""
    said: dict[str, dict[str, object]] = {
        "DEVOPS_STARTED": {"operation": "Deploy", "steps": ["pull", "apply"]},
        "DEVOPS_STEP_UPDATE": {"step": "pull", "status": "running"},
        "DEVOPS_COMPLETE": {},
        "DEVOPS_FAILED": {"error": "no space left"},
    }
    return json.dumps({"activity_id": activity} | said[msg_type]) if msg_type in said else f"about {msg_type}"


def test_an_agent_sees_the_cluster_the_load_and_what_could_be_broken(daemon: RealDaemon) -> None:
    async def session(client: Client) -> None:
        status = await call(client, "operator_status")
        assert (status["subject"], status["cluster"]["nodes_total"]) == ("valkey", 6)
        nodes = (await call(client, "operator_nodes"))["nodes"]
        assert {node["id"] for node in nodes} == {f"valkey-{number}" for number in range(6)}
        assert {node["role"] for node in nodes} == {"primary", "replica"}
        assert set(await call(client, "operator_workload", seconds=5)) == {"now", "workload", "seconds"}
        assert "kill" in {kind["name"] for kind in (await call(client, "operator_faults"))["kinds"]}
        assert (await call(client, "operator_actions"))["kinds"]
        assert isinstance((await call(client, "operator_tickets"))["tickets"], list)
        assert (await error(client, "operator_ticket", id=4711))["code"] == "not_found"

    in_memory(daemon.runtime_dir, session)


@pytest.mark.parametrize("run", [in_memory, over_stdio])
def test_an_agent_publishes_reads_back_and_acknowledges(daemon: RealDaemon, run: Callable[..., None]) -> None:
    name = f"tester-{run.__name__}"

    async def session(client: Client) -> None:
        published = await call(
            client, "coord_publish_message", msg_type="READY_FOR_REVIEW", subject="P1", description="it is ready"
        )
        assert set(published) == {"success", "message_id", "type", "from", "to", "timestamp", "requires_ack"}
        assert (published["success"], published["from"], published["to"]) == (True, name, "orchestrator")
        pending = await call(client, "coord_check_messages", from_instance=name, pending_only=True)
        assert (pending["success"], pending["count"]) == (True, 1)
        (message,) = pending["messages"]
        assert message == {
            "id": published["message_id"],
            "type": "READY_FOR_REVIEW",
            "from": name,
            "to": "orchestrator",
            "timestamp": published["timestamp"],
            "requires_ack": True,
            "acknowledged": False,
            "payload": {"subject": "P1", "description": "it is ready"},
        }
        done = await call(client, "coord_ack_message", message_id=message["id"], comment='{"seen": true}')
        assert done == {"success": True, "message_id": message["id"], "acknowledged_by": name}
        assert (await call(client, "coord_check_messages", from_instance=name, pending_only=True))["count"] == 0
        (known,) = (await call(client, "coord_check_messages", from_instance=name, limit=5_000))["messages"]
        assert (known["acknowledged"], known["ack_by"], known["ack_comment"]) == (True, name, '{"seen": true}')
        assert known["ack_timestamp"] >= published["timestamp"]
        missing = await refused(client, "coord_ack_message", message_id="msg-00000000")
        assert "msg-00000000" in (missing.structured_content or {})["error"]

    arguments = {"instance": name} if run is in_memory else {}
    run(daemon.runtime_dir, session, *([] if arguments else ["--instance", name]), **arguments)


def test_all_26_types_of_message_are_taken_and_told_back(daemon: RealDaemon) -> None:
    assert len(MESSAGE_TYPES) == 26

    async def session(client: Client) -> None:
        await call(
            client,
            "coord_publish_message",
            msg_type="DEVOPS_STARTED",
            subject="a",
            requires_ack=False,
            description=described("DEVOPS_STARTED", "mcp-2"),
            to_instance="all",
        )
        for msg_type in MESSAGE_TYPES:
            activity = "mcp-2" if msg_type == "DEVOPS_FAILED" else "mcp-1"
            published = await call(
                client,
                "coord_publish_message",
                msg_type=msg_type,
                subject=msg_type.lower(),
                description=described(msg_type, activity),
                to_instance="everybody",
                requires_ack=False,
            )
            assert (published["type"], published["requires_ack"]) == (msg_type, False)
            found = await call(client, "coord_check_messages", msg_type=msg_type, to_instance="everybody")
            assert [one["id"] for one in found["messages"]] == [published["message_id"]]
        wrong = await refused(
            client, "coord_publish_message", msg_type="DEVOPS_STARTED", subject="a", description="Payload: {}"
        )
        assert "activity_id" in (wrong.structured_content or {})["hint"]

    in_memory(daemon.runtime_dir, session, instance="typist")
    with Requester(daemon.endpoint) as requester:
        recent = requester.command("devops")["recent"]
    activities = {one["id"]: one["status"] for one in recent}
    assert {"mcp-1": "completed", "mcp-2": "failed"}.items() <= activities.items()


def test_notifications_are_told_once_to_whom_the_message_was_for(daemon: RealDaemon) -> None:
    async def publish(client: Client) -> None:
        for subject in ("one", "two"):
            await call(
                client, "coord_publish_message", msg_type="GENERAL", subject=subject, description="-", to_instance="b"
            )

    async def take(client: Client) -> None:
        first = await call(client, "coord_get_notifications", limit=1)
        rest = await call(client, "coord_get_notifications")
        assert [first["count"], rest["count"]] == [1, 1]
        (told,) = first["notifications"]
        assert (told["event"], told["from"], told["to"], told["type"]) == ("message_published", "a", "b", "GENERAL")
        assert (await call(client, "coord_get_notifications"))["notifications"] == []

    in_memory(daemon.runtime_dir, publish, instance="a")
    in_memory(daemon.runtime_dir, take, instance="b")


def test_presence_is_registered_kept_alive_and_taken_back(daemon: RealDaemon) -> None:
    async def session(client: Client) -> None:
        registered = await call(client, "coord_register_presence", role="backend", session_id="s1")
        assert registered == {
            "success": True,
            "role": "backend",
            "session_id": "s1",
            "registered_at": registered["registered_at"],
        }
        beat = await call(client, "coord_heartbeat", role="backend")
        assert beat["last_heartbeat"] >= registered["registered_at"]
        there = (await call(client, "coord_get_presence"))["instances"]["backend"]
        assert (there["instance_id"], there["active"], there["stale"]) == ("backend", True, False)
        assert there["seconds_since_heartbeat"] < 300
        assert await call(client, "coord_deregister_presence", role="backend") == {"success": True, "role": "backend"}
        assert "backend" not in (await call(client, "coord_get_presence"))["instances"]

    in_memory(daemon.runtime_dir, session)


@pytest.mark.parametrize("run", [in_memory, over_stdio])
def test_a_fault_is_refused_without_rights_and_run_and_undone_with_them(
    daemon: RealDaemon, run: Callable[..., None]
) -> None:
    async def without(client: Client) -> None:
        assert "--control" in (await error(client, "operator_fault", kind="pause", countdown=0))["hint"]
        assert (await call(client, "operator_status"))["faults"] == []

    async def with_rights(client: Client) -> None:
        fault = (await call(client, "operator_fault", kind="pause", target="replica", countdown=0))["fault"]
        assert (fault["state"], fault["role"], fault["owed"]) == ("active", "replica", True)
        assert [one["id"] for one in (await call(client, "operator_status"))["faults"]] == [fault["id"]]
        injected = await call(client, "operator_events", topics=["fault.injected"], limit=1)
        assert fault["target"] in injected["events"][0]["text"]
        undone = await call(client, "operator_recover", id=fault["id"])
        assert [(one["id"], one["state"]) for one in undone["recovered"]] == [(fault["id"], "recovered")]
        assert (await call(client, "operator_recover"))["recovered"] == []

    run(daemon.runtime_dir, without)
    if run is in_memory:
        in_memory(daemon.runtime_dir, with_rights, control=True)
    else:
        over_stdio(daemon.runtime_dir, with_rights, "--control")
    audit = [json.loads(line) for line in (daemon.state_dir / "audit.log").read_text().splitlines()]
    assert any(one.get("cmd") == "fault" and str(one["actor"]).startswith("mcp ") for one in audit)


@pytest.mark.soak
def test_an_agent_follows_a_failure_to_its_diagnosis_and_approves_the_repair(daemon: RealDaemon) -> None:
    async def session(client: Client) -> None:
        fault = (await call(client, "operator_fault", kind="kill", countdown=0))["fault"]
        proposed: list[dict[str, Any]] = []
        async with asyncio.timeout(60):
            while not (proposed := (await call(client, "operator_actions", status="proposed"))["actions"]):
                await asyncio.sleep(0.1)
        action = proposed[0]
        assert (action["kind"], action["target"]) == ("start_server", fault["target"])
        ticket = await call(client, "operator_ticket", id=action["ticket"], history=True)
        assert ticket["ticket"]["diagnosis"]["cause"] == "process_killed"
        assert ticket["ticket"]["diagnosis"]["evidence"]
        assert ticket["history"]
        done = await call(client, "operator_approve", id=action["id"], wait_s=60)
        assert (done["over"], done["action"]["status"]) == (True, "succeeded"), done["action"]["result"]
        assert (await error(client, "operator_reject", id=action["id"]))["code"] == "conflict"
        async with asyncio.timeout(60):
            while not (await call(client, "operator_status"))["cluster"]["ok"]:
                await asyncio.sleep(0.1)

    in_memory(daemon.runtime_dir, session, control=True)


def test_a_session_outlives_its_daemon_and_the_messages_do_so_too(daemon: RealDaemon) -> None:
    async def session(client: Client) -> None:
        sent = await call(client, "coord_publish_message", msg_type="SESSION_START", subject="s", description="d")
        await asyncio.to_thread(daemon.stop)
        assert "no daemon answers" in (await error(client, "operator_status"))["message"]
        await asyncio.to_thread(daemon.start)
        assert (await call(client, "operator_status"))["cluster"]["nodes_total"] == 6
        (kept,) = (await call(client, "coord_check_messages", from_instance="survivor"))["messages"]
        assert kept["id"] == sent["message_id"]

    over_stdio(daemon.runtime_dir, session, "--instance", "survivor")
