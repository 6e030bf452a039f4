"""Whatever the API does, there is a diagnosis within the deadline, a visible reason, and nothing is lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.standins.claude import Api, Json, Reply, answer, diagnosis, error, message, text, tool_use
from tests.supervisor.workers import agent_cases as cases

from .asking import ask, settings

HTML = Reply(200, b"<!doctype html><title>Sign in</title>", kind="text/html")


def forever(request: Json, number: int) -> Reply:
    """It asks on, whatever it is told."""
    return message([tool_use("recent_observations", number, since=number)], "tool_use")


FAILURES: dict[str, tuple[Callable[[Json, int], Reply], dict[str, Any], str, bool]] = {
    "429": (lambda *_: error(429, "rate_limit_error", "slow down", retry_after="120"), {}, "too many requests", True),
    "500": (lambda *_: error(500, "api_error", "oops"), {}, "HTTP 500: oops", True),
    "503_without_a_body": (lambda *_: Reply(503, b"", kind="text/plain"), {}, "HTTP 503", True),
    "529": (lambda *_: error(529, "overloaded_error", "Overloaded"), {}, "overloaded", True),
    "wrong_key": (lambda *_: error(401, "authentication_error", "invalid x-api-key"), {}, "key is not accepted", False),
    "unknown_model": (lambda *_: error(404, "not_found_error", "model: claude-9"), {}, "no such model", False),
    "bad_request": (lambda *_: error(400, "invalid_request_error", "no"), {}, "refused the request (HTTP 400", False),
    "html": (lambda *_: HTML, {}, "no message of the API", False),
    "other_json": (lambda *_: Reply(200, {"hello": "world"}), {}, "no message of the API", False),
    "redirect": (lambda *_: Reply(302, b"", {"Location": "http://127.0.0.1:9/"}), {}, "HTTP 302", False),
    "refusal": (lambda *_: message([], "refusal"), {}, "the model refused", False),
    "truncated": (lambda *_: message([text('{"summary": "val')], "max_tokens"), {}, "was cut off", False),
    "broken_json": (lambda *_: message([text(json.dumps(answer())[:-9])]), {}, "is no diagnosis", False),
    "bounds": (lambda *_: diagnosis(confidence=7.0), {}, "confidence", False),
    "unheard_of_cause": (lambda *_: diagnosis(cause="gremlins"), {}, "cause", False),
    "too_long": (lambda *_: diagnosis(summary="x" * 5_000), {}, "summary", False),
    "empty": (lambda *_: message([]), {}, "is no diagnosis", False),
    "hang": (lambda *_: Reply(200, {}, hang_s=30), {"call_timeout_s": 0.3}, "no answer", True),
    "hang_past_the_deadline": (lambda *_: Reply(200, {}, hang_s=30), {"deadline_s": 0.3}, "within 0.3 s", True),
    "huge": (lambda *_: Reply(200, b" " * (1 << 20), endless=True), {}, "more than 4 MiB", False),
    "endless_tools": (forever, {"max_calls": 3}, "it asked on when it had to answer", False),
    "tokens": (
        lambda *_: message([tool_use("list_nodes")], "tool_use", read=5_000),
        {"max_tokens": 5_000},
        "tokens brought no answer",
        False,
    ),
    "ceiling": (lambda *_: diagnosis(), {"daily_ceiling_usd": 0.01}, "today's ceiling", False),
}


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_ends_in_the_answer_of_the_rules_and_its_reason(api: Api, name: str) -> None:
    script, change, reason, is_retried = FAILURES[name]
    api.script = script
    (told,) = ask(settings(api, **change))
    found = told.diagnosis
    assert (found.source, found.cause, found.component) == ("rules", "process_killed", "valkey-0")
    assert "claude-sonnet-5-5 was asked and did not answer" in found.remarks[0]
    assert reason in found.remarks[0]
    assert reason.split()[0] in found.markdown
    assert "the rules answer" in told.said("result")
    assert (told.retry_after_s is not None) == is_retried
    assert len(told.bundle["findings"]) == len(found.evidence)


def test_the_api_says_when_to_come_back_and_is_left_alone_until_then(api: Api) -> None:
    api.script = FAILURES["429"][0]
    first, second = ask(settings(api), cases.primary_killed(), cases.replica_killed())
    assert first.retry_after_s == 120.0
    assert second.retry_after_s is not None
    assert second.retry_after_s <= 120.0
    assert len(api.requests) == 1
    assert "it is asked again in" in second.diagnosis.remarks[0]
    assert second.diagnosis.component == "valkey-4"


def test_after_the_pause_it_is_asked_again(api: Api) -> None:
    api.answers(error(529, "overloaded_error", "Overloaded"), diagnosis())
    first, second = ask(settings(api, backoff_s=0.001), cases.primary_killed(), cases.primary_killed())
    assert [first.diagnosis.source, second.diagnosis.source] == ["rules", "claude-sonnet-5-5"]


def test_what_a_failed_investigation_cost_is_told(api: Api) -> None:
    api.answers(message([tool_use("list_nodes")], "tool_use"), error(500, "api_error", "oops"))
    (told,) = ask(settings(api))
    assert told.diagnosis.source == "rules"
    assert told.diagnosis.usage["calls"] == 2
    assert told.diagnosis.usage["cost_usd"] == pytest.approx(0.004)


def test_nobody_listens(api: Api) -> None:
    (told,) = ask(settings(None, base_url="http://127.0.0.1:9"))
    assert "cannot be reached" in told.diagnosis.remarks[0]
    assert told.retry_after_s is not None


def test_without_a_key_it_says_where_to_put_one(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (told,) = ask(settings(api))
    assert "there is no key: set ANTHROPIC_API_KEY" in told.diagnosis.remarks[0]
    assert api.requests == []
    (quiet,) = ask(settings(api, diagnoser="auto"))
    assert quiet.diagnosis.remarks == []
    assert quiet.diagnosis.source == "rules"


def test_a_key_file_that_cannot_be_read_is_named(api: Api) -> None:
    (told,) = ask(settings(api, key_file="/nonexistent/key"))
    assert "key_file in [agent] cannot be read" in told.diagnosis.remarks[0]


def test_with_rules_nobody_is_asked_though_there_is_a_key(api: Api) -> None:
    (told,) = ask(settings(api, diagnoser="rules"))
    assert told.diagnosis.source == "rules"
    assert told.diagnosis.remarks == []
    assert api.requests == []


SECRET_KEY = "sk-ant-api03-0123456789abcdefghij"  # noqa: S105  # made up


@pytest.mark.parametrize(
    "quoted",
    [
        f"Incorrect API key provided: {SECRET_KEY}.",
        "ask https://robot:hunter2@proxy.example/ instead",
        "x-api-key: 0123456789abcdef was not found",
    ],
)
def test_a_refusal_that_quotes_a_secret_is_told_without_it(
    api: Api, monkeypatch: pytest.MonkeyPatch, quoted: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET_KEY)
    api.answers(error(401, "authentication_error", quoted))
    (told,) = ask(settings(api))
    everything = json.dumps([told.diagnosis.remarks, told.diagnosis.markdown, [step.text for step in told.steps]])
    assert "key is not accepted" in told.diagnosis.remarks[0]
    assert "removed>" in told.diagnosis.remarks[0]
    for secret in (SECRET_KEY, "hunter2", "0123456789abcdef"):
        assert secret not in everything


def test_a_key_of_no_known_form_is_recognised_where_it_is_quoted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "gateway/7Qq2")
    api.answers(error(403, "permission_error", "gateway/7Qq2 may not do that"))
    (told,) = ask(settings(api))
    assert "<key removed> may not do that" in told.diagnosis.remarks[0]


@pytest.mark.parametrize(
    ("key", "from_file"),
    [
        (key, from_file)
        for key in ("sk-ant-first\nsk-ant-second", "sk-ключ", "sk-ant77 spaced88", "sk-\x00ant")
        for from_file in (False, True)
        if from_file or "\x00" not in key  # no environment holds one
    ],
)
def test_a_key_that_cannot_be_sent_is_said_to_be_and_never_shown(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, from_file: bool
) -> None:
    change: dict[str, Any] = {}
    if from_file:
        (tmp_path / "key").write_text(f"{key}\n", encoding="utf-8")
        change = {"key_file": str(tmp_path / "key")}
    else:
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    (told,) = ask(settings(api, **change))
    assert "the key cannot be sent" in told.diagnosis.remarks[0]
    assert told.retry_after_s is None
    assert api.requests == []
    for part in key.replace("\x00", "\n").split():
        assert part not in told.diagnosis.markdown


@pytest.mark.parametrize(("asked", "rest_s"), [("inf", 3_600.0), ("1e9", 3_600.0), ("-5", 60.0), ("nan", 60.0)])
def test_an_api_that_asks_for_an_absurd_rest_is_asked_again_all_the_same(api: Api, asked: str, rest_s: float) -> None:
    api.answers(error(429, "rate_limit_error", "slow down", retry_after=asked))
    (told,) = ask(settings(api))
    assert told.retry_after_s == rest_s
