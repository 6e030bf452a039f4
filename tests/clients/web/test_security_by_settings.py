"""What the settings of a gateway let in and keep out, asked over ASGI without a process."""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from operator_clients.web.app import create_app
from operator_clients.web.cli import main
from operator_clients.web.security.token import TokenKeeper
from operator_clients.web.settings import LimitsSection, Settings

Open = Callable[[Settings], TestClient]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(token_file=tmp_path / "token.json")


@pytest.fixture
def opened(settings: Settings) -> Iterator[Open]:
    """A client of a gateway with these settings, which shows the right token."""
    clients: list[TestClient] = []

    def client(told: Settings) -> TestClient:
        secret = TokenKeeper(told.token_file).ensure(1).secret
        made = TestClient(create_app(told), base_url="http://localhost", headers={"Authorization": f"Bearer {secret}"})
        clients.append(made)
        return made

    yield client
    for made in clients:
        made.close()


def _code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_who_gives_too_many_commands_is_slowed_down(settings: Settings, opened: Open) -> None:
    client = opened(replace(settings, limits=LimitsSection(commands_burst=3, commands_per_s=0.001)))
    answers = [client.post("/api/session") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [204, 204, 204, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_who_guesses_is_refused_even_with_the_right_token(settings: Settings, opened: Open) -> None:
    client = opened(replace(settings, limits=LimitsSection(failures_per_min=3)))
    guess = {"Authorization": "Bearer guess"}
    assert [client.post("/api/session", headers=guess).status_code for _ in range(2)] == [401, 429]
    assert client.post("/api/session").status_code == 429


def test_who_asks_too_often_is_slowed_down_but_probes_never_are(settings: Settings, opened: Open) -> None:
    client = opened(replace(settings, limits=LimitsSection(requests_per_s=0.001, burst=5)))
    assert [client.get("/api/daemons").status_code for _ in range(6)] == [200] * 5 + [429]
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_a_gateway_that_only_shows_takes_no_commands(settings: Settings, opened: Open) -> None:
    client = opened(replace(settings, read_only=True))
    assert client.get("/api/daemons").json()["control"] is False
    assert _code(client.post("/api/demo/next")) == (403, "read_only")


def test_behind_a_proxy_the_public_names_are_hosts_and_origins(settings: Settings, opened: Open) -> None:
    client = opened(replace(settings, behind_proxy=True, allow_hosts=("console.example.org",)))
    public = {"Host": "console.example.org"}
    assert client.post("/api/session", headers={**public, "Origin": "https://console.example.org"}).status_code == 204
    # A proxy that does not pass the Host on.
    assert client.post("/api/session", headers={"Origin": "https://console.example.org"}).status_code == 204
    assert client.post("/api/session", headers={**public, "Origin": "https://evil.example.org"}).status_code == 403
    assert client.get("/api/daemons", headers={"Host": "evil.example.org"}).status_code == 421


def test_without_a_proxy_an_allowed_host_is_no_origin_for_other_hosts(settings: Settings, opened: Open) -> None:
    client = opened(replace(settings, allow_hosts=("console.example.org",)))
    assert _code(client.post("/api/session", headers={"Origin": "http://console.example.org"})) == (403, "wrong_origin")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "0.0.0.0"), "--behind-proxy"),
        (("--host", "::"), "--tls-cert"),
        (("--host", "192.0.2.1"), "without TLS"),
        (("--tls-cert", "nothing.pem"), "belong together"),
        (("--tls-cert", "/nothing.pem", "--tls-key", "/nothing.pem"), "no file /nothing.pem"),
        (("--catalogue", "/nothing.toml"), "nothing.toml"),
        (("--metrics-url", "not a url"), "metrics URL"),
        (("--metrics-url", "http://127.0.0.1:1", "--mock-metrics"), "not both"),
        (("--kubeconfig", "/nothing", "--mock-k8s"), "not both"),
        (("--config", "/nothing.toml"), "nothing.toml"),
        (("--endpoint", "a=/x", "--endpoint", "a=/y"), "two daemons"),
        (("--endpoint", "a b=/x"), "cannot name a daemon"),
        (("--allow-host", "https://console.example.org"), "is no host"),
    ],
)
def test_what_may_not_be_is_refused_in_one_line_before_it_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    before = os.umask(0o077)
    try:
        assert main(["--port", "0", "--token-file", str(tmp_path / "token.json"), *options]) in (1, 2)
    finally:
        os.umask(before)
    told = capsys.readouterr()
    assert words in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert not told.out


def test_a_port_that_is_taken_is_told_once_with_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        before = os.umask(0o077)
        try:
            assert main(["--port", str(port), "--token-file", str(tmp_path / "token.json")]) == 1
        finally:
            os.umask(before)
    told = capsys.readouterr().err
    assert told.count(str(port)) == 1
    assert "--any-port" in told


def test_a_body_that_is_no_json_is_called_that(settings: Settings, opened: Open) -> None:
    answer = opened(settings).post("/api/faults", content=b'{"kind":', headers={"Content-Type": "application/json"})
    assert _code(answer) == (422, "bad_parameter")
    assert answer.json()["error"]["message"].startswith("body: ")


def test_an_unknown_key_of_the_configuration_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.toml").write_text("[web.limits]\nburts = 3\n")
    assert main(["--config", str(tmp_path / "web.toml")]) == 2
    assert "web.limits.burts" in capsys.readouterr().err
