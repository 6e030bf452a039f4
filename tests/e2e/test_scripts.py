"""A script breaks the cluster and brings it back; exit codes and JSON say how it went."""

import json
import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from operator_protocol.events import FrameSeen
from operator_protocol.follow import Follower
from operator_protocol.records import to_body
from operatord.tickets.db import TicketDB

from .real_daemon import BIN, START_S, RealDaemon, until


@pytest.fixture
def daemon(shared_daemon: RealDaemon) -> RealDaemon:
    """The one of all tests here, once what was broken before is whole again."""

    def whole() -> bool:
        status = shared_daemon.status()
        return status["health"]["ok"] is True and not status["faults"]

    until(whole, "the cluster to be healthy", 60)
    return shared_daemon


def test_fault_wait_recover_is_a_script(daemon: RealDaemon) -> None:
    fault = daemon.ctl("fault", "--countdown", "1", "--json")
    assert fault.returncode == 0, fault.stderr
    injected = json.loads(fault.stdout)["fault"]
    assert injected["role"] == "primary"
    assert injected["state"] == "active"
    wait = daemon.ctl("wait", "violation.opened", "--timeout", "30", "--json")
    assert wait.returncode == 0, wait.stderr
    recover = daemon.ctl("recover", "--json")
    assert recover.returncode == 0, recover.stderr
    recovered = json.loads(recover.stdout)["recovered"][0]
    assert (recovered["state"], recovered["owed"]) == ("recovered", False)
    assert daemon.healthy_status()["faults"] == []
    again = daemon.ctl("recover")
    assert again.returncode == 0
    assert "nothing is owed" in again.stdout + again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["fault", "explode"], 1, "kill"),
        (["fault", "--target", "valkey-9"], 1, "valkey-0"),
        (["fault", "--target", "emperor"], 1, ""),
        (["goto", "Stage 99"], 1, "Welcome"),
        (["goto", "99"], 1, ""),
        (["ticket", "12345"], 1, "12345"),
        (["recover", "nosuch"], 1, "nosuch"),
        (["restart", "nosuch"], 1, "monitor"),
        (["previous"], 1, "first"),
        (["fault", "--countdown", "soon"], 2, ""),
        (["frobnicate"], 2, ""),
        (["workload", "rate"], 2, ""),
        (["wait", "no.such.event"], 2, "violation.opened"),
        (["wait", "fault.injected", "--timeout", "0.2"], 4, ""),
    ],
)
def test_what_cannot_be_done_is_one_clear_line_and_the_right_exit_code(
    shared_daemon: RealDaemon, arguments: list[str], code: int, says: str
) -> None:
    done = shared_daemon.ctl(*arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_without_isolation_a_network_fault_is_refused_with_what_to_do(shared_daemon: RealDaemon) -> None:
    refused = shared_daemon.ctl("fault", "partition", "--countdown", "0")
    assert refused.returncode == 1
    assert "start the daemon with --isolate" in refused.stderr
    listed = shared_daemon.ctl("faults", check=True).stdout
    assert "missing: start the daemon with --isolate" in " ".join(listed.split())


def test_breaking_a_majority_or_the_last_copy_is_refused_unless_forced(daemon: RealDaemon) -> None:
    daemon.ctl("fault", "pause", "--target", "valkey-3", "--countdown", "0", check=True)
    refused = daemon.ctl("fault", "pause", "--target", "valkey-0", "--countdown", "0")
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    assert daemon.ctl("fault", "pause", "--target", "valkey-0", "--countdown", "0", "--force").returncode == 0
    daemon.ctl("recover", check=True)
    daemon.healthy_status()


def test_a_server_killed_from_outside_stays_down_until_a_person_restarts_it(daemon: RealDaemon) -> None:
    server = daemon.pid("valkey-4")
    wait = [str(BIN / "operatorctl"), "--endpoint", str(daemon.runtime_dir), "wait", "ticket.opened", "--json"]
    wait += ["--where", "invariant=node_down", "node=valkey-4"]
    with daemon.follower() as follower, subprocess.Popen(wait, stdout=subprocess.PIPE, text=True) as waiting:
        until(partial(sees_followers, follower, 2), "the wait to have begun")
        os.kill(server, signal.SIGKILL)
        told, _ = waiting.communicate(timeout=START_S)
        assert waiting.returncode == 0
        ticket = json.loads(told)["body"]
        assert (ticket["invariant"], ticket["node"]) == ("node_down", "valkey-4")
    assert daemon.status()["tickets_open"] > 0
    assert daemon.process("valkey-4")["state"] != "ready"
    assert daemon.ctl("restart", "valkey-4").returncode == 0
    until(lambda: daemon.status()["health"]["ok"], "the cluster to be healthy")
    until(lambda: daemon.status()["tickets_open"] == 0, "the tickets to be resolved")


def test_what_people_do_with_a_ticket_is_exported_with_it_and_reads_back_equal(
    daemon: RealDaemon, tmp_path: Path
) -> None:
    daemon.ctl("fault", "kill", "--target", "valkey-3", "--countdown", "0", check=True)
    until(lambda: daemon.status()["tickets_open"] > 0, "a ticket")
    daemon.ctl("recover", check=True)
    until(lambda: daemon.status()["tickets_open"] == 0, "the tickets to be resolved")
    (newest,) = json.loads(daemon.ctl("tickets", "--since", "10m", "--limit", "1", "--json", check=True).stdout)[
        "tickets"
    ]
    number = str(newest["id"])
    for words in (("reopen", number), ("hold", number, "--note", "mine"), ("note", number, "the disk", "is fine")):
        daemon.ctl(*words, check=True)
    assert json.loads(daemon.ctl("ticket", number, "--json").stdout)["ticket"]["status"] == "held"
    refused = daemon.ctl("resolve", "4711")
    assert (refused.returncode, "no ticket 4711" in refused.stderr) == (1, True)
    assert "is resolved" in daemon.ctl("resolve", number, check=True).stdout
    assert "**" in daemon.ctl("ticket", number, "--export", "markdown", check=True).stdout
    file = tmp_path / "tickets.json"
    daemon.ctl("tickets", "export", "--output", str(file), check=True)
    exported = json.loads(file.read_text())["records"]
    (record,) = [one for one in exported if one["ticket"]["id"] == newest["id"]]
    history = [(event["what"], event["data"].get("to"), event["who"]) for event in record["history"]]
    # The agent may still be at work on it, and has its say between ours; a person is a user with a pid.
    assert [(what, to) for what, to, who in history if "[" in who] == [
        ("status", "open"),
        ("status", "held"),
        ("note", None),
        ("status", "resolved"),
    ]
    assert record["ticket"]["host"]
    state = tmp_path / "state"
    done = subprocess.run(
        [str(BIN / "operatord"), "tickets", "import", str(file), "--state-dir", str(state)],
        capture_output=True,
        text=True,
        check=False,
    )
    tickets = "1 ticket" if len(exported) == 1 else f"{len(exported)} tickets"
    assert (done.returncode, done.stdout.split(" into")[0]) == (0, f"imported {tickets}")
    db = TicketDB(state / "tickets.sqlite")
    assert [to_body(db.record(one["ticket"]["id"])) for one in exported] == exported
    db.close()


def sees_followers(follower: Follower, count: int) -> bool:
    seen = [event.frame for event in follower.poll(0.1) if isinstance(event, FrameSeen)]
    return any(frame.topic == "heartbeat" and frame.body["subscribers"] >= count for frame in seen)


def sees_chapter(follower: Follower, index: int) -> bool:
    follower.poll(0.1)
    return follower.state.demo is not None and follower.state.demo.index == index


def test_two_clients_and_a_script_see_the_same_chapter(daemon: RealDaemon) -> None:
    with daemon.follower() as first, daemon.follower() as second:
        for index in (1, 2):
            assert daemon.ctl("next").returncode == 0
            for follower in (first, second):
                until(partial(sees_chapter, follower, index), f"chapter {index}")
        assert first.state.demo is not None
        assert second.state.demo is not None
        assert first.state.demo.title == second.state.demo.title
        daemon.ctl("goto", "0", check=True)


def test_without_a_daemon_the_command_that_starts_one_is_named(stopped_daemon: RealDaemon) -> None:
    for command in (["status"], ["next"], ["wait", "violation.opened"], ["events", "-f"]):
        done = stopped_daemon.ctl(*command)
        assert done.returncode == 3, command
        assert "operatord start" in done.stderr
    assert stopped_daemon.operatord("stop", check=False).returncode == 3
    assert stopped_daemon.operatord("status", check=False).returncode == 3
