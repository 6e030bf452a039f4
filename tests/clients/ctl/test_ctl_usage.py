"""Command lines that are wrong, daemons that are not there, and the help."""

from pathlib import Path

import pytest
from tests.clients.ctl.conftest import Ctl, Popen
from tests.clients.scripted import ScriptedDaemon, any_json

from operator_clients.ctl.commands import COMMANDS
from operator_clients.ctl.exits import exit_code
from operator_clients.ctl.parsing import duration_s
from operator_protocol.errors import DaemonUnreachable, DeadlineExceeded, InternalError


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("statsu",), "unknown command 'statsu' (did you mean 'status'?)"),
        (("--verbose", "status"), "unknown option '--verbose' before the command"),
        (("status", "--verbose"), "unrecognized arguments: --verbose (see: operatorctl status --help)"),
        (("goto",), "the following arguments are required: N|TITLE"),
        (("ticket", "seven"), "'seven' is not a whole number above zero"),
        (("approve", "9" * 25), "is not a whole number above zero, or too large a one"),
        (("tickets", "--status", "opne"), "invalid choice: 'opne'"),
        (("tickets", "--limit", "0"), "'0' is not a whole number above zero"),
        (("tickets", "--since", "noon"), "'noon' is neither a duration like 90 or 1m30s nor a time of day"),
        (("tickets", "--output", "x.json"), "--format and --output go with: operatorctl tickets export"),
        (("tickets", "export", "--everywhere"), "each daemon exports its own tickets"),
        (("ticket", "7", "--output", "x.json"), "--output goes with --export"),
        (("note", "7"), "the following arguments are required: TEXT"),
        (("fault", "--for", "soon"), "'soon' is not a duration like 10, 500ms, 30s or 1m30s"),
        (("fault", "--countdown", "1.5"), "a countdown has whole seconds"),
        (("workload", "pause"), "invalid choice: 'pause'"),
        (("workload", "rate"), "workload rate needs a number of operations per second"),
        (("workload", "rate", "-5"), "'-5' is not a rate above zero"),
        (("workload", "stop", "5"), "workload stop takes no rate"),
        (("wait", "violation.open"), "unknown event 'violation.open' (one of cluster.health, "),
        (("wait", "process.Monitor.state"), "unknown event"),
        (("wait", "ticket.opened", "--where", "node"), "'node' is not a condition (write it as key=value"),
        (("events", "--topic", "."), "'.' is not a topic"),
        (("demo",), "only `demo --auto` runs here (for the demo with keys, start: operator-viewer)"),
        (("status", "--endpoint", "/tmp/" + "x" * 120), "is over 107 bytes"),
    ],
)
def test_a_wrong_command_line_is_exit_2_and_one_line(ctl: Ctl, words: tuple[str, ...], told: str) -> None:
    done = ctl(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.startswith("operatorctl: ")
    assert done.stderr.count("\n") == 1


def test_a_wrong_command_line_is_a_json_error_under_json(ctl: Ctl) -> None:
    done = ctl("statsu", "--json")
    assert done.returncode == 2
    assert any_json(done.stdout)["error"]["code"] == "bad_request"


def test_no_command_shows_the_overview_and_is_exit_2(ctl: Ctl) -> None:
    done = ctl()
    assert done.returncode == 2
    assert "usage: operatorctl COMMAND" in done.stderr


def test_help_lists_every_command_and_the_exit_codes(ctl: Ctl) -> None:
    done = ctl("--help")
    assert done.returncode == 0
    assert all(f"  {entry.usage} " in done.stdout for entry in COMMANDS.values())
    assert "0 done · 1 refused or failed · 2 usage · 3 no daemon · 4 timed out" in done.stdout


@pytest.mark.parametrize("command", list(COMMANDS))
def test_help_of_each_command_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from operator_clients.ctl.cli import main

    assert main([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert f"usage: operatorctl {command}" in told
    assert "examples:\n  operatorctl " in told


def test_version_is_that_of_the_distribution(ctl: Ctl) -> None:
    done = ctl("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("operatorctl ")


@pytest.mark.parametrize("words", [("status",), ("fault",), ("wait", "fault.injected"), ("events", "-f"), ("logs",)])
def test_without_a_daemon_it_is_exit_3_and_says_what_starts_one(
    ctl: Ctl, runtime_dir: Path, words: tuple[str, ...]
) -> None:
    done = ctl(*words)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"operatorctl: no daemon answers at {runtime_dir} (start one with: operatord start)\n"


def test_sockets_that_a_dead_daemon_left_behind_are_exit_3_too(ctl: Ctl, runtime_dir: Path) -> None:
    import socket

    for name in ("control.sock", "frames.sock"):
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(runtime_dir / name))
    assert ctl("status").returncode == 3


def test_no_daemon_is_a_json_error_under_json(ctl: Ctl) -> None:
    done = ctl("processes", "--json")
    assert done.returncode == 3
    assert any_json(done.stdout)["error"]["hint"] == "start one with: operatord start"


def test_exit_codes_follow_the_error() -> None:
    assert exit_code(InternalError("x")) == 1
    assert exit_code(DaemonUnreachable("x")) == 3
    assert exit_code(DeadlineExceeded("x")) == 4


def test_ctrl_c_is_quiet(daemon: ScriptedDaemon, start_ctl: Popen) -> None:
    process = start_ctl("wait", "fault.recovered")
    daemon.wait_joined()
    process.send_signal(2)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 10.0), ("500ms", 0.5), ("30s", 30.0), ("1m30s", 90.0), ("1.5h", 5400.0), ("0", 0.0)]
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds
