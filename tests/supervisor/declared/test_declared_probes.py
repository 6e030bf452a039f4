"""One try of a readiness probe, against real listeners and real commands."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from operator_protocol.errors import DeadlineExceeded, OperatorError, Unavailable
from operatord.declared.probes import make_probe
from operatord.declared.sections import ProcessSection, ReadySection
from operatord.processes.commands import ChildCommands


@asynccontextmanager
async def listener(answer: bytes | None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answers each connection with those bytes and hangs up; with None it says nothing and stays."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(4096))
        if answer is not None:
            writer.write(answer)
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


def attempt(ready: ReadySection) -> None:
    async def once() -> None:
        probe = make_probe(ProcessSection(command=["x"], ready=ready), ChildCommands())
        assert probe is not None
        await probe.attempt()

    asyncio.run(once())


def attempt_http(answer: bytes | None, path: str = "/health?deep=1", timeout_s: float = 10) -> bytes:
    async def story() -> bytes:
        async with listener(answer) as (port, asked):
            ready = ReadySection(http=f"http://127.0.0.1:{port}{path}", timeout=timeout_s)
            probe = make_probe(ProcessSection(command=["x"], ready=ready), ChildCommands())
            assert probe is not None
            await probe.attempt()
            return asked[0]

    return asyncio.run(story())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 204 No Content\r\n\r\n",
        b"HTTP/1.1 399 \r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_a_status_from_200_to_399_is_ready(answer: bytes) -> None:
    request = attempt_http(answer)
    assert request.startswith(b"GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert request.endswith(b"\r\n\r\n")


def test_a_url_without_a_path_asks_for_the_root() -> None:
    assert attempt_http(b"HTTP/1.1 200 OK\r\n\r\n", path="").startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "status 404"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (b"HTTP/1.1 2000 OK\r\n", "not HTTP"),
        (b"", "closed without an answer"),
        (b"HTTP/1.1 200" + b"x" * 100_000, "not"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 300, "does not come to an end"),
    ],
)
def test_every_other_answer_is_not_ready_and_says_why(answer: bytes, said: str) -> None:
    with pytest.raises(Unavailable, match=said):
        attempt_http(answer)


def test_no_answer_is_given_up_after_the_timeout() -> None:
    with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.05 s"):
        attempt_http(None, timeout_s=0.05)


def test_a_listener_that_accepts_is_ready() -> None:
    async def story() -> None:
        async with listener(b"") as (port, _):
            for told in (port, f"127.0.0.1:{port}", f"localhost:{port}"):
                probe = make_probe(ProcessSection(command=["x"], ready=ReadySection(tcp=told)), ChildCommands())
                assert probe is not None
                await probe.attempt()

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_a_port_where_nobody_listens_is_not_ready(free_port: int, kind: str) -> None:
    ready = ReadySection(tcp=free_port) if kind == "tcp" else ReadySection(http=f"http://127.0.0.1:{free_port}/")
    with pytest.raises(Unavailable, match="Connection refused"):
        attempt(ready)


@pytest.mark.parametrize("host", ["x" * 300, "a..b"])
def test_a_host_that_cannot_be_a_name_is_not_ready_and_no_defect(host: str) -> None:
    with pytest.raises(Unavailable):
        attempt(ReadySection(tcp=f"{host}:80"))
    with pytest.raises(Unavailable):
        attempt(ReadySection(http=f"http://{host}/"))


def test_a_command_is_ready_when_it_exits_with_0() -> None:
    attempt(ReadySection(exec=[sys.executable, "-c", ""]))


@pytest.mark.parametrize(
    ("code", "said", "timeout_s"),
    [
        ("raise SystemExit(3)", "exit code 3$", 20.0),
        ("raise SystemExit('first\\nlast')", "exit code 1: last", 20.0),
        ("print('on stdout'); raise SystemExit(2)", "exit code 2: on stdout", 20.0),
        ("import time; time.sleep(60)", "did not end within", 1.0),
    ],
)
def test_a_command_that_fails_or_hangs_is_not_ready_and_says_why(code: str, said: str, timeout_s: float) -> None:
    with pytest.raises(OperatorError, match=said):
        attempt(ReadySection(exec=[sys.executable, "-S", "-c", code], timeout=timeout_s))


def test_what_is_printed_is_not_tried_for() -> None:
    for ready in (ReadySection(log="ready"), None):
        assert make_probe(ProcessSection(command=["x"], ready=ready), ChildCommands()) is None
