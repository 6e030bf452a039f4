"""What ``operatorctl status`` imports: each module counts at start-up."""

import subprocess
import sys

from tests.clients import bodies
from tests.clients.ctl.conftest import CTL
from tests.clients.scripted import ScriptedDaemon

TOO_DEAR = ("rich", "dataclasses", "asyncio", "inspect", "subprocess", "shutil", "difflib", "socket")
NOT_FOR_ONE_COMMAND = (
    "operator_protocol.models",
    "operator_protocol.state",
    "operator_protocol.follow",
    "operator_clients.ctl.demo",
    "operator_clients.ctl.faults",
    "operator_clients.ctl.wait",
)


def imported_by(words: list[str], env: dict[str, str]) -> set[str]:
    command = [sys.executable, "-X", "importtime", *CTL[1:], *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_status_imports_only_what_a_short_command_needs(daemon: ScriptedDaemon, ctl_env: dict[str, str]) -> None:
    daemon.on("status", lambda _: bodies.status())
    modules = imported_by(["status"], ctl_env)
    assert "operator_protocol.requests" in modules
    assert modules.isdisjoint(TOO_DEAR)
    assert modules.isdisjoint(NOT_FOR_ONE_COMMAND)


def test_help_does_not_even_import_zeromq(ctl_env: dict[str, str]) -> None:
    modules = imported_by(["status", "--help"], ctl_env)
    assert "zmq" not in modules
    assert "json" not in modules
