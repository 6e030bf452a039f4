"""The server: which tools there are, and how what goes wrong is told.

The SDK shows a client the text of its own ``ToolError`` only; of everything else it says that there was an error, and
no more. So this is the one place where our errors become results that an agent can read and act upon: ``is_error``, a
line of text with the hint, and the same as a map. The coordination tools say ``{success: false, error, ...}`` instead,
which is their contract.
"""

import gc
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, InputRequiredResult, TextContent
from pydantic import ValidationError

from operator_clients.mcp import changing, coordination, looking, presence
from operator_clients.mcp.daemon import Daemon
from operator_protocol.errors import BadRequest, OperatorError, Unauthorized

_INSTRUCTIONS = """\
Tools of an operator daemon: it watches a database cluster under load, opens a ticket for each invariant that does not \
hold, diagnoses it, and proposes actions. Begin with operator_status. Names that end in _at are seconds since the \
epoch, and so is `now`; latencies are milliseconds, rates per second. The coord_ tools exchange messages with other \
agents; a message lives for 24 hours. Hints are written for people: what they call operatorctl tickets is the tool \
operator_tickets here.
"""
_READING = "This server was started without --control: it can look, and not change the cluster.\n"
_CHANGING = (
    "This server was started with --control: operator_fault breaks real servers, operator_recover brings them back.\n"
)


class OperatorServer(MCPServer[Any]):
    """An ``MCPServer`` whose failed calls carry our typed errors."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; an anticipated failure is a result, a defect is raised for the SDK to log and to mask."""
        try:
            await self._check_names(name, arguments)
            return await super().call_tool(name, arguments, context)
        except OperatorError as error:
            return _failed(name, error)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, OperatorError):
                return _failed(name, cause)
            if isinstance(cause, ValidationError) and cause.title == f"{name}Arguments":
                return _failed(name, BadRequest(_problems(cause)))
            raise

    async def _check_names(self, name: str, arguments: Iterable[str]) -> None:
        """Refuse parameters that the tool does not have: the SDK drops them, and then another fault is injected."""
        tool = next((tool for tool in await self.list_tools() if tool.name == name), None)
        if tool is None:
            if name in changing.NAMES:
                raise Unauthorized(
                    f"{name} changes the cluster, and this server was started without control rights",
                    "whoever configures it may start it with: operator-mcp --control",
                )
            return
        known = list(tool.input_schema.get("properties", {}))
        if unknown := sorted(set(arguments) - set(known)):
            takes = f"it takes {', '.join(known)}" if known else "it takes no parameters"
            raise BadRequest(f"{name} has no parameter {', '.join(map(repr, unknown))}", takes)


def build(daemon: Daemon, *, control: bool) -> MCPServer[Any]:
    """The server of ``daemon``; with ``control`` also with the tools that change the cluster."""
    server = OperatorServer(
        "operator",
        title="Operator",
        instructions=_INSTRUCTIONS + (_CHANGING if control else _READING),
        version=version("operatord"),
        log_level="WARNING",
        subscriptions=False,
    )
    with _without_collection():
        looking.add(server, daemon)
        coordination.add(server, daemon)
        presence.add(server, daemon)
        if control:
            changing.add(server, daemon)
    return server


@contextmanager
def _without_collection() -> Iterator[None]:
    """The descriptions of parameters are read from source; Python 3.11 miscounts a syntax tree's depth, and raises
    ``SystemError``, if a garbage collection comes in between (gh-106905)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _failed(name: str, error: OperatorError) -> CallToolResult:
    if not name.startswith("coord_"):
        return _error_result(str(error), {"error": error.to_wire()})
    document: dict[str, Any] = {"success": False, "error": error.message}
    if isinstance(error, coordination.UnknownType):
        document["valid_types"] = list(error.valid_types)
    elif error.hint:
        document["hint"] = error.hint
    return _error_result(json.dumps(document, indent=2), document)


def _error_result(text: str, document: dict[str, Any]) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=document, is_error=True)


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
