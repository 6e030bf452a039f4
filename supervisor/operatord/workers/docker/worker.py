"""The worker: requests on containers in, states of containers out.

Requests, each by ``service``: ``kill, stop, start, restart, pause, unpause, update_cpu, attachment, disconnect,
connect, inspect, logs, exec, beside, volumes``; of the whole project: ``up, down, remove, ps, compose, helpers``.
Commands on one service wait for each other, those on different ones do not.

Frames: ``container.state`` whenever a container changes (all states, and the event that changed them),
``container.progress`` for each line of a long command, which is also printed, and ``cluster.event`` for what the
containers' logs tell of the cluster.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest
from operator_protocol.records import from_body, to_body
from operatord.workers.docker.calls import COMMAND_S, Calls
from operatord.workers.docker.progress import UpProgress
from operatord.workers.docker.project import Attachment, Beside, Project, ProjectSpec
from operatord.workers.docker.watching import Watch

if TYPE_CHECKING:
    from operatord.workers.runtime import WorkerContext

T = TypeVar("T")

CONTAINER_PROGRESS = "container.progress"

_UP_S = 900.0
"""Images may have to be fetched."""


async def main(ctx: "WorkerContext") -> None:
    """Entry of the worker: ``configure`` brings a ``ProjectSpec``."""
    # The import of python-on-whales takes its time: not on the loop, which has to beat.
    spec = from_body(ProjectSpec, await ctx.configured())
    worker = DockerWorker(await asyncio.to_thread(Project, spec), ctx.publish)
    for name, handler in worker.handlers().items():
        ctx.handle(name, handler)
    tasks = [asyncio.create_task(worker.watch.run())]
    if spec.followed:
        tasks.append(asyncio.create_task(worker.watch.follow_logs(ctx.request)))
    try:
        await worker.watch.seen.wait()
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
        self._calls = Calls()
        self.watch = Watch(project, self._calls, publish, echo)

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
        self._calls.close()

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

        await self._calls.do(f"up {' '.join(services)}".strip(), work, _seconds(args, _UP_S))
        return await self.ps({})

    async def down(self, args: Mapping[str, Any]) -> Body:
        """``{volumes: true, grace_s: 5, timeout_s}`` -> ``{}``."""
        volumes, grace_s = args.get("volumes") is not False, int(_number(args, "grace_s", 5.0))

        def work() -> None:
            self._project.down(volumes=volumes, timeout_s=grace_s)

        await self._calls.do("down", work, _seconds(args, COMMAND_S + 10 * grace_s))
        return {}

    async def remove(self, args: Mapping[str, Any]) -> Body:
        """``{services: [...]}`` -> ``{}``."""
        services = _words(args, "services")
        if not services:
            raise BadRequest("remove needs services")
        await self._calls.do(
            f"remove {' '.join(services)}", lambda: self._project.remove(services), _seconds(args, 60.0)
        )
        return {}

    async def ps(self, _args: Mapping[str, Any]) -> Body:
        """A fresh look: ``{containers: {service: state}}``."""
        await self.watch.look()
        return {"containers": self.watch.bodies()}

    async def compose(self, _args: Mapping[str, Any]) -> Body:
        """``{}`` where the compose plugin is installed."""
        await self._calls.do("compose version", self._project.require_compose, COMMAND_S)
        return {}

    async def helpers(self, args: Mapping[str, Any]) -> Body:
        """``{remove: false}`` -> ``{ids}``: helper containers that are there, or were and did not run."""
        look = self._project.remove_idle_helpers if args.get("remove") is True else self._project.helpers_left
        return {"ids": await self._calls.do("looking for helper containers", look, COMMAND_S)}

    # one container

    async def kill(self, args: Mapping[str, Any]) -> Body:
        """``{service, signal: "KILL"}``."""
        return await self._on(args, lambda name: self._project.kill(name, str(args.get("signal") or "KILL")))

    async def stop(self, args: Mapping[str, Any]) -> Body:
        """``{service, grace_s: 10}``."""
        grace_s = int(_number(args, "grace_s", 10.0))
        return await self._on(args, lambda name: self._project.stop(name, grace_s), COMMAND_S + grace_s)

    async def start(self, args: Mapping[str, Any]) -> Body:
        """``{service}``."""
        return await self._on(args, self._project.start)

    async def restart(self, args: Mapping[str, Any]) -> Body:
        """``{service, grace_s: 10}``."""
        grace_s = int(_number(args, "grace_s", 10.0))
        return await self._on(args, lambda name: self._project.restart(name, grace_s), COMMAND_S + grace_s)

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

    def _progress(self, line: str) -> None:
        self._echo(line)
        self._publish(CONTAINER_PROGRESS, {"project": self._project.spec.project, "line": line})

    async def _on(self, args: Mapping[str, Any], work: Callable[[str], None], timeout_s: float = COMMAND_S) -> Body:
        await self._asked(args, work, timeout_s)
        return {}

    async def _asked(self, args: Mapping[str, Any], work: Callable[[str], T], timeout_s: float = COMMAND_S) -> T:
        service = args.get("service")
        if not isinstance(service, str) or not service:
            raise BadRequest("which service?")
        return await self._calls.on(service, lambda: work(service), _seconds(args, timeout_s))


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
