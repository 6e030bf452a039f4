"""Claude on a live daemon: asked about what was really broken, and never told what that was."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.standins.claude import Api, Json, Reply, answer, error, message, standing, text, tool_use

from .real_daemon import RealDaemon, until

_TELLING = re.compile(
    r"\b(fault|inject\w*|chapter|demo|chaos|undo\w*|countdown|owed|operatorctl|hog-\w+)\b", re.IGNORECASE
)

_ASKED = re.compile(r'"name": "fault"|\bfault of valkey-\d\b')
"""The name of a metric that there is not, as it was asked for, and as the answer repeats it."""


def investigate(request: Json, number: int) -> Reply:
    """Overloaded at first; then it looks at everything that there is to look at, and answers."""
    if number == 0:
        return error(529, "overloaded_error", "Overloaded", retry_after="1")
    node = json.loads(request["messages"][0]["content"][0]["text"].splitlines()[1])["node"] or "valkey-0"
    questions = [
        tool_use("list_nodes", 1),
        tool_use("show_state", 2, node=node),
        tool_use("recent_observations", 3),
        tool_use("recent_observations", 4, node=node),
        *(tool_use("read_logs", 10 + n, process=f"valkey-{n}") for n in range(6)),
        tool_use("read_logs", 20, process="operatord"),
        tool_use("read_logs", 21, process="ycsb"),
        tool_use("query_metric", 22, node="load", name="ops_per_sec"),
        tool_use("query_metric", 23, node=node, name="fault"),
    ]
    if len(request["messages"]) == 1:
        return message(questions, "tool_use")
    return message([text(json.dumps(answer(component=node, actions=[])))])


def ticket(daemon: RealDaemon, node: str) -> dict[str, Any] | None:
    listed = daemon.ask("tickets")["tickets"]
    numbers = [one["id"] for one in listed if (one["invariant"], one["node"]) == ("node_down", node)]
    if not numbers:
        return None
    found: dict[str, Any] = daemon.ask("ticket", {"id": numbers[0]})["ticket"]
    return found if found["diagnosis"] is not None and found["diagnosis"]["source"] != "rules" else None


def sources(daemon: RealDaemon) -> list[str]:
    """Who diagnosed, in order."""
    lines = daemon.ctl("events", "--topic", "agent.diagnosis", "--json", check=True).stdout.splitlines()
    return [json.loads(line)["body"]["diagnosis"]["source"] for line in lines]


def configured(directory: Path, api: Api, **change: object) -> str:
    lines = [
        "[agent]",
        "settle_s = 1.0",
        f'base_url = "{api.url}"',
        *(f"{key} = {value}" for key, value in change.items()),
    ]
    path = directory / "operatord.toml"
    path.write_text("\n".join(lines))
    return str(path)


def test_no_request_tells_what_was_broken_nor_by_whom_and_its_answer_is_on_the_ticket(
    stopped_daemon: RealDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = stopped_daemon
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test-0123456789abcdef")
    with standing() as api:
        api.script = investigate
        daemon.start("--config", configured(tmp_path, api, backoff_s=1.0), "--load")
        done = daemon.ctl("fault", "kill", "--target", "valkey-1", "--countdown", "0", "--json", check=True)
        fault = json.loads(done.stdout)["fault"]
        until(lambda: ticket(daemon, "valkey-1"), "the ticket to be diagnosed", 60)
        found = ticket(daemon, "valkey-1")
        assert found is not None
        diagnosis = found["diagnosis"]
        assert (diagnosis["source"], diagnosis["component"]) == ("claude-sonnet-5-5", "valkey-1")
        assert diagnosis["usage"]["calls"] == 2
        assert sources(daemon)[0] == "rules", "there is an answer at once, and it is asked again later"
        assert len(diagnosis["evidence"]) > 20
        sent = "\n".join(raw.decode() for raw in api.raw)
        assert "tool_result" in sent
        assert fault["id"] not in sent
        assert fault["id"] not in json.dumps(diagnosis)
        # The system text is ours; everything after it is evidence.
        for request in api.requests:
            said = _ASKED.sub("", json.dumps(request["messages"]))
            assert (told := _TELLING.search(said)) is None, said[max(0, told.start() - 200) : told.end() + 80]
        spent = json.loads((daemon.state_dir / "agent-spending.json").read_text())
        assert spent["usd"] > 0
        daemon.ctl("recover", check=True)
