"""A gateway and daemons that come and go: what a page is told, and what commands answer meanwhile."""

import asyncio
from pathlib import Path

import pytest
from tests.bus_daemon import running_bus, violation
from tests.clients.web.waiting import until, until_live
from tests.real_gateway import RealGateway, running_gateway
from tests.sse import Tab

from operator_clients.web.daemons import Daemon, DaemonAddress
from operator_clients.web.errors import ApiError
from operator_protocol.endpoint import Endpoint
from operator_protocol.keyfile import CurveKeys


def _connections(gateway: RealGateway) -> dict[str, str]:
    return {daemon["name"]: daemon["connection"] for daemon in gateway.get("/api/daemons").json()["daemons"]}


def _figure(gateway: RealGateway, name: str) -> float:
    lines = gateway.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).rpartition(" ")[2])


def test_a_daemon_that_dies_is_told_lost_and_one_that_comes_back_is_shown_anew(tmp_path: Path) -> None:
    with running_bus() as bus, running_gateway(tmp_path, runtime_dir=bus.directory) as gateway:
        until_live(gateway)
        with Tab(gateway.url) as tab:
            before = tab.next("snapshot")
            bus.kill()
            lost = tab.until(lambda event: event.name == "connection" and event.data["connection"] == "lost")[-1]
            assert lost.data["reason"]
            assert gateway.get("/readyz").status_code == 503
            assert gateway.get("/healthz").status_code == 200
            refused = gateway.post("/api/demo/next")
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "daemon_unreachable"
            assert refused.headers["Retry-After"]
            assert gateway.get("/api/state").json()["connection"] == "lost"
            bus.start()
            after = tab.until(lambda event: event.name == "snapshot" and event.data["connection"] == "live")[-1]
            assert after.id.rpartition("-")[0] != before.id.rpartition("-")[0]


def test_a_page_that_comes_back_to_another_boot_gets_a_snapshot(tmp_path: Path) -> None:
    with running_bus() as bus, running_gateway(tmp_path, runtime_dir=bus.directory) as gateway:
        until_live(gateway)
        with Tab(gateway.url) as tab:
            last = tab.next("snapshot").id
        bus.kill()
        bus.start()
        until(lambda: _figure(gateway, "operator_daemon_resyncs_total{") > 0, "the new boot to be joined")
        with Tab(gateway.url, last_event_id=last) as tab:
            assert next(tab.events()).name == "snapshot"


def test_several_daemons_are_told_apart_by_name(tmp_path: Path) -> None:
    with running_bus() as east, running_bus() as west:
        options = ("--endpoint", f"east={east.directory}", "--endpoint", f"west={west.directory}")
        with running_gateway(tmp_path, *options) as gateway:
            until(lambda: set(_connections(gateway).values()) == {"live"}, "both daemons")
            assert list(_connections(gateway)) == ["east", "west"]
            with Tab(gateway.url, daemon="west") as tab:
                assert tab.next("snapshot").data["daemon"] == "west"
                east.ask("say", {"topic": "violation.opened", "body": violation(1)})
                west.ask("say", {"topic": "violation.opened", "body": violation(2)})
                assert tab.frame("violation.opened").data["body"]["id"] == "v2"
            east.kill()
            until(lambda: _connections(gateway)["east"] == "lost", "east to be lost")
            assert _connections(gateway)["west"] == "live"
            assert gateway.get("/readyz").status_code == 200


def test_a_gateway_starts_before_its_daemon_and_stops_with_pages_open(tmp_path: Path) -> None:
    runtime_dir = tmp_path / "r"
    runtime_dir.mkdir()
    with running_gateway(tmp_path / "web", runtime_dir=runtime_dir) as gateway, Tab(gateway.url) as tab:
        snapshot = tab.next("snapshot")
        assert snapshot.data["connection"] == "joining"
        assert snapshot.data["ageSeconds"] is None
        assert gateway.stop() == 0
        assert list(tab.events()) is not None
    assert not (tmp_path / "web" / "address.json").exists()


@pytest.mark.soak
def test_a_flood_reaches_fifty_pages_whole_or_as_a_snapshot(tmp_path: Path) -> None:
    with running_bus() as bus, running_gateway(tmp_path, runtime_dir=bus.directory) as gateway:
        until_live(gateway)
        tabs = [Tab(gateway.url) for _ in range(50)]
        for tab in tabs:
            tab.__enter__()
            tab.next("snapshot")
        with bus.follower("command.finished") as follower:
            last = follower.perform("burst", {"count": 20_000, "rate": 4_000})["seq"]
        for tab in tabs:
            numbers: list[int] = []
            for event in tab.events():
                if event.name == "snapshot":
                    numbers = [int(event.id.rpartition("-")[2])]
                elif event.name == "frame":
                    numbers.append(event.data["seq"])
                if numbers and numbers[-1] >= last:
                    break
            assert numbers == sorted(set(numbers))
            assert numbers[-1] >= last
            tab.__exit__(None, None, None)


def test_a_defect_in_following_would_leave_the_pages_without_that_daemon_and_is_told_and_tried_again() -> None:
    # Keys are checked where they are read from their file; nobody expects these behind that.
    keys = CurveKeys("east", "read", "no key", "no key", "no key")
    address = "tcp://127.0.0.1:9"
    nowhere = Endpoint(address, address, address, "nowhere", keys)

    async def story() -> None:
        daemon = Daemon(DaemonAddress("east", nowhere))
        following = asyncio.create_task(daemon.run())
        async with asyncio.timeout(60):
            while daemon.connection != "lost":
                await asyncio.sleep(0.01)
        assert not following.done()
        with pytest.raises(ApiError, match="following it failed"):
            await daemon.perform("status")
        following.cancel()

    asyncio.run(story())
