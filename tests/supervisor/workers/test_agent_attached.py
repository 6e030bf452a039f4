"""What the rules can tell of a cluster that was attached to, without an engine's word: from live observations."""

from collections.abc import Callable, Iterator

import pytest
from tests.standins.cluster import STORE_IDS, StandInCluster, standin_cluster
from tests.standins.serving import ask
from tests.supervisor.tikv.watching import QUICK, Watch, watching

from operator_protocol.models import Diagnosis, Recommendation, Scalar, Ticket
from operatord.subjects.base import SubjectSpec
from operatord.subjects.tikv.actions import KINDS
from operatord.workers.agent.answer.citations import check_citations
from operatord.workers.agent.answer.hands import for_these_hands

from .test_agent_tikv_rules import Follower

STORES = {name: f"store-{store_id}" for name, store_id in STORE_IDS.items()}
STORE, OTHER = STORES["tikv0"], STORES["tikv1"]
SCHEDULERS = "/pd/api/v1/schedulers"
Do = Callable[[StandInCluster], None]


@pytest.fixture(scope="module")
def cluster() -> Iterator[StandInCluster]:
    with standin_cluster(*QUICK) as cluster:
        yield cluster


def on_status_port(name: str, path: str) -> Do:
    return lambda cluster: ask_to(f"http://{cluster.status[name]}{path}", "PUT")


def ask_to(url: str, method: str, body: object = None) -> None:
    status, _ = ask(method, url, body, timeout_s=5.0)
    assert status == 200


def evict(cluster: StandInCluster) -> None:
    body = {"name": "evict-leader-scheduler", "store_id": STORE_IDS["tikv0"]}
    ask_to(f"{cluster.pd_urls['pd0']}{SCHEDULERS}", "POST", body)


def stop_evicting(cluster: StandInCluster) -> None:
    ask_to(f"{cluster.pd_urls['pd0']}{SCHEDULERS}/evict-leader-scheduler-{STORE_IDS['tikv0']}", "DELETE")


def diagnosed(cluster: StandInCluster, name: str, break_it: Do, mend: Do) -> Diagnosis:
    options: dict[str, Scalar] = {
        "pd": ",".join(cluster.pd_urls.values()),
        "data": ",".join(f"{STORES[name]}={place}" for name, place in cluster.addresses.items()),
        "pd_leader_grace_s": 0.2,
        "store_disconnected_grace_s": 0.2,
    }

    async def work(watch: Watch) -> Diagnosis:
        follower = Follower(watch)
        # A stand-in PD that was started anew knows of a store when it hears from it.
        seen = await watch.until(lambda seen: seen.ok is True and len(seen.nodes) == 6 and not watch.open())
        follower.wanted("")(seen)
        break_it(cluster)
        return await follower.diagnosed(name)

    try:
        return watching(SubjectSpec("tikv", [], options), work)
    finally:
        mend(cluster)


REACHED: list[tuple[str, Do, Do, tuple[str, str]]] = [
    (
        f"store_disconnected {OTHER}",
        on_status_port("tikv1", "/standin/cut-off"),
        on_status_port("tikv1", "/standin/reach"),
        ("network_partition", f"inspect_network {OTHER}"),
    ),
    (
        f"low_space {STORE}",
        on_status_port("tikv0", "/standin/available?bytes=1000000"),
        on_status_port("tikv0", "/standin/available"),
        ("disk_full", f"inspect_disk {STORE}"),
    ),
    (f"leaders_evicted {STORE}", evict, stop_evicting, ("leaders_evicted", f"remove_evict_leader {STORE}")),
    (
        f"data_port {STORE}",
        on_status_port("tikv0", "/pause_grpc"),
        on_status_port("tikv0", "/resume_grpc"),
        ("clients_unserved", f"resume {STORE}"),
    ),
    (
        "no_pd_leader",
        lambda cluster: cluster.kill("pd0", "pd1"),
        lambda cluster: cluster.start("pd0", "pd1"),
        ("no_quorum", "start_container pd0"),
    ),
]

NOT_TOLD_APART: list[tuple[str, Do, Do, str]] = [
    (
        f"store_down {STORE}",
        lambda cluster: cluster.kill("tikv0"),
        lambda cluster: cluster.start("tikv0"),
        "refuses connections",
    ),
    (
        f"store_down {OTHER}",
        lambda cluster: cluster.freeze("tikv1"),
        lambda cluster: cluster.thaw("tikv1"),
        "has not answered since",
    ),
    (
        "pd_member_unhealthy pd2",
        lambda cluster: cluster.kill("pd2"),
        lambda cluster: cluster.start("pd2"),
        "refuses connections",
    ),
]
"""Killed, stopped, crashed; frozen, or out of reach: only who sees the process knows which."""


@pytest.mark.parametrize(("name", "break_it", "mend", "answer"), REACHED, ids=[one[3][0] for one in REACHED])
def test_what_shows_without_an_engine_gets_its_cause(
    cluster: StandInCluster, name: str, break_it: Do, mend: Do, answer: tuple[str, str]
) -> None:
    cause, action = answer
    diagnosis = diagnosed(cluster, name, break_it, mend)
    assert diagnosis.cause == cause, diagnosis.explanation
    assert action in [f"{one.kind} {one.target}" for one in diagnosis.actions]
    assert check_citations(diagnosis).sound


@pytest.mark.parametrize(
    ("name", "break_it", "mend", "said"), NOT_TOLD_APART, ids=["store-killed", "store-frozen", "pd-killed"]
)
def test_what_only_an_engine_could_tell_is_unknown_and_says_what_was_seen(
    cluster: StandInCluster, name: str, break_it: Do, mend: Do, said: str
) -> None:
    diagnosis = diagnosed(cluster, name, break_it, mend)
    assert diagnosis.cause == "unknown", diagnosis.explanation
    assert diagnosis.component == name.split()[1]
    assert diagnosis.confidence < 0.5
    assert said in " ".join(item.text for item in diagnosis.evidence)
    assert [one.kind for one in diagnosis.actions] == ["escalate"]


def test_what_cannot_be_executed_in_an_attached_cluster_is_recommended_to_a_person(cluster: StandInCluster) -> None:
    diagnosis = diagnosed(cluster, f"leaders_evicted {STORE}", evict, stop_evicting)
    ticket = Ticket(7, "leaders_evicted", STORE, "warning", "diagnosed", "", 0.0, 0.0)
    watched = for_these_hands(diagnosis, ticket, dict.fromkeys(KINDS, "this cluster is only watched"))
    (handed,) = watched.actions
    assert (handed.kind, handed.target, handed.risk) == ("escalate", STORE, "read")
    assert "remove_evict_leader" in handed.expected
    assert "since this cluster is only watched" in handed.expected
    assert "**remove_evict_leader" not in watched.markdown
    assert "only watched" in watched.markdown
    assert for_these_hands(diagnosis, ticket, {}) == diagnosis


def test_of_two_ways_to_resume_only_the_one_without_containers_is_for_the_agent() -> None:
    serve = Recommendation("resume", STORE, {"what": "grpc"}, "safe", "it serves", "it is up")
    unpause = Recommendation("resume", STORE, {}, "safe", "it goes on", "it is up")
    ticket = Ticket(7, "data_port", STORE, "critical", "diagnosed", "", 0.0, 0.0)
    diagnosis = Diagnosis("s", STORE, "clients_unserved", "e", 0.9, "rules", actions=[serve, unpause])
    by_hand = {"resume": "it is in no container of ours", "resume what=grpc": ""}
    assert [one.kind for one in for_these_hands(diagnosis, ticket, by_hand).actions] == ["resume", "escalate"]
