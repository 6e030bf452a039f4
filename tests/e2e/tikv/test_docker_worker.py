"""The docker worker's requests and events, on a real engine."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
import zmq
from tests.standins.compose import ComposeProject, compose_project
from tests.standins.engine import Engine
from tests.standins.images import COMPOSE_FILE

from operator_protocol.codec import Body, pack, unpack_map
from operator_protocol.errors import BadRequest, Conflict, NotFound, Unavailable
from operator_protocol.records import to_body
from operatord.workers.docker.project import Project, ProjectSpec
from operatord.workers.docker.watching import CONTAINER_STATE
from operatord.workers.docker.worker import CONTAINER_PROGRESS, DockerWorker

T = TypeVar("T")

TIMEOUT_S = 30.0


class Frames:
    """What the worker published."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Body]] = []
        self._news = asyncio.Event()

    def publish(self, topic: str, body: Body) -> None:
        self.all.append((topic, body))
        self._news.set()

    def last(self) -> Body:
        return next((body for topic, body in reversed(self.all) if topic == CONTAINER_STATE), {"containers": {}})

    async def until(self, service: str, state: str) -> Body:
        """The state of the container, once it is that."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                self._news.clear()
                found: Body = self.last()["containers"].get(service, {})
                if found.get("state") == state:
                    return found
                await self._news.wait()


@pytest.fixture(scope="module")
def project(docker_engine: Engine) -> Iterator[ComposeProject]:
    with compose_project(docker_engine) as project:
        project.up("pd0", "pd1", "pd2")
        yield project


@asynccontextmanager
async def working(project: ComposeProject) -> AsyncIterator[tuple[DockerWorker, Frames]]:
    frames = Frames()
    spec = ProjectSpec(str(COMPOSE_FILE), project.name, project.variables, ["load"])
    worker = DockerWorker(Project(spec), frames.publish, lambda _: None)
    watching = asyncio.create_task(worker.watch.run())
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await worker.watch.seen.wait()
        yield worker, frames
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        worker.close()


def with_worker(project: ComposeProject, work: Callable[[DockerWorker, Frames], Awaitable[T]]) -> T:
    async def main() -> T:
        async with working(project) as (worker, frames):
            return await work(worker, frames)

    return asyncio.run(main())


def test_the_first_frame_tells_of_every_container(project: ComposeProject) -> None:
    async def work(worker: DockerWorker, frames: Frames) -> Body:
        return frames.last()

    frame = with_worker(project, work)
    assert frame["engine"] == "up"
    assert {name: one["state"] for name, one in frame["containers"].items()} == dict.fromkeys(
        ("pd0", "pd1", "pd2"), "running"
    )


def test_a_kill_from_outside_is_told_with_its_exit_code_and_a_start_brings_it_back(project: ComposeProject) -> None:
    async def work(worker: DockerWorker, frames: Frames) -> tuple[Body, Body]:
        await asyncio.to_thread(project.engine.docker, "kill", project.container("pd1"))
        dead = await frames.until("pd1", "exited")
        await worker.start({"service": "pd1"})
        return dead, await frames.until("pd1", "running")

    dead, back = with_worker(project, work)
    assert dead["exit_code"] == 137
    assert abs(time.time() - dead["since_at"]) < TIMEOUT_S
    assert back["exit_code"] is None


def test_pausing_stopping_restarting_and_limiting_do_what_they_say(project: ComposeProject) -> None:
    async def work(worker: DockerWorker, frames: Frames) -> None:
        on = {"service": "pd2"}
        await worker.pause(on)
        await frames.until("pd2", "paused")
        with pytest.raises(Conflict):
            await worker.pause(on)
        await worker.unpause(on)
        await frames.until("pd2", "running")
        await worker.update_cpu({**on, "quota": 20_000})
        assert (await worker.inspect(on))["cpu_quota"] == 20_000
        await worker.update_cpu({**on, "quota": -1})
        assert (await worker.inspect(on))["cpu_quota"] in {0, -1}
        await worker.stop({**on, "grace_s": 30})
        assert (await frames.until("pd2", "exited"))["exit_code"] == 0
        await worker.start(on)
        await frames.until("pd2", "running")
        # A program that has only just begun takes no notice of TERM, being the first of its container.
        await worker.up({"services": ["pd2"]})
        pid = (await worker.inspect(on))["pid"]
        await worker.restart({**on, "grace_s": 30})
        assert (await worker.inspect(on))["pid"] != pid

    with_worker(project, work)


def test_a_container_that_was_cut_off_is_connected_as_it_was(project: ComposeProject) -> None:
    async def work(worker: DockerWorker, frames: Frames) -> None:
        on = {"service": "pd0"}
        before = await worker.attachment(on)
        assert before["address"] == project.variables["OPERATOR_TIKV_NET"] + ".10"
        assert "pd0" in before["aliases"]
        assert await worker.disconnect(on) == before
        with pytest.raises(Conflict):
            await worker.attachment(on)
        await worker.connect({**on, **before})
        assert await worker.attachment(on) == before

    with_worker(project, work)


def test_a_stopped_container_is_cut_off_and_connected_with_its_fixed_address(project: ComposeProject) -> None:
    async def work(worker: DockerWorker, frames: Frames) -> None:
        on = {"service": "pd1"}
        before = await worker.attachment(on)
        await worker.kill(on)
        await frames.until("pd1", "exited")
        assert await worker.disconnect(on) == before
        await worker.connect({**on, **before})
        await worker.start(on)
        assert await worker.attachment(on) == before

    with_worker(project, work)


def test_commands_and_logs_come_from_inside_the_container(project: ComposeProject) -> None:
    async def work(worker: DockerWorker, frames: Frames) -> tuple[Body, Body]:
        said = await worker.execute({"service": "pd0", "command": ["cat", "/etc/pd/pd.toml"]})
        return said, await worker.logs({"service": "pd0", "tail": 200})

    said, logged = with_worker(project, work)
    assert "max-replicas" in said["output"]
    assert any("stand-in" in line for line in logged["lines"])


def test_progress_is_told_line_by_line_and_what_is_up_is_left_alone(project: ComposeProject) -> None:
    async def work(worker: DockerWorker, frames: Frames) -> tuple[Body, list[str]]:
        before = (await worker.inspect({"service": "pd0"}))["id"]
        found = await worker.up({"services": ["pd0", "grafana"]})
        assert (await worker.inspect({"service": "pd0"}))["id"] == before
        lines = [body["line"] for topic, body in frames.all if topic == CONTAINER_PROGRESS]
        await worker.remove({"services": ["grafana"]})
        await frames.until("grafana", "missing")
        return found, lines

    found, lines = with_worker(project, work)
    assert found["containers"]["grafana"]["health"] == "healthy"
    assert "grafana is healthy (2 of 2)" in lines or "grafana is healthy (1 of 2)" in lines
    assert len(lines) == len(set(lines)) < 10


def test_a_service_without_a_container_and_a_wrong_argument_are_refused_by_name(project: ComposeProject) -> None:
    async def work(worker: DockerWorker, frames: Frames) -> None:
        with pytest.raises(NotFound, match="tikv0"):
            await worker.kill({"service": "tikv0"})
        with pytest.raises(BadRequest):
            await worker.kill({})
        with pytest.raises(BadRequest):
            await worker.update_cpu({"service": "pd0"})

    with_worker(project, work)


def test_without_an_engine_nothing_is_known_and_every_request_says_why(
    project: ComposeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(worker: DockerWorker, frames: Frames) -> Body:
        with pytest.raises(Unavailable):
            await worker.kill({"service": "pd0"})
        return frames.last()

    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    frame = with_worker(project, work)
    assert frame["engine"] == "down"
    assert frame["reason"]
    assert frame["containers"] == {}


def test_the_worker_process_says_ready_answers_requests_and_beats_while_it_waits(project: ComposeProject) -> None:
    """The process that the fork server starts, with a bus of one socket."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as bus:
        port = bus.bind_to_random_port("tcp://127.0.0.1")
        args = {"module": "operatord.workers.docker.worker", "name": "docker", "ingest": f"tcp://127.0.0.1:{port}"}
        code = f"from operatord.workers.runtime import run; run({args!r})"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL) as process:
            try:
                kinds = list[bytes]()

                def until(kind: bytes) -> list[bytes]:
                    while not kinds or kinds[-1] != kind:
                        assert bus.poll(int(TIMEOUT_S * 1000)), f"no {kind!r}, only {kinds}"
                        parts = bus.recv_multipart()
                        kinds.append(parts[1])
                    return parts[1:]

                until(b"beat")
                spec = ProjectSpec(str(COMPOSE_FILE), project.name, project.variables, ["load"])
                bus.send_multipart([b"docker", b"configure", pack(to_body(spec))])
                until(b"ready")
                project.up("pd2")
                assert b"frame" in kinds
                kinds.clear()
                request = {"id": "1", "cmd": "restart", "args": {"service": "pd2", "grace_s": 5}}
                bus.send_multipart([b"docker", b"request", pack(request)])
                reply = unpack_map(until(b"reply")[1])
                assert (reply["id"], reply["ok"]) == ("1", True)
                kinds.clear()
                until(b"beat")
                process.terminate()
                assert process.wait(TIMEOUT_S) == 0
            finally:
                process.kill()
