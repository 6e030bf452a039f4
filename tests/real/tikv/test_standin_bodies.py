"""The stand-in PD held against the real one: the same question to both, and the same keys and types in the answers."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
from tests.real.tikv.cluster import STORE_IDS, RealCluster
from tests.real.tikv.shapes import differences, shape
from tests.standins.cluster import StandInCluster, standin_cluster
from tests.standins.serving import ask

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ALLOWED = {
    "/stores": {
        "[].store.labels: only the real one has it",  # ours have none, and Go leaves out what is empty
        "[].store.node_state: only the stand-in has it",  # zero, and so left out, until a store counts as serving
        "[].status.slow_trend: only the stand-in has it",  # TiKV sends it; the heartbeats of the tests do not
    },
}
ALLOWED["/store/"] = {one.removeprefix("[]") for one in ALLOWED["/stores"]}

READS = [
    "/members",
    "/leader",
    "/health",
    "/ping",
    "/version",
    "/status",
    "/stores",
    "/store/{store}",
    "/store/12345",
    "/store/abc",
    "/stats/region?start_key=&end_key=",
    "/regions",
    "/regions/store/{store}",
    "/regions/check/miss-peer",
    "/regions/check/down-peer",
    "/region/id/100",
    "/region/id/5",
    "/region/id/abc",
    "/schedulers",
    "/operators",
    "/operators?object=1",
    "/scheduler-config/evict-leader-scheduler/list",
    "/nowhere",
]


@pytest.fixture(scope="module")
def standin() -> Iterator[StandInCluster]:
    with standin_cluster("--election-s", "0.2") as cluster:
        yield cluster


Both = Callable[..., tuple[tuple[int, object], tuple[int, object]]]


@pytest.fixture
def both(shared: RealCluster, standin: StandInCluster) -> Both:
    """Ask the stand-in and the real one, a follower of each: it forwards what it cannot answer."""

    def asking(method: str, path: str, body: object = None) -> tuple[tuple[int, object], tuple[int, object]]:
        return answer(follower(standin.pd_urls), method, path, body), answer(
            follower(shared.pd_urls), method, path, body
        )

    return asking


def follower(urls: dict[str, str]) -> str:
    leader = json.loads(ask("GET", f"{urls['pd0']}/pd/api/v1/leader", timeout_s=10)[1])["name"]
    return next(url for name, url in urls.items() if name != leader)


def answer(url: str, method: str, path: str, body: object) -> tuple[int, object]:
    status, data = ask(method, f"{url}/pd/api/v1{path}", body, timeout_s=15)
    try:
        return status, json.loads(data)
    except ValueError:
        # Text that is no JSON: as it is.
        return status, data


def compare(ours: object, theirs: object, path: str = "") -> list[str]:
    if isinstance(ours, bytes) or isinstance(theirs, bytes):
        return [] if ours == theirs else [f"{ours!r} in the stand-in, {theirs!r} in the real one"]
    allowed = next((found for start, found in ALLOWED.items() if path.startswith(start)), set())
    return [one for one in differences(shape(ours), shape(theirs)) if one.removeprefix(".stores") not in allowed]


@pytest.mark.parametrize("path", READS)
def test_the_standins_body_has_the_keys_and_types_of_the_real_one(both: Both, path: str) -> None:
    ours, theirs = both("GET", path.format(store=STORE_IDS["tikv2"]))
    assert ours[0] == theirs[0]
    assert compare(ours[1], theirs[1], path) == []


@pytest.mark.parametrize("path", ["/store/12345", "/store/abc", "/region/id/5", "/region/id/abc", "/ping"])
def test_what_says_nothing_of_the_cluster_is_the_same_word_for_word(both: Both, path: str) -> None:
    ours, theirs = both("GET", path)
    assert ours == theirs


def test_the_standins_configuration_is_a_part_of_the_real_one(both: Both) -> None:
    ours, theirs = both("GET", "/config")
    found = [
        one for one in differences(shape(ours[1]), shape(theirs[1])) if not one.endswith("only the real one has it")
    ]
    assert found == []


REFUSED: list[tuple[str, str, object]] = [
    ("POST", "/operators", {"name": "transfer-leader", "region_id": 100, "store_id": 1}),
    ("POST", "/operators", {"name": "transfer-leader", "region_id": 9, "to_store_id": 1}),
    ("POST", "/operators", {"name": "transfer-leader", "region_id": 100, "to_store_id": 99}),
    ("POST", "/operators", {"name": "no-such-operator", "region_id": 100, "to_store_id": 1}),
    ("POST", "/operators", {"name": "transfer-peer", "region_id": 100, "from_store_id": 1, "to_store_id": 99}),
    ("DELETE", "/operators/100", None),
    ("POST", "/schedulers", {"name": "evict-leader-scheduler", "store_id": 99}),
    ("POST", "/schedulers", {"name": "no-such-scheduler", "store_id": 1}),
    ("POST", "/schedulers", {"name": "evict-leader-scheduler", "store_id": 9_007_199_254_740_993}),
    ("DELETE", "/schedulers/evict-leader-scheduler-4", None),
]


@pytest.mark.parametrize(("method", "path", "body"), REFUSED)
def test_the_standin_refuses_in_the_real_ones_words(both: Both, method: str, path: str, body: object) -> None:
    ours, theirs = both(method, path, body)
    assert ours == theirs
    assert ours[0] >= 400


def test_a_leader_is_evicted_and_let_back_in_the_real_ones_words(both: Both) -> None:
    evict = {"name": "evict-leader-scheduler", "store_id": 4}
    listed = "/scheduler-config/evict-leader-scheduler/list"
    for method, path, body in [
        ("POST", "/schedulers", evict),
        ("GET", listed, None),
        ("POST", "/schedulers", evict),
        ("DELETE", "/schedulers/evict-leader-scheduler-4", None),
        ("GET", listed, None),
    ]:
        ours, theirs = both(method, path, body)
        assert (method, path, ours) == (method, path, theirs)


def test_pd_takes_an_id_that_is_no_double_for_another_stores(both: Both) -> None:
    # So PDClient refuses such ids: here the fourth store would be evicted in place of one that is not there.
    told, meant = STORE_IDS["tikv3"] + 1, STORE_IDS["tikv3"]
    _, theirs = both("POST", "/schedulers", {"name": "evict-leader-scheduler", "store_id": told})
    assert theirs[0] == 200
    _, (_, listed) = both("GET", "/scheduler-config/evict-leader-scheduler/list")
    assert listed == {"store-id-ranges": {str(meant): [{"start-key": "", "end-key": ""}]}}
    _, theirs = both("DELETE", f"/schedulers/evict-leader-scheduler-{meant}")
    assert theirs[0] == 200


def test_an_operator_that_waits_is_listed_and_cancelled_as_by_the_real_one(
    both: Both, shared: RealCluster, standin: StandInCluster
) -> None:
    # The stand-in holds every store to be able to take a replica; the real one wants one that has none.
    body = {"name": "transfer-peer", "region_id": 104, "from_store_id": 1}
    real = follower(shared.pd_urls)
    until = time.monotonic() + 30
    # What was begun for the evictions above has to end first.
    while answer(real, "GET", "/operators", None)[1] and time.monotonic() < until:
        time.sleep(0.2)
    theirs = answer(real, "POST", "/operators", body | {"to_store_id": STORE_IDS["tikv3"]})
    ours = answer(follower(standin.pd_urls), "POST", "/operators", body | {"to_store_id": 4})
    assert ours == theirs
    for path in ("/operators", "/operators?object=1"):
        ours, theirs = both("GET", path)
        assert compare(ours[1], theirs[1]) == [], theirs[1]
    ours, theirs = both("DELETE", "/operators/104")
    assert ours == theirs
