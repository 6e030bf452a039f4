"""Defects of an earlier agent of this kind, each named after what it would have done."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.standins.claude import Api, Json, Reply, diagnosis, message, tool_use
from tests.supervisor.workers import agent_cases as cases

from operator_protocol.codec import Body
from operator_protocol.errors import DeadlineExceeded
from operator_protocol.models import Diagnosis, Ticket, Violation
from operatord.rpc import PendingRequests
from operatord.tickets.db import TicketDB
from operatord.tickets.desk import TicketDesk
from operatord.workers.agent.claude.tools import DEFINITIONS

from .asking import ask, settings, texts

ROOT = Path(__file__).resolve().parents[3]
VIOLATION = Violation("v-1", "node_down", "valkey-0", "critical", "gone", cases.T0, cases.T0)
DIAGNOSIS = Diagnosis("it was killed", "valkey-0", "process_killed", "signal 9", 0.9, "rules")


def test_1_the_agent_could_not_start_from_a_clone(tmp_path: Path) -> None:
    """A module that it imports was never committed, in 640 commits: what git has, or would take, must be enough."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        listed = [str(path.relative_to(ROOT)) for path in (ROOT / "supervisor").rglob("*.py")]
        listed += [str(path.relative_to(ROOT)) for path in (ROOT / "protocol").rglob("*.py")]
    else:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "supervisor", "protocol"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in listed:
        if name.endswith(".py") and (ROOT / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    code = (
        "import pkgutil, importlib, operatord.workers.agent as a\n"
        "names = [m.name for m in pkgutil.walk_packages(a.__path__, a.__name__ + '.')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(a.__file__, len(names))"
    )
    paths = os.pathsep.join((str(tmp_path / "supervisor"), str(tmp_path / "protocol")))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
    assert int(done.stdout.split()[-1]) > 30


@pytest.fixture
def desk(tmp_path: Path) -> TicketDesk:
    return TicketDesk(TicketDB(tmp_path / "tickets.sqlite"), lambda _topic, _body: None)


def test_8_a_ticket_was_resolved_because_the_model_had_stopped_talking(desk: TicketDesk) -> None:
    ticket = desk.opened(VIOLATION)
    desk.begin_diagnosis(ticket.id)
    assert desk.attach_diagnosis(ticket.id, DIAGNOSIS).status == "diagnosed"
    ended = desk.closed(VIOLATION)
    assert ended is not None
    assert (ended.status, ended.diagnosis) == ("resolved", DIAGNOSIS)


def test_8_an_escalated_ticket_was_reopened_at_every_look_for_ever(desk: TicketDesk) -> None:
    ticket = desk.opened(VIOLATION)
    desk.set_status(ticket.id, "escalated")
    for _ in range(3):
        assert desk.opened(VIOLATION).status == "escalated"
    assert desk.attach_diagnosis(ticket.id, DIAGNOSIS).status == "escalated"


def test_8_a_crash_left_a_ticket_in_hand_that_nobody_held(tmp_path: Path) -> None:
    first = TicketDesk(TicketDB(tmp_path / "tickets.sqlite"), lambda _topic, _body: None)
    first.begin_diagnosis(first.opened(VIOLATION).id)
    published: list[Body] = []
    second = TicketDesk(TicketDB(tmp_path / "tickets.sqlite"), lambda _topic, body: published.append(body))
    (ticket,) = second.resume()
    assert isinstance(ticket, Ticket)
    assert ticket.status == "open"
    assert "diagnosing was interrupted" in ticket.notes[-1]


def test_8_a_wait_that_ran_out_looked_like_an_answer_of_nothing() -> None:
    async def ask_nobody() -> None:
        with pytest.raises(DeadlineExceeded, match="the agent worker did not answer"):
            await PendingRequests().ask("the agent worker", "diagnose", {}, send=lambda _data: True, timeout_s=0.01)

    asyncio.run(ask_nobody())


def test_8_local_times_were_compared_with_utc(desk: TicketDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    ticket = desk.note(desk.opened(VIOLATION).id, "seen")
    assert ticket.notes[-1].split()[0].endswith("Z")
    assert abs(ticket.updated_at - ticket.opened_at) < 60


def test_9_answers_of_tools_were_kept_in_one_place_for_all_and_got_lost_or_mixed_up(api: Api) -> None:
    """Two tools at once, and two tickets one after the other: each call gets its own answer, and only that."""

    def script(request: Json, _number: int) -> Reply:
        if "tool_result" in texts(request):
            return diagnosis()
        ticket = texts(request)
        process = "valkey-1" if "valkey-4" in ticket and "valkey-0 (127" not in ticket else "valkey-0"
        two = [tool_use("read_logs", 1, process=process), tool_use("query_metric", 2, node="load", name="ops_per_sec")]
        return message(two, "tool_use")

    api.script = script
    first, second = ask(settings(api), cases.primary_killed(), cases.replica_killed())
    for told, number in ((first, 1), (second, 3)):
        results = [
            part
            for one in api.requests[number]["messages"]
            for part in one["content"]
            if part.get("type") == "tool_result"
        ]
        assert ["wrote at" in one["content"] for one in results] == [True, False]
        assert ["ops_per_sec" in one["content"] for one in results] == [False, True]
        assert told.diagnosis.source == "claude-sonnet-5-5"
    assert len(first.bundle["findings"]) != 0


def test_9_the_agent_had_a_shell_and_the_socket_of_the_engine() -> None:
    names = {tool["name"] for tool in DEFINITIONS}
    assert names == {"query_metric", "read_logs", "list_nodes", "show_state", "recent_observations"}
    source = "".join(path.read_text() for path in (ROOT / "supervisor/operatord/workers/agent").rglob("*.py"))
    for way_out in ("subprocess", "os.system", "docker", "eval(", "exec(", "popen"):
        assert way_out not in source.lower(), way_out
