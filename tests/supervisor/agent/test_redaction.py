"""What must not leave this host does not, and what is needed to think stays."""

import time
from dataclasses import replace

import pytest
from tests.standins.claude import Api, diagnosis, message, tool_use
from tests.supervisor.workers import agent_cases as cases
from tests.supervisor.workers.test_agent_worker import ToySubject

from operatord.tickets.dossier import LogLine
from operatord.workers.agent.claude.redaction import Redactor

from .asking import ask, settings

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAzr1\nQ0FTRQ==\n-----END RSA PRIVATE KEY-----"
SECRETS: list[tuple[str, str]] = [
    ("x-api-key: sk-ant-api03-AbCdEf0123456789-_xyz", "sk-ant-api03-AbCdEf0123456789-_xyz"),
    ("using key sk-proj-0123456789abcdefABCDEF now", "sk-proj-0123456789abcdefABCDEF"),
    ("Authorization: Bearer abcdef123456.ghi-jkl", "abcdef123456.ghi-jkl"),
    ("authorization=Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
    ("sent bearer 0123456789abcdef0123 to it", "0123456789abcdef0123"),
    ("Cookie: session=s3cr3t-value; theme=dark", "s3cr3t-value"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "eyJzdWIiOiIxMjM0NTY3ODkwIn0"),
    ("AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("id ASIAY34FZKBOKMUTVV7A was refused", "ASIAY34FZKBOKMUTVV7A"),
    ('"aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"', "wJalrXUtnFEMI/K7MDENG"),
    ("postgresql://operator:hunter2@db.example:5432/tickets", "hunter2"),
    ("redis://:p4ssw0rd!@127.0.0.1:6379/0", "p4ssw0rd!"),
    ("https://ghp_0123456789abcdefghijABCDEFGHIJ012345@example.org/x.git", "ghp_0123456789"),
    ("token ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghp_0123456789"),
    ("glpat-abcdefghij0123456789", "glpat-abcdefghij"),
    ("slack xoxb-123456789012-abcdefGHIJKL", "xoxb-123456789012"),
    ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "npm_abcdefghij"),
    ("AIzaSyA-1234567890abcdefghijklmnopqrstuv", "AIzaSyA-1234567890"),
    ("sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39HqLyjWDarjtT1zdp7dc"),
    ("requirepass verysecretpassword", "verysecretpassword"),
    ("masterauth 'another one'", "another"),
    ("AUTH default s3cret-pass", "s3cret-pass"),
    ('"AUTH" "justpassword"', "justpassword"),
    ("ACL SETUSER alice on >alicepassword ~* +@all", "alicepassword"),
    ("valkey-cli -a swordfish ping", "swordfish"),
    ("started with --password=opensesame --port 7000", "opensesame"),
    ("password: correct-horse", "correct-horse"),
    ("db_password = 'with spaces in it'", "with spaces in it"),
    ('{"client_secret":"abc123def456"}', "abc123def456"),
    ("refresh_token=1//0abcdef&x=1", "1//0abcdef"),
    (PEM, "MIIEpAIBAAKCAQEAzr1"),
    ("cut off: " + PEM[:50], PEM[40:50]),
]
KEPT = [
    "process valkey-0 (pid 100) was ended by signal 9 (SIGKILL) at T+0.0 s; before that it ran for 119 s",
    "103:S 01 Jan 2026 * Failover election won: I'm the new primary.",
    "INFO of valkey-1: role=master, master_repl_offset=5346113, used_memory=3146752, maxmemory=0",
    "valkey-0 sees valkey-1 as master,fail, epoch 8, bus connected at 10.216.205.12:7001",
    "p99_ms of valkey-1: 0.2 before, up to 14.3 since  ▁▁▇█",
    "slots 0-5460 of shard-0; monkey business, turkey sandwiches",
    '[2026/11/21 09:00:00.123 +00:00] [WARN] [raft.rs:1] ["became candidate at term 7"]',
]


@pytest.mark.parametrize(("line", "secret"), SECRETS, ids=[str(number) for number in range(len(SECRETS))])
def test_each_kind_of_secret_is_removed_and_said_to_be(line: str, secret: str) -> None:
    cleaned = Redactor().text(f"at 10:00 {line}")
    assert secret not in cleaned
    assert "removed>" in cleaned


@pytest.mark.parametrize("line", KEPT)
def test_what_is_evidence_stays_as_it_is(line: str) -> None:
    assert Redactor().text(line) == line


def test_addresses_are_replaced_by_choice_and_can_still_be_told_apart() -> None:
    line = "10.0.0.1:7000 to 10.0.0.2:7001, [fe80::1%2]:80 no, [2001:db8::7]:443, 10.0.0.1 again, version 1.2.3.4.5"
    plain, chosen = Redactor(), Redactor(addresses=True)
    assert plain.text(line) == line
    cleaned = chosen.text(line)
    assert cleaned.count("address-1") == 2
    assert "address-2:7001" in cleaned
    assert "10.0.0" not in cleaned
    assert "2001:db8" not in cleaned
    assert "version 1.2.3.4.5" in cleaned


def test_the_structure_of_a_request_survives() -> None:
    tree = {"messages": [{"role": "user", "content": ["password=geheim99", 7, None, True, 1.5]}]}
    assert Redactor().clean(tree) == {
        "messages": [{"role": "user", "content": ["password=<secret removed>", 7, None, True, 1.5]}]
    }


def test_no_text_takes_it_long() -> None:
    """A server that is told what to log must not be able to stop the agent."""
    hostile = [
        "a://" * 20_000,
        "-----BEGIN A-----" * 3_000,
        "password=" * 10_000,
        "1." * 50_000,
        ":" * 50_000,
        " " * 99_999,
    ]
    redactor = Redactor(addresses=True)
    for text in hostile:
        began = time.process_time()
        redactor.text(text)
        assert time.process_time() - began < 5.0, text[:20]


def test_nothing_of_it_is_in_any_request_neither_evidence_nor_what_tools_answer(api: Api) -> None:
    lines = [LogLine(cases.T0 + 0.5, f"# Error: {line}") for line, _secret in SECRETS]
    dossier = cases.primary_killed()
    dossier = replace(dossier, logs={**dossier.logs, "valkey-0": lines, "valkey-3": lines})
    api.answers(
        message([tool_use("read_logs", 1, process="valkey-3"), tool_use("show_state", 2, node="valkey-0")], "tool_use"),
        diagnosis(),
    )
    subject = ToySubject([line for line, _secret in SECRETS[:20]])
    (told,) = ask(settings(api, redact_addresses=True), dossier, subject=subject)
    assert told.diagnosis.source == "claude-sonnet-5-5"
    sent = b"".join(api.raw).decode()
    for line, secret in SECRETS:
        assert secret not in sent, line
    assert "127.0.0.1" not in sent
    assert "removed>" in sent
