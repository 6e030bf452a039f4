"""A fault that something outside the server holds is owed until that was taken back, however well the server looks."""

import asyncio
import signal
from pathlib import Path

from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.faults.recovery import CLUSTER_GONE, recover_offline
from operatord.injectors.base import Memo, Scene
from operatord.subjects.valkey.probe import ValkeyProbe

from .fault_stage import Stage, on_stage


class Mark:
    """An injector as small as one can be: a file beside the servers, which disturbs nobody."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def kind(self) -> FaultKind:
        return FaultKind("mark", "a file", "removing it")

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        return {"file": str(self.directory / f"mark-{fault.id}")}

    async def inject(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        Path(str(memo["file"])).write_text(scene.target.id)  # noqa: ASYNC240 - a few bytes

    async def undo(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        Path(str(memo["file"])).unlink(missing_ok=True)  # noqa: ASYNC240 - one entry

    async def leftovers(self, fault: Fault, scene: Scene, memo: Memo) -> str:
        return "the mark" if Path(str(memo["file"])).exists() else ""  # noqa: ASYNC240 - one entry

    def marks(self) -> int:
        return len(list(self.directory.glob("mark-*")))


def test_a_healthy_look_does_not_settle_it_and_the_undo_does(tmp_path: Path) -> None:
    mark = Mark(tmp_path)

    async def story(stage: Stage) -> None:
        fault = await stage.desk.inject("mark", "valkey-0", countdown_s=0)
        healthy: list[bool] = []

        async def thrice() -> bool:
            healthy.append(bool((await stage.note()).ok))
            return sum(healthy) == 3

        await stage.until(thrice)
        assert stage.desk.owed() == [fault]
        stage.table.signal("valkey-0", signal.SIGKILL)
        await stage.until(lambda: _is(stage.table.pid("valkey-0") is None))
        await stage.control.revive("valkey-0")

        async def well() -> bool:
            return bool((await stage.note()).ok)

        await stage.until(well)
        assert stage.desk.owed() == [fault]
        assert mark.marks() == 1
        (recovered,) = await stage.desk.recover()
        assert (recovered.recovered_by, mark.marks()) == ("undo", 0)

    on_stage(tmp_path, story, [mark])


def test_it_is_taken_back_before_the_next_daemon_starts_anything_and_stays_owed_until_it_is_verified(
    tmp_path: Path,
) -> None:
    mark = Mark(tmp_path)

    async def story(stage: Stage) -> None:
        await stage.desk.inject("mark", "valkey-0", countdown_s=0)
        await stage.another_daemon()
        await stage.desk.clear()
        assert (len(stage.desk.owed()), mark.marks()) == (1, 0)
        assert [fault.recovered_by for fault in await stage.desk.sweep()] == ["sweep"]

    on_stage(tmp_path, story, [mark])


def test_it_is_undone_not_just_struck_out_when_the_cluster_was_built_anew(tmp_path: Path) -> None:
    mark = Mark(tmp_path)

    async def story(stage: Stage) -> None:
        await stage.desk.inject("mark", "valkey-0", countdown_s=0)
        await stage.control.stop()
        await stage.another_daemon()
        await stage.control.start(lambda _: None)
        await stage.probe.close()
        stage.probe = ValkeyProbe(stage.control.spec)
        assert [fault.recovered_by for fault in await stage.desk.sweep()] == ["sweep"]
        assert mark.marks() == 0

    on_stage(tmp_path, story, [mark])


def test_it_is_taken_back_when_no_server_is_left_and_none_is_started_for_it(tmp_path: Path) -> None:
    mark = Mark(tmp_path)

    async def story(stage: Stage) -> None:
        await stage.desk.inject("mark", "valkey-0", countdown_s=0)
        await stage.control.stop()
        settled = await recover_offline(stage.control, stage.journal, ValkeyProbe, exists=False)
        assert [fault.recovered_by for fault in settled] == [CLUSTER_GONE]
        assert mark.marks() == 0
        assert all(stage.table.pid(f"valkey-{number}") is None for number in range(6))
        await stage.another_daemon()

    on_stage(tmp_path, story, [mark])


def test_it_is_taken_back_when_its_cluster_was_stopped_before_it_could_be_undone(tmp_path: Path) -> None:
    mark = Mark(tmp_path)

    async def story(stage: Stage) -> None:
        await stage.desk.inject("mark", "valkey-0", countdown_s=0)
        await stage.desk.release()
        await stage.control.stop()
        (fault,) = await stage.desk.forfeit("the cluster was stopped")
        assert (fault.recovered_by, mark.marks()) == ("the cluster was stopped", 0)

    on_stage(tmp_path, story, [mark])


def test_injections_into_all_shards_at_once_are_undone_together(tmp_path: Path) -> None:
    mark = Mark(tmp_path)

    async def story(stage: Stage) -> None:
        await asyncio.gather(*(stage.desk.inject("mark", f"valkey-{n}", countdown_s=0) for n in (0, 4, 5)))
        assert mark.marks() == 3
        assert len(await stage.desk.recover()) == 3
        assert mark.marks() == 0

    on_stage(tmp_path, story, [mark])


async def _is(value: bool) -> bool:
    return value
