"""The agent acts on the real cluster: alone, or when a person says so, and not when it is switched off."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .real_daemon import BIN, RealDaemon, until


def actions(daemon: RealDaemon) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = daemon.ask("actions")["actions"]
    return listed


def all_told(daemon: RealDaemon, topic: str, **where: object) -> list[dict[str, Any]]:
    """The bodies of such frames on ``topic`` so far; a loaded machine has others."""
    lines = daemon.ctl("events", "--topic", topic, "--json", check=True).stdout.splitlines()
    found = [json.loads(line)["body"] for line in lines]
    return [body for body in found if where.items() <= body.items()]


def told(daemon: RealDaemon, topic: str, **where: object) -> dict[str, Any]:
    """The first of them, as soon as there is one."""
    until(lambda: all_told(daemon, topic, **where), topic, 60.0)
    return all_told(daemon, topic, **where)[0]


def test_an_agent_that_may_execute_repairs_what_was_broken(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    daemon.start("--autonomy", "execute")
    daemon.ctl("fault", "--countdown", "0", check=True)
    finished = told(daemon, "action.finished", kind="start_server")
    assert (finished["status"], finished["decided_by"]) == ("succeeded", "policy execute:safe"), finished["result"]
    assert told(daemon, "fault.recovered")["recovered_by"] == "observation"
    answers = [answer["diagnosis"] for answer in all_told(daemon, "agent.diagnosis", ticket=finished["ticket"])]
    assert [(answer["cause"], answer["preliminary"]) for answer in answers] == [
        ("process_killed", True),
        ("process_killed", False),
    ], "said at once, looked at again, and only then acted upon"
    assert told(daemon, "ticket.resolved", node=finished["target"], invariant="node_down")


def test_an_agent_that_may_execute_leaves_alone_what_a_person_stopped(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    daemon.start("--autonomy", "execute")
    daemon.ctl("stop", "valkey-4", check=True)
    proposed = told(daemon, "action.proposed", kind="start_server", target="valkey-4")
    assert "valkey-4 was stopped by command" in proposed["reason"]
    answers = [answer["diagnosis"] for answer in all_told(daemon, "agent.diagnosis", ticket=proposed["ticket"])]
    assert "stopped by command" in answers[-1]["summary"]
    assert (daemon.process("valkey-4")["state"], daemon.process("valkey-4")["reason"]) == (
        "stopped",
        "stopped by command",
    )
    # What a fault stops is nobody's wish: the agent is told nothing of it, and may start it again.
    daemon.ctl("fault", "stop", "--target", "valkey-5", "--countdown", "0", "--force", check=True)
    finished = told(daemon, "action.finished", kind="start_server", target="valkey-5")
    assert (finished["status"], finished["decided_by"]) == ("succeeded", "policy execute:safe"), finished["result"]
    assert daemon.process("valkey-4")["state"] == "stopped"
    daemon.ctl("approve", str(proposed["id"]), check=True)
    assert daemon.process("valkey-4")["state"] == "ready"


def test_the_kill_switch_holds_between_proposal_and_execution_and_over_a_death(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    daemon.start("--keep-cluster")
    daemon.ctl("fault", "--countdown", "0", check=True)
    proposed = told(daemon, "action.proposed", kind="start_server")
    number = str(proposed["id"])
    switch = daemon.state_dir / "agent.off"
    switch.touch()
    refused = daemon.ctl("approve", number)
    assert refused.returncode == 1
    assert "the agent is off (by hand)" in refused.stderr
    assert "operatorctl agent on" in refused.stderr

    # The daemon and its keeper die; the next one finds the switch thrown, and takes nothing up again.
    daemon.kill_with_keeper()
    daemon.start("--keep-cluster")
    assert "off (by hand)" in daemon.ctl("status", check=True).stdout
    assert [one["status"] for one in actions(daemon) if one["id"] == proposed["id"]] == ["expired"]
    late = daemon.ctl("approve", number)
    assert late.returncode == 1
    daemon.ctl("agent", "on", check=True)
    assert not switch.exists()
    assert "is expired already" in daemon.ctl("approve", number).stderr

    # By hand, first as a rehearsal.
    down = daemon.ctl("act", "start_server", proposed["target"], "--dry-run")
    assert "runs already" in down.stderr, "what the daemon owed was undone at its start"
    audit = [json.loads(line) for line in (daemon.state_dir / "audit.log").read_text().splitlines()]
    assert [record["what"] for record in audit if record.get("action") == proposed["id"]] == ["proposed", "expired"]
    assert [record["what"] for record in audit if record["event"] == "agent"][-1] == "on"


@pytest.mark.soak
def test_the_story_in_which_the_agent_repairs_it(daemon_dir: Path) -> None:
    done = subprocess.run(
        [str(BIN / "operatord"), "demo", "--autonomy", "execute", "--state-dir", str(daemon_dir / "s")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, f"{summary}\n{done.stderr}"
    assert (summary["ok"], summary["repaired_by"]) == (True, "agent")
    assert summary["action"]["status"] == "succeeded"
    assert (summary["zombies"], summary["orphans"], summary["faults_owed"]) == (0, 0, 0)
