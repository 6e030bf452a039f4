"""``operator-mcp`` as a client starts it: the command line, the streams, the end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from tests.clients import bodies
from tests.clients.mcp.sessions import call, error, over_stdio
from tests.clients.scripted import ScriptedDaemon

from operator_clients.mcp.cli import chosen_instance
from operator_protocol.records import to_body

MCP = (sys.executable, "-m", "operator_clients.mcp")


def run(*options: str, stdin: str = "", env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPERATOR", "XDG_", "CLAUDE"))}
    return subprocess.run(
        [*MCP, *options], input=stdin, env=kept | (env or {}), capture_output=True, text=True, timeout=90, check=False
    )


def request(number: int, method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_finds_the_tools_over_the_standard_streams(
    runtime_dir: Path, scripted: ScriptedDaemon, mode: str
) -> None:
    scripted.on("tickets", lambda _: {"tickets": [to_body(bodies.ticket(7))], "next": None})

    async def session(client: Client) -> None:
        assert "operator_status" in {tool.name for tool in (await client.list_tools()).tools}
        assert [ticket["id"] for ticket in (await call(client, "operator_tickets"))["tickets"]] == [7]
        assert (await error(client, "operator_fault", kind="kill"))["code"] == "unauthorized"

    over_stdio(runtime_dir, session, mode=mode)


def test_standard_output_carries_the_protocol_and_nothing_else(runtime_dir: Path) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    lines = [
        request(1, "initialize", **hello),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}) + "\n",
        "this is no JSON\n",
        request(2, "tools/call", name="operator_status", arguments={}),
        request(3, "tools/call", name="operator_ticket", arguments={"id": "\x1b[31mred\nline"}),
        request(4, "tools/call", name="operator_nothing", arguments={}),
        request(5, "no/such/method"),
        request(6, "tools/list"),
    ]
    process = subprocess.Popen(
        [*MCP, "--endpoint", str(runtime_dir), "--control"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("".join(lines))
    process.stdin.flush()
    answers: dict[int, dict[str, Any]] = {}
    while len(answers) < 6:
        answer = json.loads(process.stdout.readline())
        assert answer["jsonrpc"] == "2.0"
        if answer.get("id") is not None:
            answers[answer["id"]] = answer
    # The end of standard input is the end of the server.
    rest, complaints = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")
    assert "Traceback" not in complaints
    for number in (2, 3, 4):
        assert answers[number]["result"]["isError"] is True
    assert answers[5]["error"]["code"] == -32601
    assert len(answers[6]["result"]["tools"]) == 20


def test_help_and_usage_need_no_daemon_and_no_library() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "--control" in done.stdout
    assert "mcpServers" in done.stdout
    wrong = run("--endpoint", "http://127.0.0.1:1")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "is no endpoint" in wrong.stderr
    keyless = run("--endpoint", "tcp://127.0.0.1:7411")
    assert keyless.returncode == 3
    assert "operatord keys new" in keyless.stderr


def test_without_the_library_it_says_what_to_install() -> None:
    code = (
        "import importlib.abc, sys\n"
        "class Blocker(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'mcp':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "from operator_clients.mcp.cli import main\n"
        "sys.exit(main([]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "operatord[mcp]" in done.stderr


def test_the_name_of_an_agent_comes_from_its_environment() -> None:
    assert chosen_instance({"OPERATOR_INSTANCE": "reviewer", "CLAUDE_INSTANCE_ID": "pm"}) == "reviewer"
    assert chosen_instance({"CLAUDE_INSTANCE_ID": " pm "}) == "pm"
    assert chosen_instance({"CLAUDE_INSTANCE_ID": "Unknown"}) == ""
    assert chosen_instance({}) == ""
