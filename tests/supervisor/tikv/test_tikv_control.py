"""Changing an attached cluster: refused until it is allowed for that very cluster, then done and taken back."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
from tests.standins.cluster import STORE_IDS, StandInCluster, standin_cluster
from tests.standins.serving import Answer, ask, serve

from operator_protocol.errors import BadRequest, Conflict, NotFound, Unavailable
from operator_protocol.models import Action, Fault, Scalar
from operatord.subjects.base import Acting, Observation, Outliving, WorkloadSource
from operatord.subjects.tikv.control import TiKVControl
from operatord.subjects.tikv.engine import NoEngine
from operatord.subjects.tikv.pd.client import PDClient
from operatord.subjects.tikv.probe import TiKVProbe

from .watching import QUICK

T = TypeVar("T")

NAMES = {store_id: f"store-{store_id}" for store_id in STORE_IDS.values()}
"""Stores at bare addresses are named by their ids."""
STORE = NAMES[STORE_IDS["tikv0"]]
ALL = ("allow_faults_on", "allow_actions_on", "allow_load_on")


@pytest.fixture(scope="module")
def cluster() -> Iterator[StandInCluster]:
    with standin_cluster(*QUICK) as cluster:
        yield cluster


def cluster_id(cluster: StandInCluster) -> str:
    _, data = ask("GET", f"{cluster.pd_urls['pd0']}/pd/api/v1/members", timeout_s=5.0)
    return str(json.loads(data)["header"]["cluster_id"])


def attached(
    cluster: StandInCluster, tmp_path: Path, work: Callable[[TiKVControl], Awaitable[T]], *allowed: str, **options: str
) -> T:
    known: Mapping[str, Scalar] = {
        "pd": ",".join(cluster.pd_urls.values()),
        "data": ",".join(f"{NAMES[STORE_IDS[name]]}={place}" for name, place in cluster.addresses.items()),
        **dict.fromkeys(allowed, cluster_id(cluster) if allowed else ""),
        **options,
    }

    async def main() -> T:
        control = TiKVControl(NoEngine(), tmp_path, known, keep=False)
        await control.start(lambda _line: None)
        try:
            return await work(control)
        finally:
            await control.stop()

    return asyncio.run(main())


def fault(kind: str, target: str = STORE, role: str = "tikv") -> Fault:
    return Fault("f1", kind, target, "injecting", role)


def action(kind: str, target: str = STORE, **params: Scalar) -> Action:
    return Action(1, None, kind, target, "running", params)


async def look(control: TiKVControl, wanted: Callable[[Observation], bool]) -> Observation:
    probe = TiKVProbe(control.spec)
    try:
        async with asyncio.timeout(15):
            while not wanted(seen := await probe.observe(0.4)):
                await asyncio.sleep(0.1)
            return seen
    finally:
        await probe.close()


def test_an_attached_cluster_is_only_watched_until_it_is_allowed_by_its_id(
    cluster: StandInCluster, tmp_path: Path
) -> None:
    async def work(control: TiKVControl) -> None:
        named = cluster_id(cluster)
        with pytest.raises(Unavailable, match=rf'allow_faults_on = "{named}"'):
            await control.prepare(fault("evict-leader"))
        with pytest.raises(Unavailable, match="only watched"):
            await control.inject(fault("grpc-pause"), {})
        with pytest.raises(Unavailable, match="allow_actions_on"):
            await control.act(action("remove_evict_leader"))
        with pytest.raises(Unavailable, match="allow_load_on"):
            control.workload()
        assert all("only watched" in kind.missing for kind in control.faults().values())
        assert set(control.by_hand()) == set(control.actions()) | {"start_container", "restart_container"}
        assert all("only watched" in why for why in control.by_hand().values())

    attached(cluster, tmp_path, work)
    attached(cluster, tmp_path, work, **dict.fromkeys(ALL, "1,2,3"))


def test_a_pd_that_does_not_answer_leaves_the_daemon_up_and_everything_refused(tmp_path: Path) -> None:
    said: list[str] = []

    async def main() -> None:
        control = TiKVControl(NoEngine(), tmp_path, {"pd": "http://127.0.0.1:1", "allow_faults_on": "1"}, keep=False)
        await control.start(said.append)
        with pytest.raises(Unavailable, match="not known which cluster"):
            await control.prepare(fault("evict-leader"))
        await control.stop()

    asyncio.run(main())
    assert "does not answer yet" in said[0]


def test_what_is_allowed_for_a_cluster_is_not_done_to_its_successor_at_the_same_address(
    cluster: StandInCluster, tmp_path: Path
) -> None:
    _, data = ask("GET", f"{cluster.pd_urls['pd0']}/pd/api/v1/members", timeout_s=5.0)
    members = json.loads(data)
    server = serve("127.0.0.1:0", lambda _request: Answer(200, members))
    known: dict[str, Scalar] = {"pd": f"http://127.0.0.1:{server.server_port}"}

    async def main() -> None:
        control = TiKVControl(NoEngine(), tmp_path, known | dict.fromkeys(ALL, cluster_id(cluster)), keep=False)
        await control.start(lambda _line: None)
        assert not any("only watched" in kind.missing for kind in control.faults().values())
        members["header"]["cluster_id"] += 1
        with pytest.raises(Unavailable, match="only watched"):
            await control.prepare(fault("evict-leader"))
        with pytest.raises(Unavailable, match="only watched"):
            await control.check(action("remove_evict_leader", store_id=1))
        await control.stop()

    asyncio.run(main())
    server.shutdown()
    server.server_close()


OWN = WorkloadSource(["java-ycsb"], 0.0, "of your own", "any")
READ_ONLY = WorkloadSource(["tail"], 0.0, "somebody else's", "any", passive=True)


def test_a_load_of_ones_own_is_refused_until_it_is_allowed_and_what_others_load_may_be_read(
    cluster: StandInCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(load: WorkloadSource | None, allowed: str) -> TiKVControl:
        known: dict[str, Scalar] = {"pd": cluster.pd_urls["pd0"], "allow_load_on": allowed}
        control = TiKVControl(NoEngine(), tmp_path, known, keep=False, load=load)
        await control.start(lambda _line: None)
        await control.stop()
        return control

    async def main() -> None:
        with pytest.raises(Unavailable, match="a load is refused"):
            (await start(OWN, "1")).workload()
        assert (await start(OWN, cluster_id(cluster))).workload() is OWN
        assert (await start(READ_ONLY, "")).workload() is READ_ONLY
        bare = await start(None, cluster_id(cluster))
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Unavailable, match="go-ycsb is not on the PATH"):
            bare.workload()
        (tmp_path / "go-ycsb").touch(mode=0o755)
        source = bare.workload()
        assert source.line_format == "go-ycsb"
        assert f"tikv.pd={cluster.pd_urls['pd0'].partition('://')[2]}" in source.command

    asyncio.run(main())


def test_what_takes_a_container_is_not_there_for_a_cluster_without_ours(
    cluster: StandInCluster, tmp_path: Path
) -> None:
    async def work(control: TiKVControl) -> None:
        missing = {name for name, kind in control.faults().items() if kind.missing}
        assert missing == set(control.faults()) - {"grpc-pause", "evict-leader"}
        assert missing >= {"kill", "stop", "pause", "restart", "slow", "partition", "disk"}
        with pytest.raises(Unavailable, match="no containers of ours"):
            await control.prepare(fault("kill"))
        with pytest.raises(Unavailable, match="no container of ours"):
            await control.revive(STORE)
        acting: Acting = control
        assert "start_container" not in acting.actions()
        with pytest.raises(Unavailable, match="no containers of ours"):
            await control.act(action("start_container"))

    attached(cluster, tmp_path, work, *ALL)


def test_a_cluster_that_was_attached_to_outlives_us_and_is_known_by_its_id(
    cluster: StandInCluster, tmp_path: Path
) -> None:
    async def work(control: TiKVControl) -> TiKVControl:
        assert control.instance == f"cluster {cluster_id(cluster)}"
        return control

    control = attached(cluster, tmp_path, work)
    outliving: Outliving = control
    assert isinstance(control, Outliving)
    assert outliving.stands
    assert list(tmp_path.iterdir()) == []


def test_evicting_leaders_holds_until_it_is_undone_and_preparing_it_changes_nothing(
    cluster: StandInCluster, tmp_path: Path
) -> None:
    async def work(control: TiKVControl) -> None:
        await look(control, lambda seen: seen.ok is True)
        one = fault("evict-leader")
        memo = await control.prepare(one)
        again = await control.prepare(one)
        assert memo["store_id"] == again["store_id"] == str(STORE_IDS["tikv0"])
        assert await control.leftovers(one, memo) == ""
        await control.inject(one, memo)
        seen = await look(
            control, lambda seen: (store := seen.node(STORE)) is not None and store.detail.get("evicting") is True
        )
        assert "evicts the leaders" in control.remains(one, memo, seen)
        assert "evicts the leaders" in await control.leftovers(one, memo)
        with pytest.raises(Conflict, match="already"):
            await control.prepare(one)
        await control.undo(one, memo)
        await control.undo(one, memo)
        await look(control, lambda seen: not control.remains(one, memo, seen) and seen.ok is True)
        assert await control.leftovers(one, memo) == ""

    attached(cluster, tmp_path, work, *ALL)


def test_another_control_takes_back_what_a_killed_one_did(cluster: StandInCluster, tmp_path: Path) -> None:
    one = fault("evict-leader")

    async def inject(control: TiKVControl) -> Mapping[str, Scalar]:
        memo = await control.prepare(one)
        await control.inject(one, memo)
        return memo

    memo = attached(cluster, tmp_path, inject, *ALL)

    async def undo(control: TiKVControl) -> str:
        await control.undo(one, memo)
        return await control.leftovers(one, memo)

    # Taking back is allowed also where nothing may be broken any more.
    assert attached(cluster, tmp_path, undo) == ""


def test_a_store_whose_service_is_paused_is_seen_and_serves_again(cluster: StandInCluster, tmp_path: Path) -> None:
    async def work(control: TiKVControl) -> None:
        one = fault("grpc-pause")
        memo = await control.prepare(one)
        await control.inject(one, memo)
        # What a store is that PD has not told of yet is not known here.
        await look(
            control,
            lambda seen: (
                (store := seen.node(STORE)) is not None
                and store.state == "degraded"
                and "clients" in control.remains(one, memo, seen)
            ),
        )
        await control.undo(one, memo)
        await look(control, lambda seen: not control.remains(one, memo, seen))

    attached(cluster, tmp_path, work, *ALL)


def test_that_a_paused_store_still_answered_once_does_not_end_the_fault(
    cluster: StandInCluster, tmp_path: Path
) -> None:
    async def work(control: TiKVControl) -> None:
        one = fault("grpc-pause")
        memo = await control.prepare(one)
        # Seen after the intent, and not a trace of the fault yet.
        seen = await look(control, lambda seen: seen.ok is True)
        assert "until it is undone" in control.remains(one, memo, seen)

    attached(cluster, tmp_path, work, *ALL)


def test_a_store_that_somebody_else_resumes_is_brought_back_like_any_other(
    cluster: StandInCluster, tmp_path: Path
) -> None:
    async def work(control: TiKVControl) -> None:
        one = fault("grpc-pause")
        memo = await control.prepare(one)
        await control.inject(one, memo)
        await look(control, lambda seen: "clients" in control.remains(one, memo, seen))
        number = next(name for name, store_id in STORE_IDS.items() if NAMES[store_id] == STORE)
        status, _ = ask("PUT", f"http://{cluster.status[number]}/resume_grpc", timeout_s=5)
        assert status == 200
        await look(control, lambda seen: not control.remains(one, memo, seen))

    attached(cluster, tmp_path, work, *ALL)


@pytest.mark.parametrize("kind", ["evict-leader", "grpc-pause"])
def test_a_pd_has_nothing_that_this_could_be_done_to(cluster: StandInCluster, tmp_path: Path, kind: str) -> None:
    async def work(control: TiKVControl) -> None:
        with pytest.raises(BadRequest, match="give a store"):
            await control.prepare(fault(kind, "pd0", "pd"))

    attached(cluster, tmp_path, work, *ALL)


def test_a_leader_is_transferred_once_and_only_where_it_can_be(cluster: StandInCluster, tmp_path: Path) -> None:
    async def work(control: TiKVControl) -> None:
        client = PDClient(list(cluster.pd_urls.values()))
        try:
            region = next(
                one
                for one in await client.regions_of_store(STORE_IDS["tikv0"], deadline_s=5)
                if one.leader is not None and one.leader.store_id != STORE_IDS["tikv0"]
            )
            move = action("transfer_leader", region_id=region.id, to_store_id=str(STORE_IDS["tikv0"]))
            await control.check(move)
            assert f"region {region.id}" in await control.act(move)
            moved = await client.region(region.id, deadline_s=5)
            assert moved.leader is not None and moved.leader.store_id == STORE_IDS["tikv0"]
            with pytest.raises(Conflict, match="already"):
                await control.act(move)
            with pytest.raises(NotFound):
                await control.act(action("transfer_leader", region_id=region.id, to_store_id=77))
            with pytest.raises(BadRequest, match="not the id"):
                await control.act(action("transfer_leader", region_id=region.id))
        finally:
            await client.close()

    attached(cluster, tmp_path, work, *ALL)


def test_an_action_whose_reason_is_gone_by_now_is_not_executed(cluster: StandInCluster, tmp_path: Path) -> None:
    async def work(control: TiKVControl) -> None:
        client = PDClient(list(cluster.pd_urls.values()))
        store_id = STORE_IDS["tikv2"]
        try:
            regions = await client.regions_of_store(store_id, deadline_s=5)
            remove = action("remove_evict_leader", store_id=store_id)
            cancel = action("cancel_operator", region_id=regions[0].id)
            for one in (remove, cancel):
                with pytest.raises(Conflict):
                    await control.act(one)
            await client.evict_leaders(store_id, deadline_s=5)
            await client.transfer_peer(regions[0].id, store_id, STORE_IDS["tikv0"], deadline_s=5)
            with pytest.raises(Conflict, match="being evicted"):
                await control.act(
                    action("transfer_leader", region_id=regions[0].id, to_store_id=store_id)
                    if regions[0].leader is None or regions[0].leader.store_id != store_id
                    else action("transfer_leader", region_id=regions[1].id, to_store_id=store_id)
                )
            assert await control.act(remove)
            assert await control.act(cancel)
            assert store_id not in await client.evicting(deadline_s=5)
            assert regions[0].id not in await client.regions_operated(deadline_s=5)
        finally:
            await client.close()

    attached(cluster, tmp_path, work, *ALL)


def test_a_replica_is_not_moved_to_a_store_that_has_one(cluster: StandInCluster, tmp_path: Path) -> None:
    async def work(control: TiKVControl) -> None:
        client = PDClient(list(cluster.pd_urls.values()))
        try:
            region = (await client.regions_of_store(STORE_IDS["tikv0"], deadline_s=5))[0]
        finally:
            await client.close()
        source, to = STORE_IDS["tikv1"], STORE_IDS["tikv0"]
        with pytest.raises(Conflict, match="already"):
            await control.act(action("transfer_peer", region_id=region.id, from_store_id=source, to_store_id=to))

    attached(cluster, tmp_path, work, *ALL)


def test_advice_is_not_executed(cluster: StandInCluster, tmp_path: Path) -> None:
    async def work(control: TiKVControl) -> None:
        with pytest.raises(NotFound, match="inspect_disk"):
            await control.act(action("inspect_disk"))

    attached(cluster, tmp_path, work, *ALL)


def test_what_was_done_to_one_cluster_is_not_taken_back_from_another_at_its_address(
    cluster: StandInCluster, tmp_path: Path
) -> None:
    async def work(control: TiKVControl) -> None:
        one = fault("evict-leader")
        memo = await control.prepare(one)
        assert memo["cluster"] == cluster_id(cluster)
        client = PDClient(list(cluster.pd_urls.values()))
        store_id = STORE_IDS["tikv0"]
        await client.evict_leaders(store_id, deadline_s=5)
        try:
            with pytest.raises(Conflict, match="was done to cluster 5"):
                await control.undo(one, {**memo, "cluster": "5"})
            assert await client.evicting(deadline_s=5) == (store_id,)
            await control.undo(one, memo)
            assert await client.evicting(deadline_s=5) == ()
        finally:
            await client.close()

    attached(cluster, tmp_path, work, *ALL)
