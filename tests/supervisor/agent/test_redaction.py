"""What must not leave this host does not, and what is needed to think stays."""

import json
import time
from dataclasses import replace

import pytest
from tests.standins.claude import Api, diagnosis, message, tool_use
from tests.supervisor.workers import agent_cases as cases
from tests.supervisor.workers.test_agent_worker import ToySubject

from operator_protocol.records import to_body
from operatord.tickets.dossier import LogLine
from operatord.workers.agent.redaction import Redactor

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
    ("masterauth 'an0ther one2'", "one2"),
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
    # A line of a key that came without the line before it.
    ("MIIEpAIBAAKCAQEAzr1MIIEpAIBAAKCAQEAzr1MIIEpAIBAAKCAQEAzr1aaaaaaa", "MIIEpAIBAAKCAQEAzr1"),
    ("PGPASSWORD=hunter22 psql", "hunter22"),
    ("dbPassword: hunter22", "hunter22"),
    ("SMTP_PASS: hunter22", "hunter22"),
    ("REDISCLI_AUTH=hunter22 valkey-cli", "hunter22"),
    ('1700000000.1 [0 127.0.0.1:1] "CONFIG" "SET" "requirepass" "hunter22"', "hunter22"),
    ('1700000000.1 [0 127.0.0.1:1] "auth" "hunter22"', "hunter22"),
    ('"auth" "default" "hunter22"', "hunter22"),
    ("> auth hunter22", "hunter22"),
    ('"ACL" "SETUSER" "bob" "on" ">hunter22" "<hunter33"', "hunter33"),
    ("ACL SETUSER bob on >pw1 ~*", ">pw1"),
    ("user bob on #5e884898da28047151d0e56f8dc6292773603d0d ~*", "5e884898da28"),
    ("MIGRATE h 6379 key 0 1000 AUTH2 bob hunter22 KEYS a", "hunter22"),
    ("HELLO 3 AUTH bob hunter22 SETNAME x", "hunter22"),
    ("sentinel auth-pass mymaster hunter22", "hunter22"),
    ("tls-key-file-pass hunter22", "hunter22"),
    ("valkey-cli -ahunter22 ping", "hunter22"),
    ("mysql -uroot -phunter22 db", "hunter22"),
    ("curl -u bob:hunter22 http://x", "hunter22"),
    ("redis://:p@ss@w0rd@127.0.0.1:6379", "ss@w0rd"),
    ("redis://u:pa/xq9z@h:1/0", "xq9z"),
    ('{\\"password\\":\\"hunter22\\"}', "hunter22"),
    ("{'password': 'hunter22'}", "hunter22"),
    ('"authorization": "token abcdef0123456789"', "abcdef0123456789"),
    ('{"Cookie":"session=abcdef0123"}', "abcdef0123"),
    ("AccountName=a;AccountKey=abc123DEF456==;EndpointSuffix=x", "abc123DEF456"),
    ("https://b.example/c?sv=2022&sig=abc%2Fdef123&se=1", "abc%2Fdef123"),
    ("https://s3.example/x?X-Amz-Signature=0123456789abcdef", "0123456789abcdef"),
    ("post to https://hooks.slack.com/services/T000/B000/" + "XXXXabcdef123456", "XXXXabcdef123456"),
    ("ya29." + "a0AfH6SMBabcdefghijklmnop", "a0AfH6SMB"),
    ("hvs." + "CAESIabcdefghijklmnop0123", "CAESIabc"),
    ("SG." + "abcdefghijklmnop1234.abcdefghijklmnop1234567", "abcdefghijklmnop1234"),
    ("X-Vault-Token: abcdef12", "abcdef12"),
    ("api key: abcdef12", "abcdef12"),
    ("SECRET_KEY_BASE=abcdef12", "abcdef12"),
    ("encryption_key=abcdef12", "abcdef12"),
    ("ALTER USER op WITH PASSWORD 'hunter22'", "hunter22"),
    ("CREATE USER op IDENTIFIED BY 'hunter22'", "hunter22"),
    ('the passphrase "hunter22 and more"', "hunter22"),
    ("the password is hunter22", "hunter22"),
]
KEPT = [
    "process valkey-0 (pid 100) was ended by signal 9 (SIGKILL) at T+0.0 s; before that it ran for 119 s",
    "103:S 01 Jan 2026 * Failover election won: I'm the new primary.",
    "INFO of valkey-1: role=master, master_repl_offset=5346113, used_memory=3146752, maxmemory=0",
    "valkey-0 sees valkey-1 as master,fail, epoch 8, bus connected at 10.216.205.12:7001",
    "p99_ms of valkey-1: 0.2 before, up to 14.3 since  ▁▁▇█",
    "slots 0-5460 of shard-0; monkey business, turkey sandwiches",
    '[2026/11/21 09:00:00.123 +00:00] [WARN] [raft.rs:1] ["became candidate at term 7"]',
    '[INFO] [apply.rs:1] ["split"] [keys="key 7480000000000000FF2D5F728000000000FF0000010000000000FA"] [region_id=28]',
    'FATAL:  password authentication failed for user "operator"',
    "-WRONGPASS invalid username-password pair or user is disabled.",
    "NOAUTH Authentication required.",
    "Get http://127.0.0.1:2379/pd/api/v1/stores: connection refused, and http://[::1]:2379/pd as well",
    "mount /var/lib/docker/overlay2/4f8c2d1e9a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d/merged is busy",
    "Running mode=cluster, port=7000, 5 keys, used 3 tokens, max_tokens=50",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
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


def test_a_key_of_several_lines_goes_as_a_whole_and_takes_nothing_else_along() -> None:
    item = '{"id": 1, "kind": "log", "text": "-----BEGIN PRIVATE KEY-----"}'
    after = '{"id": 2, "kind": "log", "text": "valkey-0 was killed"}'
    assert Redactor().clean(f"key:\n{PEM}\nafter it") == "key:\n<private key removed>\nafter it"
    assert after in Redactor().clean(f"{item}\n{after}"), "a log line that looks like a beginning hides no other"


def test_a_member_whose_name_says_what_it_is_goes_whatever_it_holds() -> None:
    line = '{"user": "bob", "password": "two words", "nested": [{"apiKey": "x"}], "config": "{\\"token\\": \\"abc\\"}"}'
    cleaned = Redactor().clean(line)
    assert json.loads(cleaned) == {
        "user": "bob",
        "password": "<secret removed>",
        "nested": [{"apiKey": "<secret removed>"}],
        "config": '{"token": "<secret removed>"}',
    }


def test_what_is_kept_with_a_ticket_holds_no_secret_either() -> None:
    """It goes to exports, and to a database on another host."""
    lines = [LogLine(cases.T0 + 0.5, f"# Error: {line}") for line, _secret in SECRETS]
    dossier = cases.primary_killed()
    subject = ToySubject([line for line, _secret in SECRETS])
    for part in range(0, len(lines), 10):
        logs = {**dossier.logs, "valkey-0": lines[part : part + 10], "valkey-3": lines[part : part + 10]}
        (told,) = ask(settings(None, diagnoser="rules"), replace(dossier, logs=logs), subject=subject)
        kept = json.dumps(
            [told.bundle, to_body(told.diagnosis), [step.text for step in told.steps]], ensure_ascii=False
        )
        assert "removed>" in kept
        for line, secret in SECRETS:
            assert secret not in kept, line


def test_no_text_takes_it_long() -> None:
    """A server that is told what to log must not be able to stop the agent."""
    hostile = [
        "a://" * 20_000,
        "-----BEGIN A-----" * 3_000,
        "password=" * 10_000,
        "1." * 50_000,
        ":" * 50_000,
        " " * 99_999,
        'password="' * 10_000,
        "setuser a " * 10_000,
        "mysql " * 16_000,
        "Aa1" * 33_000,
        "a://b:" * 15_000,
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
