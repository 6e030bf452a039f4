"""The start of a subject that may fail, and is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import cast

import pytest

from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, OperatorError, Unavailable
from operatord.launching import Launch
from operatord.subjects.base import Progress, SubjectControl


class Stage:
    """A subject whose start ends as it is told, and what the launch says and does."""

    def __init__(self) -> None:
        self.ends: list[Exception | None] = []
        self.going = asyncio.Event()
        self.going.set()
        self.said: list[str] = []
        self.published: list[Body] = []
        self.followed = 0
        subject = cast("SubjectControl", SimpleNamespace(name="toy", start=self.start))
        self.launch = Launch(
            subject, lambda _topic, body: self.published.append(body), self.said.append, then=self.then
        )

    async def start(self, _progress: Progress) -> None:
        await self.going.wait()
        error = self.ends.pop(0)
        if error is not None:
            raise error

    async def then(self) -> None:
        self.followed += 1


def on_stage(work: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        await work(Stage())

    asyncio.run(main())


def test_a_start_that_fails_is_told_to_everybody_each_second_until_one_succeeds() -> None:
    async def work(stage: Stage) -> None:
        stage.ends = [Unavailable("no engine", "start it"), Unavailable("no image"), None]
        await stage.launch.first()
        assert not stage.launch.is_up
        assert stage.said == [
            "the cluster was not started: no engine",
            "start it",
        ]
        stage.launch.tick()
        assert [(one["ok"], one["reason"]) for one in stage.published] == [(None, "it was not started: no engine")] * 2
        with pytest.raises(Unavailable, match="no image"):
            await stage.launch.again()
        assert stage.followed == 0
        await stage.launch.again()
        assert (stage.launch.is_up, stage.launch.error, stage.followed) == (True, None, 1)
        told = len(stage.published)
        stage.launch.tick()
        assert len(stage.published) == told
        stage.launch.require_up("a load")

    on_stage(work)


def test_what_is_up_or_under_way_is_not_started_a_second_time() -> None:
    async def work(stage: Stage) -> None:
        stage.ends = [None]
        stage.going.clear()
        first = asyncio.create_task(stage.launch.first())
        await asyncio.sleep(0)
        with pytest.raises(Conflict, match="being started"):
            await stage.launch.again()
        assert stage.launch.unknown().reason == "it is being started"
        stage.going.set()
        await first
        with pytest.raises(Conflict, match="is up"):
            await stage.launch.again()

    on_stage(work)


def test_an_error_of_the_system_is_one_line_and_a_defect_is_not_hidden() -> None:
    async def work(stage: Stage) -> None:
        stage.ends = [OSError(28, "No space left on device", "/data"), ZeroDivisionError()]
        await stage.launch.first()
        assert isinstance(stage.launch.error, OperatorError)
        assert stage.launch.error.message == "/data: No space left on device"
        with pytest.raises(Unavailable, match="a load: there is no cluster"):
            stage.launch.require_up("a load")
        with pytest.raises(ZeroDivisionError):
            await stage.launch.first()

    on_stage(work)
