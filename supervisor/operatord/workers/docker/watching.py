"""What happens to the containers of a project: one look and the events since, told whenever a container changes.

``container.state`` has all states, and the event that changed them.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict

from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError
from operator_protocol.records import to_body
from operatord.workers.docker.calls import COMMAND_S, Calls
from operatord.workers.docker.containers import Containers, Event, parse_event
from operatord.workers.docker.events import EventStream, event_stream
from operatord.workers.docker.logs import Hand, LogFollower
from operatord.workers.docker.notable import NotableLines
from operatord.workers.docker.project import Project

CONTAINER_STATE = "container.state"

_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 5.0


class Watch:
    """One project, watched."""

    def __init__(
        self, project: Project, calls: Calls, publish: Callable[[str, Body], None], echo: Callable[[str], None]
    ) -> None:
        self._project = project
        self._calls = calls
        self._publish = publish
        self._echo = echo
        self._containers = Containers()
        self._logs: LogFollower | None = None
        self._engine = ""
        """What is wrong with the engine; empty when it answers."""
        self.seen = asyncio.Event()
        """Set once the first look succeeded or failed."""

    async def run(self) -> None:
        """Tell of each change until cancelled; an engine that goes away is waited for."""
        failures = 0
        while True:
            try:
                async with event_stream(self._project.event_command) as stream:
                    following = asyncio.create_task(self._follow(stream))
                    try:
                        # The stream first: what happens during the look is in it.
                        await self.look()
                        failures = 0
                        await following
                    finally:
                        following.cancel()
                        await asyncio.gather(following, return_exceptions=True)
                self._lost(stream.complaint)
            except OperatorError as error:
                self._lost(error.message)
            self.seen.set()
            failures += 1
            await asyncio.sleep(min(_FIRST_RETRY_S * 2.0 ** (failures - 1), _LONGEST_RETRY_S))

    async def follow_logs(self, hand: Hand) -> None:
        """Hand on what the containers print, until cancelled."""
        notable = NotableLines(self._publish)
        self._logs = LogFollower(self._project.log_command, hand, self._any_runs, notable=notable)
        await self._logs.follow()

    async def look(self) -> None:
        """A fresh look; told if it shows anything new."""
        found, began_at = await self._calls.do("ps", self._project.look, COMMAND_S)
        before = dict(self._containers.states)
        self._containers.see(found, began_at)
        if self._engine:
            self._echo("the container engine answers")
        news = bool(self._engine) or before != dict(self._containers.states) or not self.seen.is_set()
        self._engine = ""
        if news:
            self._tell(None)
        self.seen.set()

    def bodies(self) -> Body:
        """The state of every container, by service."""
        return {service: to_body(state) for service, state in self._containers.states.items()}

    def _any_runs(self) -> bool:
        states, followed = self._containers.states, self._project.spec.followed
        return any(states[name].state == "running" for name in followed if name in states)

    async def _follow(self, stream: EventStream) -> None:
        async for line in stream:
            event = parse_event(line)
            if event is not None and self._containers.tell(event):
                self._tell(event)

    def _lost(self, why: str) -> None:
        if not self._engine:
            self._echo(f"the container engine is lost: {why}")
        self._engine = why
        self._containers.forget()
        self._tell(None)

    def _tell(self, event: Event | None) -> None:
        body: Body = {
            "project": self._project.spec.project,
            "engine": "down" if self._engine else "up",
            "reason": self._engine,
            "containers": self.bodies(),
            "event": asdict(event) if event else None,
            "told_at": time.time(),
        }
        self._publish(CONTAINER_STATE, body)
        if self._logs is not None:
            self._logs.look()
