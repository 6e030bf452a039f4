"""PDs that answer what they must not: other versions, other programs, names that nobody may print."""

from collections.abc import Callable

import pytest
from tests.standins.serving import Answer, Request, serve
from tests.supervisor.tikv.watching import Watch, watching

from operatord.subjects.base import SubjectSpec


def telling(told: dict[str, object]) -> tuple[str, Callable[[], None]]:
    """A PD that answers what ``told`` has for a path; its URL, and how to end it."""

    def handler(request: Request) -> Answer:
        path = request.path.removeprefix("/pd/api/v1/")
        return Answer(200, told[path]) if path in told else Answer(404, "not here")

    server = serve("127.0.0.1:0", handler)

    def close() -> None:
        server.shutdown()
        server.server_close()

    return f"http://127.0.0.1:{server.server_port}", close


HOSTILE: list[dict[str, object]] = [
    {"members": "<html>"},
    {"stores": [1, 2]},
    {"stores": {"count": 1, "stores": [{"store": {"id": 1, "address": "a", "state_name": "Shining"}, "status": {}}]}},
    {"stores": {"stores": [{"store": {"id": "x"}}]}},
    {"stats/region": []},
]


@pytest.mark.parametrize("broken", HOSTILE)
def test_a_pd_of_another_version_is_unknown_with_one_clear_line(broken: dict[str, object]) -> None:
    told: dict[str, object] = {
        "stores": {"count": 0, "stores": []},
        "stats/region": {"count": 0},
        "health": [],
        "ping": {},
    }
    url, close = telling(told)
    member = {"name": "pd0", "member_id": 1, "client_urls": [url]}
    told |= {"members": {"header": {}, "members": [member], "leader": member}} | broken

    async def work(watch: Watch) -> None:
        for _ in range(2):
            seen = await watch.look()
            assert seen.ok is None
            assert "PD" in seen.reason
            assert "\n" not in seen.reason
        assert watch.opened == []
        assert await watch.probe.evidence(None, 0.4)

    watching(SubjectSpec("tikv", [], {"pd": url}), work)
    close()


def test_names_from_outside_that_cannot_be_node_ids_are_replaced() -> None:
    def store(number: int, host: str) -> dict[str, object]:
        about = {"id": number, "address": f"{host}:20160", "status_address": f"{host}:20180", "state_name": "Up"}
        return {"store": about, "status": {}}

    hosts = ["tikv0.a", "\x1b[2Jb", "tikv0.c", "x" * 300, "pd0", "10.0.0.1", ""]
    members = [{"name": name, "member_id": number} for number, name in enumerate(["pd0", "pd0", "a b", ""])]
    told: dict[str, object] = {
        "members": {"header": {}, "members": members, "leader": members[0]},
        "stores": {"stores": [store(number, host) for number, host in enumerate(hosts)]},
        "stats/region": {"count": 0},
    }

    url, close = telling(told)

    async def work(watch: Watch) -> None:
        seen = await watch.probe.observe(2)
        assert [one.id for one in seen.nodes] == [
            "pd0", "pd-1", "pd-2", "pd-3", "tikv0", "store-1", "store-2", "store-3", "store-4", "store-5", "store-6",
        ]  # fmt: skip
        assert [one.id for one in seen.nodes if one.leader] == ["pd0"]

    watching(SubjectSpec("tikv", [], {"pd": url}), work)
    close()


@pytest.mark.parametrize("answers", [{}, {"schedulers": []}, {"schedulers": None}])
def test_whose_leaders_are_evicted_is_not_known_while_pd_does_not_say_or_runs_no_schedulers_yet(
    answers: dict[str, object],
) -> None:
    """One that has just come to lead starts them after a while, those of a fault included."""
    url, close = telling(told := {"ping": {}, "health": [], "stats/region": {"count": 0}, **answers})
    member = {"name": "pd0", "member_id": 1, "client_urls": [url]}
    about = {"id": 4, "address": "tikv0.a:20160", "status_address": "", "state_name": "Up"}
    told |= {"members": {"header": {}, "members": [member], "leader": member}}
    told |= {"stores": {"count": 1, "stores": [{"store": about, "status": {}}]}}

    async def work(watch: Watch) -> None:
        (store,) = [one for one in (await watch.probe.observe(2)).nodes if one.role == "tikv"]
        assert store.detail["evicting"] is None
        told["schedulers"] = ["balance-leader-scheduler"]
        (store,) = [one for one in (await watch.probe.observe(2)).nodes if one.role == "tikv"]
        assert store.detail["evicting"] is False
        # That it was not is not remembered: it may be by now, and a fault that is taken for over is owed by nobody.
        told["schedulers"] = None
        (store,) = [one for one in (await watch.probe.observe(2)).nodes if one.role == "tikv"]
        assert store.detail["evicting"] is None
        told["schedulers"] = ["evict-leader-scheduler"]
        told["scheduler-config/evict-leader-scheduler/list"] = {"store-id-ranges": {"4": [], "x": []}}
        (store,) = [one for one in (await watch.probe.observe(2)).nodes if one.role == "tikv"]
        assert store.detail["evicting"] is True
        # The next who leads does not run them yet, and that tells nothing of the fault.
        told["schedulers"] = None
        (store,) = [one for one in (await watch.probe.observe(2)).nodes if one.role == "tikv"]
        assert store.detail["evicting"] is True

    watching(SubjectSpec("tikv", [], {"pd": url}), work)
    close()
