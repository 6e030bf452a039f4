"""Who is let in by a running gateway, and who is turned away with which answer."""

import contextlib
import json
import shlex
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from tests.clients.scripted import ScriptedDaemon
from tests.clients.web.waiting import until
from tests.real_gateway import RealGateway, running_gateway
from tests.standins.certificates import make_certificates

CHANGING = ("/api/session", "/api/demo/next", "/api/faults", "/api/faults/recover", "/api/actions/1/approve")
READING = ("/", "/api/daemons", "/api/state", "/api/devops/activity", "/api/k8s/health", "/metrics")
PROBES = ("/healthz", "/readyz")


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_wrong_host_is_misdirected(gateway: RealGateway) -> None:
    for path in READING:
        assert _refusal(gateway.get(path, headers={"Host": "attacker.example"})) == (421, "wrong_host")
    for path in CHANGING:
        assert _refusal(gateway.post(path, {}, headers={"Host": "localhost.attacker.example"})) == (421, "wrong_host")


@pytest.mark.parametrize("host", ["10.1.2.3:8970", "attacker.example", ""])
def test_a_probe_is_answered_under_any_host_and_told_yes_or_no(gateway: RealGateway, host: str) -> None:
    told = [gateway.get(path, headers={"Host": host}) for path in PROBES]
    assert [(one.status_code, one.json()) for one in told] == [(200, {"status": "ok"}), (200, {"status": "ready"})]
    for path in PROBES:
        assert _refusal(gateway.post(path, {}, headers={"Host": host})) == (421, "wrong_host")
        assert _refusal(gateway.get(path + "/", headers={"Host": host})) == (421, "wrong_host")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8970", "[::1]:1", "127.0.0.1:65535"])
def test_the_names_of_this_machine_are_its_hosts(gateway: RealGateway, host: str) -> None:
    assert gateway.get("/api/daemons", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["", "a b", "127.0.0.1@evil", "[::1", "localhost:port", "evil.com:127.0.0.1", "127.0.0.1,evil"]
)
def test_what_is_no_host_is_refused(gateway: RealGateway, host: str) -> None:
    assert gateway.get("/api/daemons", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize(
    "origin",
    ["http://attacker.example", "null", "https://{own}", "http://{own}.attacker.example", "http://127.0.0.1:1", ""],
)
def test_a_page_of_another_origin_is_refused_even_with_the_token(gateway: RealGateway, origin: str) -> None:
    own = gateway.url.removeprefix("http://")
    for path in CHANGING:
        answer = gateway.post(path, {}, headers={"Origin": origin.format(own=own)})
        assert _refusal(answer) == (403, "wrong_origin")
    assert gateway.get("/api/state", headers={"Origin": origin.format(own=own)}).status_code == 403


def test_a_browser_that_says_that_another_site_asks_is_refused(gateway: RealGateway) -> None:
    for site in ("cross-site", "same-site"):
        assert _refusal(gateway.post("/api/session", headers={"Sec-Fetch-Site": site})) == (403, "wrong_origin")


def test_our_own_page_and_a_program_are_let_in(gateway: RealGateway) -> None:
    assert gateway.post("/api/session", headers={"Origin": gateway.url}).status_code == 204
    assert gateway.post("/api/session").status_code == 204


@pytest.mark.parametrize("path", CHANGING)
def test_without_the_token_nothing_is_changed(gateway: RealGateway, scripted: ScriptedDaemon, path: str) -> None:
    before = len(scripted.requests)
    missing = gateway.post(path, {}, token=None)
    assert _refusal(missing) == (401, "token_missing")
    assert missing.headers["WWW-Authenticate"].startswith("Bearer")
    for header in ("Basic Og==", f"Token {gateway.token}", gateway.token, "Bearer"):
        assert gateway.post(path, {}, token=None, headers={"Authorization": header}).status_code == 401
    assert len(scripted.requests) == before


def test_a_token_in_the_address_is_no_token(gateway: RealGateway) -> None:
    answer = gateway.post(f"/api/session?token={gateway.token}", token=None)
    assert _refusal(answer) == (422, "bad_parameter")
    assert gateway.token not in answer.text


@pytest.mark.parametrize("token", ["wrong", "wrong\xff".encode().decode("latin-1"), "x" * 10_000])
def test_a_wrong_token_is_refused(gateway: RealGateway, token: str) -> None:
    answer = gateway.post("/api/session", token=None, headers={"Authorization": f"Bearer {token}".encode("latin-1")})
    assert _refusal(answer) == (401, "token_wrong")


def test_an_expired_token_is_refused_and_a_rotated_one_replaces_the_old_at_once(
    gateway: RealGateway, scripted: ScriptedDaemon
) -> None:
    kept = gateway.token_file.read_text()
    gateway.token_file.write_text(json.dumps({**json.loads(kept), "expires_at": time.time() - 1}))
    expired = gateway.post("/api/session")
    assert _refusal(expired) == (401, "token_expired")
    hint = expired.json()["error"]["hint"]
    assert hint == f"rotate it with: operator-web token rotate --token-file {gateway.token_file}"
    command = [sys.executable, "-m", "operator_clients.web", *shlex.split(hint.partition("operator-web ")[2])]
    rotated = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    assert gateway.post("/api/session", token=rotated).status_code == 204
    assert _refusal(gateway.post("/api/session")) == (401, "token_wrong")
    told = gateway.directory / "address.json"
    until(lambda: json.loads(told.read_text())["url"].endswith(f"#token={rotated}"), "the address to have it")
    assert told.stat().st_mode & 0o777 == 0o600
    gateway.token_file.write_text(kept)
    assert gateway.post("/api/session").status_code == 204


def test_a_token_file_that_others_can_read_lets_nobody_in(gateway: RealGateway) -> None:
    gateway.token_file.chmod(0o644)
    assert gateway.post("/api/session").status_code == 401
    gateway.token_file.chmod(0o600)
    assert gateway.post("/api/session").status_code == 204


def test_a_body_that_is_too_large_is_refused_unread(gateway: RealGateway) -> None:
    assert _refusal(gateway.post("/api/faults", {"kind": "x" * 100_000})) == (413, "too_large")
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as wire:
        wire.sendall(
            f"POST /api/faults HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {gateway.token}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        # It may have answered and closed before we are through; the answer can be read all the same.
        with contextlib.suppress(OSError):
            for _ in range(40):
                wire.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        assert wire.recv(1_000).startswith(b"HTTP/1.1 413")


def test_a_stream_that_is_sent_a_body_without_end_ends_and_nothing_is_a_defect(gateway: RealGateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as wire:
        wire.sendall(f"GET /api/stream HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            for _ in range(40):
                wire.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            while wire.recv(1 << 16):
                pass
    assert gateway.get("/healthz").status_code == 200
    assert "Traceback" not in gateway.log()


def test_every_answer_has_the_headers_that_protect_and_none_that_opens(gateway: RealGateway) -> None:
    answers = [gateway.get(path, headers={"Accept": "text/html"}) for path in (*READING, *PROBES, "/api/none", "/x")]
    answers += [gateway.get("/api/daemons", headers={"Host": "x"}), gateway.post("/api/session", token=None)]
    answers.append(httpx.options(gateway.url + "/api/session", headers={"Origin": gateway.url}))
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "server" not in answer.headers


def test_it_speaks_tls_itself(scripted: ScriptedDaemon, tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    options = ("--tls-cert", str(made.cert("server")), "--tls-key", str(made.key("server")))
    trusted = ssl.create_default_context(cafile=str(made.ca))
    with running_gateway(tmp_path / "web", *options, runtime_dir=scripted.directory) as gateway:
        assert gateway.url.startswith("https://")
        answer = gateway.post("/api/session", headers={"Origin": gateway.url}, verify=trusted)
        assert answer.status_code == 204
        assert answer.headers["Strict-Transport-Security"]
        plain = gateway.url.replace("https", "http")
        assert gateway.post("/api/session", headers={"Origin": plain}, verify=trusted).status_code == 403
