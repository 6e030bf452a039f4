"""The container engine for a process without workers (``operatord recover``): the docker worker's code, in threads."""

import asyncio
from collections.abc import Mapping
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.errors import NotFound, UnknownCommand
from operator_protocol.records import from_body


class LocalEngine:
    """``Engine`` of a subject."""

    def __init__(self) -> None:
        self._worker: Any = None  # a DockerWorker; its module is imported only when it is needed

    async def open(self, spec: Mapping[str, Any]) -> None:
        """About this project from here on."""
        from operatord.workers.docker.project import Project, ProjectSpec
        from operatord.workers.docker.worker import DockerWorker

        self.close()
        found = from_body(ProjectSpec, spec)
        self._worker = DockerWorker(await asyncio.to_thread(Project, found), _nowhere, _nobody)

    async def ask(self, cmd: str, args: Mapping[str, Any], *, timeout_s: float = 40.0) -> Mapping[str, Any]:
        """Do it here."""
        if self._worker is None:
            raise NotFound("there are no containers")
        handler = self._worker.handlers().get(cmd)
        if handler is None:
            raise UnknownCommand(f"the container engine has no request {cmd!r}")
        async with asyncio.timeout(timeout_s):
            done: Mapping[str, Any] = await handler(args)
            return done

    def close(self) -> None:
        """Let go."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def _nowhere(topic: str, body: Body) -> None:
    """No daemon, no bus."""


def _nobody(line: str) -> None:
    """Nobody reads along."""
