"""``logs`` and ``events``: a look back, and following."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.clients import bodies
from tests.clients.ctl.conftest import CTL, Ctl, Popen
from tests.clients.scripted import ScriptedDaemon

from operator_protocol.models import ClusterEvent
from operator_protocol.records import to_body


def log(daemon: ScriptedDaemon, process: str, line: str) -> None:
    daemon.publish(f"process.{process}.log", {"stream": "stdout", "line": line, "dropped": 0}, wall_ts=0.0)


def test_logs_prints_what_is_remembered_in_the_order_of_the_bus(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    log(daemon, "monitor", "looking")
    log(daemon, "agent", "thinking \x1b[31mred\x1b[0m")
    log(daemon, "monitor", "looking again")
    daemon.publish("process.monitor.state", bodies.process())
    assert ctl("logs").stdout == (
        "00:00:00 monitor | looking\n00:00:00 agent | thinking \\x1b[31mred\\x1b[0m\n00:00:00 monitor | looking again\n"
    )


def test_logs_of_one_process_as_json_lines(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("processes", lambda _: {"processes": [to_body(bodies.process("monitor"))]})
    log(daemon, "monitor", "looking")
    log(daemon, "agent", "thinking")
    done = ctl("logs", "monitor", "--json")
    (line,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert (line["topic"], line["body"]["line"]) == ("process.monitor.log", "looking")


def test_logs_of_an_unknown_process_are_refused_with_the_known_names(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.on("processes", lambda _: {"processes": [to_body(bodies.process("monitor"))]})
    done = ctl("logs", "montior", "-f")
    assert done.returncode == 1
    assert done.stderr == "operatorctl: no process is called 'montior' (there are monitor)\n"


def test_events_leave_out_logs_and_heartbeats_unless_asked_for(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    log(daemon, "monitor", "looking")
    daemon.publish("violation.opened", bodies.violation())
    daemon.publish("fault.injected", bodies.fault())
    topics = [json.loads(line)["topic"] for line in ctl("events", "--json").stdout.splitlines()]
    assert topics == ["violation.opened", "fault.injected"]
    assert "fault.injected" in ctl("events", "--topic", "fault.").stdout
    assert "looking" in ctl("events", "--topic", "fault.", "process.monitor.log").stdout


def test_what_a_servers_log_tells_is_among_the_events(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.publish("cluster.event", ClusterEvent("tikv2", "unreachable", "cannot reach store 5", 1.0, None, 5, 12))
    assert "tikv2 unreachable: cannot reach store 5 (12 more not told)" in ctl("events").stdout


def test_following_starts_with_the_past_and_goes_on_with_what_happens(daemon: ScriptedDaemon, start_ctl: Popen) -> None:
    daemon.publish("fault.injected", bodies.fault())
    process = start_ctl("events", "-f", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["topic"] == "fault.injected"
    daemon.publish("violation.opened", bodies.violation())
    assert json.loads(process.stdout.readline())["body"]["invariant"] == "node_down"
    process.send_signal(2)
    assert process.wait(30) == 130


def test_as_text_only_changes_of_what_is_published_on_a_clock_are_shown(
    daemon: ScriptedDaemon, start_ctl: Popen
) -> None:
    daemon.publish("fault.injected", bodies.fault())
    process = start_ctl("events", "-f")
    assert process.stdout is not None
    process.stdout.readline()
    for _ in range(3):
        daemon.publish("cluster.health", bodies.cluster())
        daemon.publish("process.monitor.state", bodies.process())
    daemon.publish("cluster.health", bodies.cluster(ok=False, reason="valkey-1 is down"))
    lines = [process.stdout.readline() for _ in range(3)]
    assert ["healthy, 6 of 6" in lines[0], "monitor ready" in lines[1], "not healthy" in lines[2]] == [True] * 3


def test_a_reader_that_leaves_ends_the_following_quietly(daemon: ScriptedDaemon, start_ctl: Popen) -> None:
    daemon.publish("fault.injected", bodies.fault())
    process = start_ctl("events", "-f")
    assert process.stdout is not None
    assert "fault.injected" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_a_reader_that_has_left_before_the_answer_comes_is_quiet_too(daemon: ScriptedDaemon, start_ctl: Popen) -> None:
    daemon.on("status", lambda _: bodies.status())
    process = start_ctl("status")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(30) in (141, 0)
    assert process.stderr is not None
    assert process.stderr.read() == ""


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("events",), ("--help",)])
def test_output_that_cannot_be_written_is_one_line(
    daemon: ScriptedDaemon, start_ctl: Popen, words: tuple[str, ...]
) -> None:
    daemon.on("status", lambda _: bodies.status())
    daemon.publish("fault.injected", bodies.fault())
    with Path("/dev/full").open("wb") as full:
        process = start_ctl(*words, stdout=full.fileno())
        _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (1, "operatorctl: cannot write the output: No space left on device\n")


@pytest.mark.parametrize(
    ("words", "streams", "code"),
    [
        ("status", ">&-", 0),
        ("status --json", ">&- 2>&- <&-", 0),
        ("frobnicate", "2>&-", 2),
        ("frobnicate", "2>/dev/full", 2),
        ("frobnicate --json", ">/dev/full 2>&1", 2),
    ],
)
def test_closed_and_full_streams_do_not_change_the_exit_code(
    daemon: ScriptedDaemon, ctl_env: Mapping[str, str], words: str, streams: str, code: int
) -> None:
    daemon.on("status", lambda _: bodies.status())
    argv = ["sh", "-c", f'exec "$@" {words} {streams}', "sh", *CTL]
    done = subprocess.run(argv, env=dict(ctl_env), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
