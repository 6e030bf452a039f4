"""Clients that keep a gateway waiting, and more of them than it takes: all others are answered meanwhile."""

import contextlib
import http.client
import json
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.scripted import ScriptedDaemon
from tests.clients.web.waiting import until, until_live
from tests.real_gateway import RealGateway, running_gateway

CONNECTIONS = 24
_LIMITS = f"[web.limits]\nconnections = {CONNECTIONS}\nrequest_s = {{request_s}}\n"
_REQUEST_S = 1.0
_STREAM_REQUEST_S = 2.5
"""Where streams are opened one by one, which a busy machine may take a while for."""
_HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half:"
_WAIT_S = 60


@pytest.fixture(scope="module")
def bounded(scripted: ScriptedDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    with _gateway(scripted, tmp_path_factory.mktemp("bounded"), _REQUEST_S) as running:
        yield running


@contextlib.contextmanager
def _gateway(scripted: ScriptedDaemon, directory: Path, request_s: float) -> Iterator[RealGateway]:
    (directory / "web.toml").write_text(_LIMITS.format(request_s=request_s))
    with running_gateway(directory, "--config", str(directory / "web.toml"), runtime_dir=scripted.directory) as running:
        until_live(running)
        yield running


def _connected(gateway: RealGateway, sent: bytes = b"") -> socket.socket:
    host, port = gateway.url.removeprefix("http://").split(":")
    wire = socket.create_connection((host, int(port)), timeout=_WAIT_S)
    wire.sendall(sent)
    return wire


def _told(wire: socket.socket) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(wire)
    answer.begin()
    return answer


def test_two_hundred_half_sent_requests_keep_nobody_out(bounded: RealGateway) -> None:
    with contextlib.ExitStack() as stack:
        half = [stack.enter_context(_connected(bounded, _HALF)) for _ in range(200)]
        for _ in range(2):
            assert bounded.get("/healthz").status_code == 200
            assert bounded.get("/api/daemons").status_code == 200
            assert bounded.get("/", headers={"Accept": "text/html"}).status_code in (200, 503)  # 503: not built
        statuses = [_told(wire).status for wire in half]
    assert set(statuses) <= {408, 503}
    assert 503 in statuses  # they had to make room; they are told so


def test_what_does_not_come_whole_in_time_is_given_up(bounded: RealGateway) -> None:
    head = f"POST /api/faults HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bounded.token}\r\n"
    body = "Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{"
    with (
        _connected(bounded) as silent,
        _connected(bounded, _HALF) as dripping,
        _connected(bounded, (head + body).encode()) as half_a_body,
    ):
        while not select.select([dripping], [], [], 0.1)[0]:
            dripping.send(b"x")
        slow = _told(dripping)
        assert (slow.status, slow.headers["Connection"]) == (408, "close")
        assert "default-src 'none'" in slow.headers["Content-Security-Policy"]
        without = _told(half_a_body)
        assert without.status == 408
        assert json.load(without)["error"]["code"] == "request_timeout"
        assert silent.recv(64) == b""  # a browser's spare one would take words for an answer to something


def test_where_all_are_being_answered_one_more_is_refused_and_streams_and_probes_live_on(
    scripted: ScriptedDaemon, tmp_path: Path
) -> None:
    ask = b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with _gateway(scripted, tmp_path, _STREAM_REQUEST_S) as bounded, contextlib.ExitStack() as stack:
        streams = [stack.enter_context(_connected(bounded, ask)) for _ in range(CONNECTIONS)]
        opened = time.monotonic()
        assert {_told(wire).status for wire in streams} == {200}
        refused = bounded.get("/api/daemons")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "too_many_connections")
        assert refused.headers["Retry-After"]
        assert [bounded.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
        # They live for longer than a request may take.
        time.sleep(max(0.0, opened + 1.1 * _STREAM_REQUEST_S - time.monotonic()))
        scripted.publish("cluster.event", {"text": "still there"})
        for wire in streams:
            _until_told(wire, b"still there")
        # An RST, so that the gateway knows at once.
        streams[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        streams[0].close()
        until(lambda: bounded.get("/api/daemons").status_code == 200, "room for another")


def _until_told(wire: socket.socket, word: bytes) -> None:
    read = b""
    while word not in read:
        part = wire.recv(1 << 16)
        assert part, "the stream ended"
        read = read[-32:] + part
