"""The routes of DevOps activity: what they answer, and that they never answer with nothing when there is no daemon."""

import asyncio
import contextlib
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.clients.scripted import ScriptedDaemon

from operator_clients.web.daemons import DaemonAddress, Daemons
from operator_clients.web.devops import devops_router
from operator_clients.web.errors import install_handlers
from operator_protocol.codec import Body
from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.errors import Unavailable
from operator_protocol.models import DevOpsActivity, DevOpsStep
from operator_protocol.records import to_body

ACTIVITY = "/api/devops/activity"
RUNNING = DevOpsActivity(
    "deploy-7",
    "Deploy web 2.1.0",
    "in_progress",
    1_790_000_000.5,
    1_790_000_012.5,
    steps=[
        DevOpsStep("pull", "completed", 1_790_000_001.5, 1_790_000_006.25),
        DevOpsStep("apply", "failed", 1_790_000_007.5, 1_790_000_012.5, "no room"),
        DevOpsStep("wait"),
    ],
)
DONE = DevOpsActivity("deploy-6", "Deploy web 2.0.9", "completed", 1_789_999_000.0, 1_789_999_095.0, 1_789_999_095.0)
FULL: Body = {"current": to_body(RUNNING), "recent": [to_body(DONE)]}


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A short path: socket addresses hold 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="web-"))
    yield directory
    shutil.rmtree(directory)


@contextlib.asynccontextmanager
async def served(runtime_dir: Path, *, live: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    daemons = Daemons([DaemonAddress("local", runtime_endpoint(runtime_dir))])
    app = FastAPI()
    install_handlers(app)
    app.include_router(devops_router(daemons))
    transport = httpx.ASGITransport(app)
    async with daemons.running(), httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        while live and daemons.choose().connection != "live":
            await asyncio.sleep(0.02)
        yield client


def ask(runtime_dir: Path, story: Callable[[httpx.AsyncClient], Awaitable[Any]], *, live: bool = True) -> Any:
    async def told() -> Any:
        async with asyncio.timeout(60), served(runtime_dir, live=live) as client:
            return await story(client)

    return asyncio.run(told())


@pytest.mark.criterion("US-08", "the last ones with steps, errors and durations, in the shape of the contract")
@pytest.mark.criterion("US-05", "the operation under way with its steps, the last ones with duration and status")
@pytest.mark.criterion("defect-3", "the error of a step is in the answer")
def test_the_operation_under_way_and_the_last_ones_are_told_with_steps_errors_and_durations(runtime_dir: Path) -> None:
    with ScriptedDaemon(runtime_dir) as daemon:
        daemon.on("devops", lambda _: FULL)
        told = ask(runtime_dir, lambda client: client.get(ACTIVITY)).json()
        assert daemon.asked("devops") == [{"limit": 10}]
    assert told["current"] == {
        "id": "deploy-7",
        "operation": "Deploy web 2.1.0",
        "status": "in_progress",
        "startedAt": "2026-09-21T14:13:20.500Z",
        "updatedAt": "2026-09-21T14:13:32.500Z",
        "completedAt": None,
        "durationSeconds": None,
        "error": None,
        "steps": [
            {
                "name": "pull",
                "status": "completed",
                "startedAt": "2026-09-21T14:13:21.500Z",
                "completedAt": "2026-09-21T14:13:26.250Z",
                "durationSeconds": 4.75,
                "error": None,
            },
            {
                "name": "apply",
                "status": "failed",
                "startedAt": "2026-09-21T14:13:27.500Z",
                "completedAt": "2026-09-21T14:13:32.500Z",
                "durationSeconds": 5.0,
                "error": "no room",
            },
            {
                "name": "wait",
                "status": "pending",
                "startedAt": None,
                "completedAt": None,
                "durationSeconds": None,
                "error": None,
            },
        ],
    }
    assert [(one["id"], one["durationSeconds"]) for one in told["recent"]] == [("deploy-6", 95.0)]
    assert (told["stale"], told["ageSeconds"], told["source"]) == (False, 0.0, "live")


@pytest.mark.criterion("US-08", "nothing to tell: current is null and recent empty")
@pytest.mark.criterion("US-05", "empty state of 24 hours")
def test_without_operations_the_answer_is_empty_and_current_is_null(runtime_dir: Path) -> None:
    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.get(ACTIVITY), await client.get(f"{ACTIVITY}/current")]

    with ScriptedDaemon(runtime_dir) as daemon:
        daemon.on("devops", lambda _: {"current": None, "recent": []})
        whole, current = ask(runtime_dir, story)
        daemon.on("devops", lambda _: {**FULL, "current": None})
        over, nothing = ask(runtime_dir, story)
    assert (whole.status_code, whole.json()["current"], whole.json()["recent"]) == (200, None, [])
    assert (current.status_code, current.json()) == (200, None)
    # What is over is not under way.
    assert (over.json()["current"], len(over.json()["recent"]), nothing.json()) == (None, 1, None)


def test_the_operation_under_way_is_told_alone(runtime_dir: Path) -> None:
    with ScriptedDaemon(runtime_dir) as daemon:
        daemon.on("devops", lambda _: FULL)
        assert ask(runtime_dir, lambda client: client.get(f"{ACTIVITY}/current")).json()["id"] == "deploy-7"


@pytest.mark.criterion("US-08", "limit from 1 to 100, 10 by default")
def test_a_limit_out_of_range_is_a_422_and_a_daemon_that_there_is_not_a_404(runtime_dir: Path) -> None:
    async def story(client: httpx.AsyncClient) -> list[int]:
        asked = [{"limit": value} for value in ("0", "101", "ten", "1", "100")] + [{"daemon": "nobody"}, {}]
        return [(await client.get(ACTIVITY, params=one)).status_code for one in asked]

    with ScriptedDaemon(runtime_dir) as daemon:
        daemon.on("devops", lambda _: FULL)
        assert ask(runtime_dir, story) == [422, 422, 422, 200, 200, 404, 200]
        assert daemon.asked("devops") == [{"limit": 1}, {"limit": 100}, {"limit": 10}]


def test_many_who_ask_at_once_share_an_answer_that_is_newer_than_their_question(runtime_dir: Path) -> None:
    changed = False
    decided = threading.Event()

    def slow(_: Body) -> Generator[float, None, Body]:
        told = {**FULL, "current": None} if changed else FULL
        decided.set()
        yield 0.3
        return told

    async def story(client: httpx.AsyncClient) -> list[Any]:
        nonlocal changed
        first = asyncio.create_task(client.get(ACTIVITY))
        while not decided.is_set():
            await asyncio.sleep(0.01)
        changed = True
        later = await asyncio.gather(*(client.get(ACTIVITY) for _ in range(50)))
        return [one.json()["current"] for one in [await first, *later]]

    with ScriptedDaemon(runtime_dir) as daemon:
        daemon.on("devops", slow)
        first, *later = ask(runtime_dir, story)
        assert (first["id"], later) == ("deploy-7", [None] * 50)
        assert len(daemon.asked("devops")) < 10


@pytest.mark.criterion("US-08", "coordination down: 503")
@pytest.mark.criterion("defect-4", "without the daemon the activity is a 503, never an empty list")
def test_without_a_daemon_an_empty_list_would_be_told_and_a_503_is(runtime_dir: Path) -> None:
    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.get(ACTIVITY), await client.get(f"{ACTIVITY}/current")]

    for down in ask(runtime_dir, story, live=False):
        assert (down.status_code, down.json()["error"]["code"]) == (503, "daemon_unreachable")
        assert down.headers["Retry-After"]


@pytest.mark.criterion("defect-4", "a store that fails and a daemon that hangs are a 503 too")
@pytest.mark.parametrize("trouble", ["store", "silence", "nonsense"])
def test_a_daemon_whose_store_fails_or_that_hangs_or_speaks_nonsense_is_an_error_and_no_empty_list(
    runtime_dir: Path, trouble: str
) -> None:
    def fail(_: Body) -> Body:
        raise Unavailable("the ticket database failed: disk I/O error")

    def hang(_: Body) -> Generator[float, None, Body]:
        yield 30.0
        return FULL

    answers: dict[str, Any] = {"store": fail, "silence": hang, "nonsense": lambda _: {"current": {"id": 7}}}
    with ScriptedDaemon(runtime_dir) as daemon:
        daemon.on("devops", answers[trouble])
        told = ask(runtime_dir, lambda client: client.get(ACTIVITY))
    assert told.status_code == (502 if trouble == "nonsense" else 503)
    assert told.json()["error"]["message"]
