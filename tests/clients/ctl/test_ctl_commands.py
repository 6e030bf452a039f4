"""The subcommands that ask once: what they send, what they print as text and as JSON."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from tests.clients import bodies
from tests.clients.ctl.conftest import Ctl
from tests.clients.scripted import Script, ScriptedDaemon, any_json

from operator_clients.ctl.tickets import STATUSES
from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, NotFound
from operator_protocol.models import TicketStatus
from operator_protocol.records import to_body


def test_status_shows_cluster_load_demo_and_what_is_owed(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("status", lambda _: bodies.status())
    done = ctl("status")
    assert (done.returncode, done.stderr) == (0, "")
    for part in (
        "operatord 0.1.0 · valkey · pid 4242 · up 1 min 15 s",
        "healthy, 6 of 6 nodes up",
        "1,998 ops/s (baseline 2,000 ops/s",
        "Stage 2: Load Generation (chapter 2 of 7)",
        "1 owed: kill valkey-1 (active, id f1)",
        "critical node_down: valkey-1 does not answer",
        "1 open ticket",
        "valkey-5  replica  shard-2  up     127.0.0.1:7005",
        "next start in 0.5 s",
    ):
        assert part in done.stdout
    assert "\x1b" not in done.stdout


def test_status_of_a_daemon_that_has_not_looked_yet_has_no_tables(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    empty: Body = {"health": None, "workload": {"running": False}, "faults": [], "violations": [], "processes": []}
    daemon.on("status", lambda _: bodies.status() | empty)
    done = ctl("status")
    assert done.returncode == 0
    assert "unknown, 0 of 0 nodes up" in done.stdout
    assert "not running" in done.stdout
    assert "none owed" in done.stdout


def test_json_is_the_daemons_document_whether_the_option_stands_before_or_behind_the_command(
    daemon: ScriptedDaemon, ctl: Ctl
) -> None:
    document = bodies.status()
    daemon.on("status", lambda _: document)
    assert any_json(ctl("status", "--json").stdout) == document
    assert any_json(ctl("--json", "status").stdout) == document


def test_endpoint_option_wins_over_the_environment(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("status", lambda _: bodies.status())
    elsewhere = {"OPERATOR_ENDPOINT": "/nonexistent"}
    assert ctl("--endpoint", str(daemon.directory), "status", env=elsewhere).returncode == 0
    assert ctl("status", f"--endpoint={daemon.directory}", env=elsewhere).returncode == 0


def test_processes_lists_why_a_process_is_not_running(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    gone = bodies.process("valkey-2", "stopped", kind="server", pid=None, signal=9, rss=None)
    lives = bodies.process(rss=17 << 20, descriptors=14, threads=3)
    daemon.on("processes", lambda _: {"processes": [to_body(lives), to_body(gone)]})
    done = ctl("processes")
    assert re.search(r"FDS +THR\n.* 14 +3\n", done.stdout)
    assert "monitor" in done.stdout
    assert "17.0 MiB" in done.stdout
    assert "ended by signal 9" in done.stdout
    assert any_json(ctl("processes", "--json").stdout)["processes"][1]["name"] == "valkey-2"


def test_processes_shows_the_last_lines_of_one_that_failed(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    lines = [f"line {number}" for number in range(20)]
    failed = bodies.process("api", "failed", kind="declared", pid=None, reason="given up", last_lines=[*lines, "\x07!"])
    trying = bodies.process("web", "backoff", kind="declared", pid=None, last_lines=["not shown yet"])
    daemon.on("processes", lambda _: {"processes": [to_body(failed), to_body(trying)]})
    shown = ctl("processes").stdout
    assert shown.splitlines()[-6:] == ["The last lines of api:", *(f"  {one}" for one in (*lines[-4:], "\\x07!"))]
    assert "not shown yet" not in shown


@pytest.mark.parametrize("command", ["restart", "stop"])
def test_restart_and_stop_wait_for_the_outcome(daemon: ScriptedDaemon, ctl: Ctl, command: str) -> None:
    def work(args: Body) -> Script:
        yield 0.1
        return {"process": to_body(bodies.process(str(args["name"])))}

    daemon.on(command, work)
    done = ctl(command, "monitor")
    assert (done.returncode, done.stdout) == (0, "monitor is ready (pid 4711)\n")
    assert daemon.asked(command) == [{"name": "monitor"}]


@pytest.mark.parametrize(
    ("words", "cmd", "args"),
    [
        (("next",), "next", {}),
        (("previous",), "previous", {}),
        (("goto", "4"), "goto", {"chapter": 4}),
        (("goto", "Stage", "2"), "goto", {"chapter": "Stage 2"}),
    ],
)
def test_chapters_are_asked_for_and_shown(
    daemon: ScriptedDaemon, ctl: Ctl, words: tuple[str, ...], cmd: str, args: dict[str, object]
) -> None:
    daemon.on(cmd, lambda _: {"chapter": to_body(bodies.chapter(4, title="Stage 4: Detection", busy=True))})
    done = ctl(*words)
    assert (done.returncode, done.stdout) == (0, "4  Stage 4: Detection (busy)\n   What you see is real.\n")
    assert daemon.asked(cmd) == [args]
    assert any_json(ctl(*words, "--json").stdout)["chapter"]["index"] == 4


def test_tickets_passes_its_filters_on(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("tickets", lambda _: {"tickets": [to_body(bodies.ticket())]})
    done = ctl("tickets", "--status", "open", "--limit", "5")
    assert "7   open    critical  node_down  valkey-1" in done.stdout
    assert daemon.asked("tickets") == [{"status": "open", "limit": 5}]


def test_the_tickets_of_all_hosts_are_told_apart_and_the_next_page_is_named(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    one = to_body(bodies.ticket()) | {"host": "db-1", "cluster": "shop"}
    daemon.on("tickets", lambda _: {"tickets": [one], "next": 7})
    done = ctl("tickets", "--everywhere", "--status", "reopened", "--before", "9")
    assert "db-1  shop     7   open" in done.stdout
    assert "--before 7" in done.stderr
    assert daemon.asked("tickets") == [{"reopened": True, "before": 9, "everywhere": True, "limit": 20}]


@pytest.mark.parametrize(
    ("words", "cmd", "args"),
    [
        (("hold", "7", "--note", "mine"), "hold", {"id": 7, "note": "mine"}),
        (("resolve", "7"), "resolve", {"id": 7, "note": ""}),
        (("reopen", "7"), "reopen", {"id": 7, "note": ""}),
        (("note", "7", "it", "is fine"), "note", {"id": 7, "text": "it is fine"}),
    ],
)
def test_what_people_do_with_a_ticket_is_asked_for_and_told(
    daemon: ScriptedDaemon, ctl: Ctl, words: tuple[str, ...], cmd: str, args: dict[str, object]
) -> None:
    daemon.on(cmd, lambda _: {"ticket": to_body(bodies.ticket()), "message": "a remark"})
    done = ctl(*words)
    assert (done.returncode, done.stdout) == (0, "ticket 7 is open\na remark\n")
    assert daemon.asked(cmd) == [args]


def test_an_export_asks_page_by_page(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    def page(args: Mapping[str, Any]) -> Body:
        number = 9 if args["before"] is None else 8
        record = {"ticket": to_body(bodies.ticket(number)), "violation": "v", "history": []}
        return {"records": [record], "next": 9 if number == 9 else None}

    daemon.on("export", page)
    document = any_json(ctl("tickets", "export", "--status", "open").stdout)
    assert [record["ticket"]["id"] for record in document["records"]] == [9, 8]
    assert daemon.asked("export") == [
        {"status": "open", "before": None, "limit": 100},
        {"status": "open", "before": 9, "limit": 100},
    ]


def test_no_tickets_is_said(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("tickets", lambda _: {"tickets": []})
    assert ctl("tickets").stdout == "no tickets\n"
    assert any_json(ctl("tickets", "--json").stdout) == {"tickets": []}


def test_the_ticket_statuses_are_those_of_the_wire() -> None:
    assert TicketStatus.__args__ == STATUSES  # type: ignore[attr-defined]  # a Literal has its members there


def test_ticket_shows_the_diagnosis_and_its_absence(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("ticket", lambda args: {"ticket": to_body(bodies.ticket(diagnosed=args["id"] == 7))})
    assert "**valkey-1** was killed." in ctl("ticket", "7").stdout
    assert "not diagnosed yet; ask for it with: operatorctl diagnose" in ctl("ticket", "8").stdout
    assert any_json(ctl("ticket", "7", "--json").stdout)["ticket"]["diagnosis"]["cause"] == "process_killed"


def test_diagnose_without_a_number_leaves_the_choice_to_the_daemon(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("diagnose", lambda _: {"ticket": to_body(bodies.ticket(diagnosed=True))})
    done = ctl("diagnose", "--json")
    assert any_json(done.stdout)["ticket"]["id"] == 7
    assert daemon.asked("diagnose") == [{"ticket": None}]


def test_workload_starts_paces_shows_and_stops(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    running = {"running": True, "rate": 3000.0, "command": "YCSB A", "sample": to_body(bodies.sample(2990.0, 120))}
    idle = {"running": False, "rate": None, "command": "", "sample": None}
    daemon.on("workload", lambda args: idle if args["action"] == "stop" else running)
    assert "target 3,000 ops/s" in ctl("workload", "start").stdout
    assert "now 2,990 ops/s" in ctl("workload", "rate", "3,000").stdout
    assert any_json(ctl("workload", "show", "--json").stdout) == running
    assert ctl("workload", "stop").stdout == "the load is not running\n"
    sent = [{"action": "start"}, {"action": "rate", "rate": 3000.0}, {"action": "show"}, {"action": "stop"}]
    assert daemon.asked("workload") == sent


def test_a_refusal_is_one_line_with_the_hint_and_exit_code_1(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    def refuse(_args: Body) -> Body:
        raise NotFound("no chapter 'Stage 99'", "there are Welcome, Stage 1")

    daemon.on("goto", refuse)
    done = ctl("goto", "Stage", "99")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "operatorctl: no chapter 'Stage 99' (there are Welcome, Stage 1)\n"
    refused = ctl("goto", "Stage", "99", "--json")
    assert refused.returncode == 1
    assert any_json(refused.stdout)["error"] == {
        "code": "not_found",
        "message": "no chapter 'Stage 99'",
        "hint": "there are Welcome, Stage 1",
        "retryable": False,
    }


def test_a_long_command_that_fails_later_exits_1_too(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    def fail(_args: Body) -> Script:
        yield 0.1
        raise Conflict("the process is failing too often")

    daemon.on("restart", fail)
    done = ctl("restart", "monitor")
    assert (done.returncode, done.stderr) == (1, "operatorctl: the process is failing too often\n")


def test_a_reply_that_makes_no_sense_is_one_line_not_a_traceback(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("status", lambda _: {"uptime": "since yesterday"})
    done = ctl("status")
    assert done.returncode == 1
    assert done.stderr.startswith("operatorctl: ValueError: ")
    assert done.stderr.count("\n") == 1


def test_control_characters_from_the_wire_do_not_reach_the_terminal(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("processes", lambda _: {"processes": [to_body(bodies.process(reason="\x1b[2Jgone\x07"))]})
    assert "\\x1b[2Jgone\\x07" in ctl("processes").stdout


def _same(body: Body, _args: Body) -> Body:
    return body


def test_status_tells_how_far_the_database_of_several_hosts_is(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    where = "postgresql://db.example/tickets"
    told: list[tuple[Body | None, str]] = [
        (None, "1 open ticket\n"),
        ({"database": where, "unsent": 0, "error": ""}, f"1 open ticket; all sent to {where}"),
        ({"database": where, "unsent": 3, "error": ""}, f"; 3 changes not sent yet to {where}\n"),
        ({"database": where, "unsent": 1, "error": "refused"}, f"; 1 change not sent yet to {where}: refused"),
        ({"database": where, "unsent": None, "error": "refused"}, f"how much of it not sent yet to {where}: refused"),
        ({"database": where, "unsent": None, "error": ""}, f"; {where} has not answered yet"),
    ]
    for shared, line in told:
        status: Body = bodies.status() | {"tickets_shared": shared}
        daemon.on("status", partial(_same, status))
        assert line in ctl("status").stdout


def test_a_ticket_says_which_of_its_actions_waits_for_a_person(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    ticket = to_body(bodies.ticket(7, diagnosed=True))
    waiting = {"id": 3, "kind": "start_server", "target": "valkey-1", "status": "proposed"}
    daemon.on("ticket", lambda _: {"ticket": ticket, "actions": [waiting]})
    assert "action 3, start_server valkey-1, is proposed: operatorctl approve 3" in ctl("ticket", "7").stdout
