"""One connection to one real server: answers, refusals, silence."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from libvalkey import ReplyError
from tests.ports import free_port

from operatord.subjects.base import Servers
from operatord.subjects.valkey.binary import server_program
from operatord.subjects.valkey.layout import plan
from operatord.subjects.valkey.wire import CommandRefused, NodeClient, NodeGone, NodeSilent

_HOST = "127.0.0.1"


async def _start(servers: Servers, directory: Path) -> NodeClient:
    port = plan(directory, _HOST, 0, 1000).ports[0]
    argv = [str(server_program()), "--port", str(port), "--bind", _HOST, "--save", "", "--dir", str(directory)]
    await servers.launch("valkey-0", argv)
    client = NodeClient("valkey-0", _HOST, port)
    for _ in range(400):
        try:
            await client.ask(("PING",), deadline_s=1)
        except (NodeGone, NodeSilent):
            await asyncio.sleep(0.01)
        else:
            return client
    raise AssertionError("the server did not answer")


def test_commands_are_answered_in_order_and_an_error_among_them_spoils_nothing(
    servers: Servers, tmp_path: Path
) -> None:
    async def scenario() -> None:
        client = await _start(servers, tmp_path)
        replies = await client.ask(("SET", "a", 1), ("NONSENSE",), ("GET", "a"), ("LRANGE", "l", 0, -1), deadline_s=2)
        assert (replies[0], replies[2], replies[3]) == ("OK", "1", [])
        assert isinstance(replies[1], ReplyError)
        with pytest.raises(CommandRefused, match="NONSENSE"):
            await client.command("NONSENSE", deadline_s=2)
        many = await asyncio.gather(*(client.command("ECHO", number, deadline_s=2) for number in range(50)))
        assert many == [str(number) for number in range(50)]
        client.close()

    asyncio.run(scenario())


def test_a_port_where_nobody_listens_is_gone_not_silent() -> None:
    async def scenario() -> None:
        with pytest.raises(NodeGone, match="connection refused"):
            await NodeClient("valkey-9", _HOST, free_port()).ask(("PING",), deadline_s=2)

    asyncio.run(scenario())


def test_a_stopped_server_is_silent_and_answers_again_after_it_was_woken(servers: Servers, tmp_path: Path) -> None:
    async def scenario() -> None:
        client = await _start(servers, tmp_path)
        servers.signal("valkey-0", signal.SIGSTOP)
        for _ in range(2):  # over the kept connection, then over a new one that the kernel accepts
            with pytest.raises(NodeSilent, match="did not answer within") as raised:
                await client.ask(("PING",), deadline_s=0.1)
            assert raised.value.connected
        servers.signal("valkey-0", signal.SIGCONT)
        assert await client.command("PING", deadline_s=5) == "PONG"
        client.close()

    asyncio.run(scenario())


def test_an_answer_that_came_while_we_ourselves_stood_still_counts(servers: Servers, tmp_path: Path) -> None:
    async def scenario() -> None:
        client = await _start(servers, tmp_path)
        asked = asyncio.create_task(client.ask(("PING",), deadline_s=0.1))
        for _ in range(5):  # until it is on its way
            await asyncio.sleep(0)
        time.sleep(1.0)  # noqa: ASYNC251 - the server runs, and nothing of this process
        assert await asked == ["PONG"]
        client.close()

    asyncio.run(scenario())


def test_a_server_that_dies_while_asked_is_gone_and_its_successor_is_found(servers: Servers, tmp_path: Path) -> None:
    async def scenario() -> None:
        client = await _start(servers, tmp_path)
        asked = asyncio.create_task(client.ask(("BLPOP", "nothing", 0), deadline_s=5))
        await asyncio.sleep(0.05)
        pid = servers.pid("valkey-0")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(NodeGone):
            await asked
        await servers.terminate("valkey-0")
        argv = [
            str(server_program()),
            "--port",
            str(client.port),
            "--bind",
            _HOST,
            "--save",
            "",
            "--dir",
            str(tmp_path),
        ]
        await servers.launch("valkey-0", argv)
        for _ in range(400):
            try:
                assert await client.command("PING", deadline_s=1) == "PONG"
                break
            except NodeGone:
                await asyncio.sleep(0.01)
        client.close()

    asyncio.run(scenario())


def test_a_cancelled_question_does_not_mix_up_later_answers(servers: Servers, tmp_path: Path) -> None:
    async def scenario() -> None:
        client = await _start(servers, tmp_path)
        asked = asyncio.create_task(client.ask(("ECHO", "early"), deadline_s=5))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await client.command("ECHO", "late", deadline_s=5) == "late"
        client.close()

    asyncio.run(scenario())


def test_something_that_does_not_speak_the_protocol_is_gone() -> None:
    async def scenario() -> None:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(greet, _HOST, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            client = NodeClient("valkey-0", _HOST, port)
            with pytest.raises(NodeGone, match="not the Valkey protocol"):
                await client.ask(("PING",), deadline_s=5)
            client.close()

    asyncio.run(scenario())
