"""Sessions of the official SDK's client with our server, and what a call answered."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import CallToolResult, TextContent

from operator_clients.mcp.daemon import Daemon
from operator_clients.mcp.server import build
from operator_protocol.endpoint import runtime_endpoint

WAIT_S = 90.0
"""No call may take longer, on however slow a machine."""
Session = Callable[[Client], Awaitable[None]]


def in_memory(runtime_dir: Path, session: Session, *, instance: str = "tester", control: bool = False) -> None:
    """Run ``session`` with a client that is in the same process as the server."""

    async def run() -> None:
        server = build(Daemon(runtime_endpoint(runtime_dir), instance), control=control)
        async with Client(server, read_timeout_seconds=WAIT_S) as client:
            await session(client)

    asyncio.run(run())


def over_stdio(runtime_dir: Path, session: Session, *options: str, mode: str = "auto") -> None:
    """Run ``session`` with a client that has started ``operator-mcp`` as its child."""

    async def run() -> None:
        async with Client(command(runtime_dir, *options), read_timeout_seconds=WAIT_S, mode=mode) as client:
            await session(client)

    asyncio.run(run())


def command(runtime_dir: Path, *options: str) -> StdioServerParameters:
    """How an AI client is told to start ours; the environment of these tests goes along, to find what is left over."""
    arguments = ["-m", "operator_clients.mcp", "--endpoint", str(runtime_dir), *options]
    return StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured result of a call that succeeds; its text says the same."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text(result)
    assert isinstance(result.structured_content, dict)
    assert json.loads(text(result)) == result.structured_content
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    """The result of a call that fails."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text(result)
    return result


async def error(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The typed error of an operator's own tool."""
    result = await refused(client, tool, **arguments)
    told: dict[str, Any] = (result.structured_content or {})["error"]
    assert text(result).startswith(told["message"])
    assert told["hint"] in text(result)
    return told


def text(result: CallToolResult) -> str:
    """What a client shows to a model that reads text only."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text
