"""One server's own port: answered, refused, silent, unreachable; and no connection more than one to a frozen server."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from tests.ports import free_ports
from tests.standins.serving import Answer, Request, serve

from operatord.subjects.tikv.status import GRPC_GREETING, Pulse, http_question

T = TypeVar("T")


def with_pulse(
    port: int,
    work: Callable[[Pulse], Awaitable[T]],
    *,
    host: str = "127.0.0.1",
    grpc: bool = False,
    tls: ssl.SSLContext | None = None,
) -> T:
    async def main() -> T:
        question = GRPC_GREETING if grpc else http_question(f"{host}:{port}", "/status")
        pulse = Pulse(host, port, question, time.monotonic, keep=not grpc, tls=tls)
        try:
            return await work(pulse)
        finally:
            pulse.close()
            await asyncio.sleep(0)

    return asyncio.run(main())


def ok(_request: Request) -> Answer:
    return Answer(200, b"")


def test_an_answer_of_any_status_is_a_sign_of_life() -> None:
    server = serve("127.0.0.1:0", lambda request: Answer(503, "not now"))

    async def work(pulse: Pulse) -> None:
        assert pulse.contact == "unasked"
        for _ in range(3):
            assert await pulse.beat(2) == "answered"
        assert pulse.answered_at is not None
        assert pulse.silent_for_s == 0.0

    with_pulse(server.server_port, work)
    server.shutdown()
    server.server_close()


def test_nobody_listens_is_refused_and_a_server_that_starts_again_is_found() -> None:
    (port,) = free_ports(1)

    async def work(pulse: Pulse) -> None:
        assert await pulse.beat(2) == "refused"
        server = serve(f"127.0.0.1:{port}", ok)
        assert await pulse.beat(2) == "answered"
        server.shutdown()
        server.server_close()

    with_pulse(port, work)


def test_a_frozen_server_is_silent_is_asked_once_and_answers_late() -> None:
    gate = threading.Event()
    asked = []

    def handler(request: Request) -> Answer:
        asked.append(request.path)
        return Answer(200, b"")

    server = serve("127.0.0.1:0", handler, gate)

    async def work(pulse: Pulse) -> None:
        for _ in range(5):
            assert await pulse.beat(0.05) == "silent"
            assert pulse.waits
        silent_for_s = pulse.silent_for_s
        assert silent_for_s >= 0.2
        gate.set()
        assert await pulse.beat(2) == "answered"
        assert asked == ["/status"]

    with_pulse(server.server_port, work)
    server.shutdown()
    server.server_close()


def test_a_proxy_that_accepts_and_hangs_up_is_a_refusal() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            connection.close()

    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()

    async def work(pulse: Pulse) -> None:
        assert await pulse.beat(2) == "refused"
        assert await pulse.beat(2) == "refused"

    with_pulse(listener.getsockname()[1], work)
    thread.join(5)
    listener.close()


def test_a_name_that_nobody_knows_is_unreachable_not_down() -> None:
    async def work(pulse: Pulse) -> None:
        assert await pulse.beat(2) == "unreachable"
        assert pulse.answered_at is None

    with_pulse(1, work, host="tikv0.invalid")


def test_a_data_port_answers_a_greeting_of_http_2_with_whatever_it_speaks() -> None:
    gate = threading.Event()
    server = serve("127.0.0.1:0", ok, gate)

    async def work(pulse: Pulse) -> None:
        assert await pulse.beat(0.1) == "silent"
        gate.set()
        assert await pulse.beat(2) == "answered"
        assert await pulse.beat(2) == "answered"

    with_pulse(server.server_port, work, grpc=True)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 in one file, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    words = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=tikv",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    key = path.with_suffix(".key")
    subprocess.run(["openssl", *words, "-keyout", key, "-out", path], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())
    return path


def test_over_tls_it_answers_is_silent_while_frozen_and_speaks_even_if_it_refuses_us(certificate: Path) -> None:
    gate = threading.Event()
    gate.set()
    server = serve("127.0.0.1:0", ok, gate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    trusting, strange = ssl.create_default_context(cafile=str(certificate)), ssl.create_default_context()

    async def work(pulse: Pulse) -> None:
        for _ in range(2):
            assert await pulse.beat(5) == "answered"

    async def frozen(pulse: Pulse) -> None:
        assert await pulse.beat(0.3) == "silent"
        gate.set()
        assert await pulse.beat(5) == "answered"

    with_pulse(server.server_port, work, tls=trusting)
    with_pulse(server.server_port, work, tls=strange)
    gate.clear()
    with_pulse(server.server_port, frozen, tls=trusting)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("host", ["", "a..b", "x" * 300, "\x00"])
def test_an_address_that_can_be_none_is_unreachable(host: str) -> None:
    async def work(pulse: Pulse) -> None:
        assert await pulse.beat(2) in ("unreachable", "refused")

    with_pulse(1, work, host=host)
    with_pulse(70_000, work)
