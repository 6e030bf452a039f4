"""The daemon as the tools see it: one command at a time, each on a connection of its own.

A server of tools lives as long as the session of an agent, a daemon may be restarted meanwhile. So nothing is kept
between two calls, and a call that finds no daemon says so at once.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import anyio.to_thread

from operator_protocol.aio import AsyncFollower
from operator_protocol.codec import Body
from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import DaemonUnreachable
from operator_protocol.requests import Requester, default_actor

JOIN_S = 10.0
"""A daemon that answers a ping has this long to let us join."""
_LOOK_S = 10.0
_GONE_EVERY_S = 0.5
"""How often a long command looks whether its daemon still is there."""


class Daemon:
    """One daemon, and who we are there."""

    def __init__(self, endpoint: Endpoint, instance: str = "") -> None:
        self.endpoint = endpoint
        self.instance = instance
        """The name in coordination messages; empty if none was given."""
        # In the audit log: which agent it was, and that it was one.
        self._actor = f"mcp {instance or 'agent'}, {default_actor()}"

    async def ask(self, cmd: str, args: Mapping[str, Any] | None = None) -> Body:
        """Send a short command and return its result. Raises its typed error, or ``DaemonUnreachable``."""

        def ask() -> Body:
            with Requester(self.endpoint, actor=self._actor) as requester:
                return requester.command(cmd, args, deadline_s=_LOOK_S)

        return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)

    async def perform(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float) -> Body:
        """Send a long command and wait for its outcome, at most ``deadline_s`` seconds.

        Raises the typed error of the command, and ``DaemonUnreachable`` when the daemon goes away under it.
        """
        await self.ask("ping")
        async with AsyncFollower(self.endpoint, topics=(), actor=self._actor) as follower:
            await follower.join(JOIN_S)
            outcome = asyncio.ensure_future(follower.perform(cmd, args, deadline_s=deadline_s))
            try:
                while not outcome.done():
                    await asyncio.wait((outcome,), timeout=_GONE_EVERY_S)
                    if follower.status == "lost" and not outcome.done():
                        raise DaemonUnreachable(
                            f"the daemon at {self.endpoint.label} stopped answering before {cmd} was done",
                            "what was begun may go on; look with operator_status when it is back",
                        )
                return outcome.result()
            finally:
                outcome.cancel()
