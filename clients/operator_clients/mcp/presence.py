"""Presence tools: which agents are at work. One that sends no heartbeat for five minutes is stale."""

import time
from typing import Annotated, Any

from mcp.server import MCPServer
from pydantic import Field

from operator_clients.mcp.answers import record, records
from operator_clients.mcp.coordination import READS, REPEATS
from operator_clients.mcp.daemon import Daemon
from operator_clients.mcp.messages import Beat, Deregistered, Instance, Presence, Registered, iso
from operator_protocol.models import Presence as Present

_Role = Annotated[str, Field(description="the name of the instance")]


def add(server: MCPServer[Any], daemon: Daemon) -> None:
    """Give ``server`` the tools of this area."""

    @server.tool(title="Who is there", annotations=READS)
    async def coord_get_presence() -> Presence:
        """All instances that registered, and which of them are stale: no heartbeat for 300 seconds."""
        present = records(Present, (await daemon.ask("presence")).get("present"))
        return Presence(instances={one.role: _instance(one) for one in present})

    @server.tool(title="Register presence", annotations=REPEATS)
    async def coord_register_presence(
        role: _Role,
        worktree_path: Annotated[str | None, Field(description="where it works")] = None,
        session_id: Annotated[str | None, Field(description="its session")] = None,
    ) -> Registered:
        """Say that an instance has begun to work. Call it at the start of a session."""
        done = await daemon.ask(
            "presence.register", {"role": role, "worktree_path": worktree_path, "session_id": session_id}
        )
        known = record(Present, done.get("presence"))
        return Registered(
            role=known.role,
            registered_at=iso(known.registered_at),
            worktree_path=known.worktree_path,
            session_id=known.session_id,
        )

    @server.tool(title="Deregister presence", annotations=REPEATS)
    async def coord_deregister_presence(role: _Role) -> Deregistered:
        """Say that an instance has ended in good order. Call it at the end of a session."""
        await daemon.ask("presence.deregister", {"role": role})
        return Deregistered(role=role)

    @server.tool(title="Heartbeat", annotations=REPEATS)
    async def coord_heartbeat(role: _Role) -> Beat:
        """Say that an instance is still at work. Call it every minute."""
        done = await daemon.ask("presence.heartbeat", {"role": role})
        known = record(Present, done.get("presence"))
        return Beat(role=known.role, last_heartbeat=iso(known.last_heartbeat))


def _instance(present: Present) -> Instance:
    return Instance(
        instance_id=present.role,
        active=True,
        last_heartbeat=iso(present.last_heartbeat),
        session_id=present.session_id,
        worktree_path=present.worktree_path,
        stale=present.stale,
        # The daemon's clock may be another one, and a little ahead of ours.
        seconds_since_heartbeat=max(0, int(time.time() - present.last_heartbeat)),
    )
