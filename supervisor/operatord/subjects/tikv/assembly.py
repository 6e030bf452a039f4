"""The containers as a whole: brought up on fresh volumes or adopted, taken down, brought back one by one."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from operator_protocol.errors import Conflict, DeadlineExceeded, NotFound, OperatorError, Unavailable
from operatord.clock import Clock
from operatord.subjects.base import Progress
from operatord.subjects.tikv import project as projects
from operatord.subjects.tikv.engine import Attachment, Containers, Engine
from operatord.subjects.tikv.options import Options
from operatord.subjects.tikv.project import Project

_ATTEMPTS = 3
"""Free ports and networks may be taken between choosing them and using them; then others are chosen."""


class OnDemand:
    """An engine that is opened when it is first asked, about the project that is written down."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.project: Project | None = None
        self._opened = ""

    async def open(self, spec: Mapping[str, Any]) -> None:
        """At once."""
        await self._engine.open(spec)

    async def ask(self, cmd: str, args: Mapping[str, Any], *, timeout_s: float = 40.0) -> Mapping[str, Any]:
        """Raises ``NotFound`` when there is no project."""
        if self.project is None:
            raise NotFound("there are no containers", "nothing was started from this state directory")
        if self._opened != self.project.instance:
            await self.open(self.project.worker_spec())
            self._opened = self.project.instance
        return await self._engine.ask(cmd, args, timeout_s=timeout_s)


class Assembly:
    """The project of one state directory. Works without ``start`` on the one that ``project.json`` describes."""

    def __init__(
        self, engine: Engine, state_dir: Path, options: Options, *, keep: bool, clock: Clock = time.monotonic
    ) -> None:
        self._state_dir = state_dir
        self._directory = state_dir / projects.DIRECTORY
        self._options = options
        self._keep = keep
        self._clock = clock
        self._engine = OnDemand(engine)
        self.containers = Containers(self._engine)
        self._engine.project = projects.load(self._directory)
        self._is_fresh = False
        """Whether the containers are those of this start, and not adopted."""
        self._is_creating = False
        """Whether the engine's command line may still be at it, since nobody saw it end."""

    @property
    def project(self) -> Project | None:
        """The one that is there, as far as is known."""
        return self._engine.project

    async def start(self, progress: Progress) -> Project:
        """Adopt, under ``keep``, or begin anew; returns when all containers are healthy."""
        if self.project is not None and self._keep and await self._is_whole():
            return await self._adopt(self.project, progress)
        if self.project is not None:
            progress(f"taking down the containers of an earlier run ({self.project.name})")
            await self._down()
        return await self._bring_up(progress)

    async def stop(self) -> None:
        """Take down what was started, unless it is kept."""
        if self.project is not None and not self._keep:
            await self._down()

    async def bring_back(self, node: str) -> str:
        """Started if it does not run, woken if it is frozen, connected if it was cut off; says what was done."""
        project = self._require(node)
        done = []
        if await self.containers.attachment(node) is None:
            await self.containers.connect(node, _attachment(project, node))
            done.append("connected")
        if what := await self.containers.bring_back(node):
            done.append(what)
        return " and ".join(done)

    def _require(self, node: str) -> Project:
        if self.project is None:
            raise NotFound("there are no containers", "nothing was started from this state directory")
        if node not in projects.SERVICES:
            raise NotFound(f"there is no node {node!r}", f"there are {', '.join(projects.NODES)}")
        return self.project

    async def _is_whole(self) -> bool:
        states = await self.containers.states()
        return all(states.get(name, "missing") != "missing" for name in projects.NODES)

    async def _adopt(self, project: Project, progress: Progress) -> Project:
        progress(f"the containers of an earlier run are there ({project.name})")
        self._is_fresh = False
        project = replace(project, environment={**project.environment, **projects.load_environment(self._options)})
        project.save(self._directory)
        self._engine.project = project
        for node in projects.NODES:
            if done := await self.bring_back(node):
                progress(f"{node}: {done}")
        return project

    async def _bring_up(self, progress: Progress) -> Project:
        failure: OperatorError | None = None
        for attempt in range(_ATTEMPTS):
            project = projects.plan(self._state_dir, self._options, seed=str(attempt))
            self._engine.project = project
            await self._require_engine()
            # Written down first: whatever becomes of this daemon, somebody knows what to take down.
            project.save(self._directory)
            subnet = project.environment["OPERATOR_TIKV_NET"]
            progress(f"starting {len(projects.SERVICES)} containers ({project.name}, network {subnet}.0/24)")
            self._is_fresh = self._is_creating = True
            try:
                await self.containers.up(projects.SERVICES, timeout_s=self._options.start_timeout_s)
                self._is_creating = False
            except OperatorError as error:
                self._is_creating = isinstance(error, DeadlineExceeded)
                await self.give_up(progress)
                chosen = self._options.base_port or self._options.network
                if not isinstance(error, Conflict) or chosen or self.project is not None:
                    raise
                failure = error
                progress(f"{error.message}; choosing others")
                continue
            return project
        raise failure or Unavailable("the containers could not be started")

    async def give_up(self, progress: Progress) -> None:
        """After a start that failed: take down what it created. What was adopted stays as it is.

        What cannot be taken down now is what the next start, or ``stop``, begins with.
        """
        if not self._is_fresh or self.project is None:
            return
        try:
            await self._down()
        except OperatorError as error:
            progress(f"what was created is still there: {error.message}")

    async def _require_engine(self) -> None:
        """Without one there is nothing to write down."""
        try:
            await self.containers.states()
            await self.containers.require_compose()
        except OperatorError:
            self._engine.project = None
            raise

    async def _down(self) -> None:
        if self._is_creating and self.project is not None:
            # It ends with who runs it. What it created after the others were taken down would stay, known to nobody.
            await self._engine.open(self.project.worker_spec())
            self._is_creating = False
        await self.containers.down(grace_s=self._options.stop_grace_s)
        projects.forget(self._directory)
        self._engine.project = None


def _attachment(project: Project, node: str) -> Attachment:
    found = project.attachment(node)
    aliases = found["aliases"]
    return Attachment(str(found["network"]), str(found["address"]), tuple(aliases) if isinstance(aliases, list) else ())
