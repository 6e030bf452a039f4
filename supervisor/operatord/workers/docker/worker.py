"""The worker: requests on containers in, states of containers out.

Requests, each by ``service``: ``kill, stop, start, restart, pause, unpause, update_cpu, attachment, disconnect,
connect, inspect, logs, exec, beside, volumes``; of the whole project: ``up, down, remove, ps, compose, helpers``.
Commands on one service wait for each other, those on different ones do not.

Frames: ``container.state`` whenever a container changes (all states, and the event that changed them),
``container.progress`` for each line of a long command, which is also printed, and ``cluster.event`` for what the
containers' logs tell of the cluster.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, DeadlineExceeded, OperatorError, Unavailable
from operator_protocol.records import from_body, to_body
from operatord.workers.docker.containers import Containers, Event, parse_event
from operatord.workers.docker.events import EventStream, event_stream
from operatord.workers.docker.logs import Hand, LogFollower
from operatord.workers.docker.notable import NotableLines
from operatord.workers.docker.progress import UpProgress
from operatord.workers.docker.project import Attachment, Beside, Project, ProjectSpec

if TYPE_CHECKING:
    from operatord.workers.runtime import WorkerContext

T = TypeVar("T")

CONTAINER_STATE = "container.state"
CONTAINER_PROGRESS = "container.progress"

_THREADS = 16
_COMMAND_S = 30.0
"""For one command on one container; the grace period of a stop comes on top."""
_UP_S = 900.0
"""Images may have to be fetched."""
_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 5.0


async def main(ctx: "WorkerContext") -> None:
    """Entry of the worker: ``configure`` brings a ``ProjectSpec``."""
    # The import of python-on-whales takes its time: not on the loop, which has to beat.
    spec = from_body(ProjectSpec, await ctx.configured())
    worker = DockerWorker(await asyncio.to_thread(Project, spec), ctx.publish)
    for name, handler in worker.handlers().items():
        ctx.handle(name, handler)
    tasks = [asyncio.create_task(worker.watch())]
    if spec.followed:
        tasks.append(asyncio.create_task(worker.follow_logs(ctx.request)))
    try:
        await worker.seen.wait()
        ctx.ready()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        worker.close()


class DockerWorker:
    """One project: what is asked for is done, what happens is told."""

    def __init__(
        self, project: Project, publish: Callable[[str, Body], None], echo: Callable[[str], None] = print
    ) -> None:
        self._project = project
        self._publish = publish
        self._echo = echo
        # Not the loop's own pool: the end of the loop would wait for a command that hangs.
        self._pool = ThreadPoolExecutor(_THREADS, "docker")
        self._locks: dict[str, asyncio.Lock] = {}
        self._containers = Containers()
        self._logs: LogFollower | None = None
        self._engine = ""
        """What is wrong with the engine; empty when it answers."""
        self.seen = asyncio.Event()
        """Set once the first look succeeded or failed."""

    def handlers(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        """By request."""
        return {
            "up": self.up, "down": self.down, "remove": self.remove, "ps": self.ps,
            "kill": self.kill, "stop": self.stop, "start": self.start, "restart": self.restart,
            "pause": self.pause, "unpause": self.unpause, "update_cpu": self.update_cpu,
            "attachment": self.attachment, "disconnect": self.disconnect, "connect": self.connect,
            "inspect": self.inspect, "logs": self.logs, "exec": self.execute,
            "beside": self.beside, "volumes": self.volumes, "compose": self.compose, "helpers": self.helpers,
        }  # fmt: skip

    def close(self) -> None:
        """Let go; commands under way end with the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    # the whole project

    async def up(self, args: Mapping[str, Any]) -> Body:
        """``{services: [], build: false, wait: true, timeout_s}`` -> ``ps``."""
        services, build, wait = _words(args, "services"), args.get("build") is True, args.get("wait") is not False
        loop = asyncio.get_running_loop()
        progress = UpProgress(self._project.spec.project, services)

        def say(line: str) -> None:
            if (told := progress.take(line)) is not None:
                loop.call_soon_threadsafe(self._progress, told)

        def work() -> None:
            self._project.up(services, build=build, wait=wait, say=say)

        await self._do(f"up {' '.join(services)}".strip(), work, _seconds(args, _UP_S))
        return await self.ps({})

    async def down(self, args: Mapping[str, Any]) -> Body:
        """``{volumes: true, grace_s: 5, timeout_s}`` -> ``{}``."""
        volumes, grace_s = args.get("volumes") is not False, int(_number(args, "grace_s", 5.0))

        def work() -> None:
            self._project.down(volumes=volumes, timeout_s=grace_s)

        await self._do("down", work, _seconds(args, _COMMAND_S + 10 * grace_s))
        return {}

    async def remove(self, args: Mapping[str, Any]) -> Body:
        """``{services: [...]}`` -> ``{}``."""
        services = _words(args, "services")
        if not services:
            raise BadRequest("remove needs services")
        await self._do(f"remove {' '.join(services)}", lambda: self._project.remove(services), _seconds(args, 60.0))
        return {}

    async def ps(self, _args: Mapping[str, Any]) -> Body:
        """A fresh look: ``{containers: {service: state}}``."""
        await self._look()
        return {"containers": self._bodies()}

    async def compose(self, _args: Mapping[str, Any]) -> Body:
        """``{}`` where the compose plugin is installed."""
        await self._do("compose version", self._project.require_compose, _COMMAND_S)
        return {}

    async def helpers(self, args: Mapping[str, Any]) -> Body:
        """``{remove: false}`` -> ``{ids}``: helper containers that are there, or were and did not run."""
        look = self._project.remove_idle_helpers if args.get("remove") is True else self._project.helpers_left
        return {"ids": await self._do("looking for helper containers", look, _COMMAND_S)}

    # one container

    async def kill(self, args: Mapping[str, Any]) -> Body:
        """``{service, signal: "KILL"}``."""
        return await self._on(args, lambda name: self._project.kill(name, str(args.get("signal") or "KILL")))

    async def stop(self, args: Mapping[str, Any]) -> Body:
        """``{service, grace_s: 10}``."""
        grace_s = int(_number(args, "grace_s", 10.0))
        return await self._on(args, lambda name: self._project.stop(name, grace_s), _COMMAND_S + grace_s)

    async def start(self, args: Mapping[str, Any]) -> Body:
        """``{service}``."""
        return await self._on(args, self._project.start)

    async def restart(self, args: Mapping[str, Any]) -> Body:
        """``{service, grace_s: 10}``."""
        grace_s = int(_number(args, "grace_s", 10.0))
        return await self._on(args, lambda name: self._project.restart(name, grace_s), _COMMAND_S + grace_s)

    async def pause(self, args: Mapping[str, Any]) -> Body:
        """``{service}``."""
        return await self._on(args, self._project.pause)

    async def unpause(self, args: Mapping[str, Any]) -> Body:
        """``{service}``."""
        return await self._on(args, self._project.unpause)

    async def update_cpu(self, args: Mapping[str, Any]) -> Body:
        """``{service, quota}``: microseconds in each 100 ms, -1 for no limit."""
        quota = int(_number(args, "quota", 0.0))
        if quota == 0:
            raise BadRequest("update_cpu needs a quota", "-1 takes the limit away")
        return await self._on(args, lambda name: self._project.update_cpu(name, quota))

    async def attachment(self, args: Mapping[str, Any]) -> Body:
        """``{service}`` -> ``{network, address, aliases}``."""
        return to_body(await self._asked(args, self._project.attachment))

    async def disconnect(self, args: Mapping[str, Any]) -> Body:
        """``{service}`` -> what ``connect`` needs: ``{network, address, aliases}``."""
        return to_body(await self._asked(args, self._project.disconnect))

    async def connect(self, args: Mapping[str, Any]) -> Body:
        """``{service, network, address, aliases}``."""
        network = args.get("network")
        if not isinstance(network, str) or not network:
            raise BadRequest("connect needs a network")
        attachment = Attachment(network, str(args.get("address") or ""), list(_words(args, "aliases")))
        return await self._on(args, lambda name: self._project.connect(name, attachment))

    async def inspect(self, args: Mapping[str, Any]) -> Body:
        """``{service}`` -> ``{state, health, pid, cpu_quota, networks, …}``."""
        return dict(await self._asked(args, self._project.inspect))

    async def logs(self, args: Mapping[str, Any]) -> Body:
        """``{service, tail: 100}`` -> ``{lines}``."""
        tail = int(_number(args, "tail", 100.0))
        return {"lines": await self._asked(args, lambda name: self._project.logs(name, tail))}

    async def execute(self, args: Mapping[str, Any]) -> Body:
        """``{service, command: [...]}`` -> ``{output}``."""
        command = _words(args, "command")
        if not command:
            raise BadRequest("exec needs a command")
        return {"output": await self._asked(args, lambda name: self._project.execute(name, command))}

    async def beside(self, args: Mapping[str, Any]) -> Body:
        """``{service, image, command: [...], where: "network"}`` -> ``{code, output, error}``: see ``helpers``."""
        image, command = str(args.get("image") or ""), _words(args, "command")
        known: Sequence[Beside] = get_args(Beside)
        where = next((one for one in known if one == args.get("where", "network")), None)
        if where is None or not command:
            raise BadRequest(f"beside needs a command, and where: {', '.join(known)}")
        return asdict(await self._asked(args, lambda name: self._project.beside(name, image, command, where)))

    async def volumes(self, args: Mapping[str, Any]) -> Body:
        """``{service}`` -> ``{volumes: [{name, at, options}]}``."""
        return {"volumes": await self._asked(args, self._project.volumes)}

    # what happens

    async def follow_logs(self, hand: Hand) -> None:
        """Hand on what the containers print, until cancelled."""
        notable = NotableLines(self._publish)
        self._logs = LogFollower(self._project.log_command, hand, self._any_runs, notable=notable)
        await self._logs.follow()

    def _any_runs(self) -> bool:
        states, followed = self._containers.states, self._project.spec.followed
        return any(states[name].state == "running" for name in followed if name in states)

    async def watch(self) -> None:
        """Tell of each change until cancelled; an engine that goes away is waited for."""
        failures = 0
        while True:
            try:
                async with event_stream(self._project.event_command) as stream:
                    following = asyncio.create_task(self._follow(stream))
                    try:
                        # The stream first: what happens during the look is in it.
                        await self._look()
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

    async def _follow(self, stream: EventStream) -> None:
        async for line in stream:
            event = parse_event(line)
            if event is not None and self._containers.tell(event):
                self._tell(event)

    async def _look(self) -> None:
        found, began_at = await self._do("ps", self._project.look, _COMMAND_S)
        before = dict(self._containers.states)
        self._containers.see(found, began_at)
        if self._engine:
            self._echo("the container engine answers")
        news = bool(self._engine) or before != dict(self._containers.states) or not self.seen.is_set()
        self._engine = ""
        if news:
            self._tell(None)
        self.seen.set()

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
            "containers": self._bodies(),
            "event": asdict(event) if event else None,
            "told_at": time.time(),
        }
        self._publish(CONTAINER_STATE, body)
        if self._logs is not None:
            self._logs.look()

    def _progress(self, line: str) -> None:
        self._echo(line)
        self._publish(CONTAINER_PROGRESS, {"project": self._project.spec.project, "line": line})

    def _bodies(self) -> Body:
        return {service: to_body(state) for service, state in self._containers.states.items()}

    # doing

    async def _on(self, args: Mapping[str, Any], work: Callable[[str], None], timeout_s: float = _COMMAND_S) -> Body:
        await self._asked(args, work, timeout_s)
        return {}

    async def _asked(self, args: Mapping[str, Any], work: Callable[[str], T], timeout_s: float = _COMMAND_S) -> T:
        service = args.get("service")
        if not isinstance(service, str) or not service:
            raise BadRequest("which service?")
        lock = self._locks.setdefault(service, asyncio.Lock())
        async with lock:
            return await self._do(service, lambda: work(service), _seconds(args, timeout_s))

    async def _do(self, what: str, work: Callable[[], T], timeout_s: float) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                return await loop.run_in_executor(self._pool, work)
        except TimeoutError:
            raise DeadlineExceeded(f"docker did not finish within {timeout_s:g} s: {what}") from None
        except RuntimeError as error:
            raise Unavailable(f"docker takes no commands: {error}") from error


def _words(args: Mapping[str, Any], name: str) -> Sequence[str]:
    found = args.get(name) or []
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise BadRequest(f"{name} must be a list of texts")
    return found


def _number(args: Mapping[str, Any], name: str, default: float) -> float:
    found = args.get(name, default)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise BadRequest(f"{name} must be a number")
    return float(found)


def _seconds(args: Mapping[str, Any], default: float) -> float:
    return _number(args, "timeout_s", default)
