"""The rules for TiKV against recorded troubles, and on a stand-in cluster that has them."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from tests.standins.cluster import StandInCluster, standin_cluster
from tests.supervisor.tikv.watching import QUICK, Watch, named, spec_of, watching

from operator_protocol.models import ClusterEvent, ClusterHealth, Diagnosis, EvidenceItem, Scalar, Ticket, Violation
from operator_protocol.records import to_body
from operatord.subjects.base import Observation
from operatord.tickets.dossier import Dossier, LogLine
from operatord.tickets.history import History
from operatord.workers.agent.answer.citations import check_citations
from operatord.workers.agent.answer.report import write
from operatord.workers.agent.bundle.gathering import gather
from operatord.workers.agent.rules.weighing import weigh

from . import tikv_cases as cases

Case = Callable[[], Dossier]

ANSWERS: list[tuple[Case, str, str, str]] = [
    (cases.store_killed, "process_killed", "tikv1", "start_container tikv1"),
    (cases.store_killed_and_its_logs_followed, "process_killed", "tikv1", "start_container tikv1"),
    (cases.store_killed_without_an_engine, "unknown", "tikv1", "escalate tikv1"),
    (cases.store_stopped, "process_stopped", "tikv1", "start_container tikv1"),
    (cases.store_crashed, "process_crashed", "tikv1", "start_container tikv1"),
    (cases.store_out_of_memory, "memory_pressure", "tikv1", "start_container tikv1"),
    (cases.store_paused, "process_paused", "tikv2", "resume tikv2"),
    (cases.store_frozen_in_its_container, "process_paused", "tikv2", "resume tikv2"),
    (cases.store_partitioned, "network_partition", "tikv0", "inspect_network tikv0"),
    (cases.store_cut_off_from_pd, "network_partition", "tikv0", "inspect_network tikv0"),
    (cases.disk_full, "disk_full", "tikv1", "inspect_disk tikv1"),
    (cases.pd_killed, "process_killed", "pd1", "start_container pd1"),
    (cases.pd_killed_found_by_the_margin, "process_killed", "pd1", "start_container pd1"),
    (cases.no_pd_leader, "no_quorum", "pd", "start_container pd0"),
    (cases.one_pd_of_those_without_a_majority, "process_killed", "pd2", "start_container pd2"),
    (cases.leaders_evicted, "leaders_evicted", "tikv1", "remove_evict_leader tikv1"),
    (cases.grpc_paused, "clients_unserved", "tikv2", "resume tikv2"),
    (cases.engine_lost, "engine_lost", "tikv", "inspect_host tikv"),
    (cases.nothing, "no_fault", "tikv", ""),
    (cases.blind, "unknown", "tikv", "escalate tikv"),
]
NAMES = [case.__name__ for case, *_ in ANSWERS]
CASES = pytest.mark.parametrize("case", [case for case, *_ in ANSWERS], ids=NAMES)


def diagnose(dossier: Dossier, facts: list[EvidenceItem] | None = None) -> Diagnosis:
    bundle = gather(dossier, facts or [])
    return write(bundle, weigh(bundle))


@pytest.mark.parametrize(("case", "cause", "component", "action"), ANSWERS, ids=NAMES)
def test_each_trouble_gets_its_cause_its_place_and_what_to_do(
    case: Case, cause: str, component: str, action: str
) -> None:
    diagnosis = diagnose(case())
    first = [f"{one.kind} {one.target}" for one in diagnosis.actions[:1]]
    assert (diagnosis.cause, diagnosis.component, "".join(first)) == (cause, component, action)


@CASES
def test_citations_are_sound_and_no_answer_is_certain(case: Case) -> None:
    diagnosis = diagnose(case())
    assert check_citations(diagnosis).sound
    assert 0.0 < diagnosis.confidence < 1.0
    if diagnosis.cause == "unknown":
        assert diagnosis.confidence < 0.5


@CASES
def test_nothing_speaks_of_shards_and_slots(case: Case) -> None:
    diagnosis = diagnose(case())
    said = " ".join([diagnosis.summary, diagnosis.explanation, diagnosis.blast_radius, diagnosis.would_change_my_mind])
    assert not [
        word for word in ("shard", "slots", "primary", "cluster bus", "None", "  ", "the group") if word in said
    ]


@CASES
def test_without_what_it_rests_on_the_answer_changes_or_weakens(case: Case) -> None:
    bundle = gather(case())
    verdict = weigh(bundle)
    for argument in (*verdict.needs, *verdict.helps):
        rest = weigh(bundle.without(argument.ids()))
        assert rest.cause != verdict.cause or rest.confidence < verdict.confidence


def test_a_killed_store_is_told_with_what_became_of_its_regions() -> None:
    diagnosis = diagnose(cases.store_killed())
    assert diagnosis.summary == "tikv1 was killed; its regions have other leaders since T+21.0 s"
    assert "tikv1 led 4 of the 12 regions" in diagnosis.blast_radius
    assert "The 5 other nodes were not touched" in diagnosis.blast_radius
    assert {one.cause for one in diagnosis.alternatives} >= {"process_stopped", "process_paused"}
    assert "SIGKILL" in " ".join(item.text for item in diagnosis.evidence)
    assert diagnosis.confidence >= 0.85


def test_without_a_leader_of_pd_the_lost_pds_are_started_and_no_store_is_touched() -> None:
    diagnosis = diagnose(cases.no_pd_leader())
    assert [(one.kind, one.target) for one in diagnosis.actions] == [
        ("start_container", "pd0"),
        ("start_container", "pd2"),
    ]
    assert diagnosis.summary == "PD has no leader: too few of its members live to elect one"
    assert "clients get no timestamps" in diagnosis.blast_radius


def test_an_evict_leader_scheduler_is_removed_by_the_id_of_its_store() -> None:
    (action,) = diagnose(cases.leaders_evicted()).actions
    assert action.params == {"store_id": "4"}
    assert "maintenance" in action.expected


def test_what_the_logs_told_is_evidence_when_their_lines_were_too_many() -> None:
    told = ClusterEvent("tikv1", "disk", "the disk went from Normal to AlmostFull", cases.T0 + 0.8)
    line = LogLine(told.at, '[2023/11/14 22:13:20.800 +00:00] [WARN] [store.rs:1] ["disk usage Normal->AlmostFull"]')
    nothing_told = cases.disk_full()
    quoted = replace(nothing_told, logs={"tikv1": [line]})
    crowded_out = diagnose(replace(nothing_told, events=[told]))
    assert diagnose(nothing_told).confidence < crowded_out.confidence == diagnose(quoted).confidence
    assert any(one.kind == "log" and told.text in one.text for one in crowded_out.evidence)
    assert diagnose(replace(quoted, events=[told])).evidence == diagnose(quoted).evidence


def test_a_lost_engine_is_named_and_no_node_is_blamed_for_it() -> None:
    diagnosis = diagnose(cases.engine_lost())
    assert diagnosis.summary.startswith("the container engine does not answer")
    assert diagnosis.confidence >= 0.85
    assert [one.risk for one in diagnosis.actions] == ["read"]


@pytest.fixture
def cluster() -> Iterator[StandInCluster]:
    with standin_cluster(*QUICK) as cluster:
        yield cluster


class Follower:
    """Keeps the history that the daemon would keep, and asks for the diagnosis of what is open."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.history = History()
        self._known: set[str] = set()

    def wanted(self, name: str) -> Callable[[Observation], bool]:
        def seen(observation: Observation) -> bool:
            health = ClusterHealth("tikv", observation.ok, observation.reason, list(observation.nodes))
            body = to_body(health) | {"observed_at": observation.observed_at}
            self.history.see("cluster.health", body)
            for violation in self.watch.tracker.open():
                if violation.id not in self._known:
                    self._known.add(violation.id)
                    self.history.see("violation.opened", to_body(violation))
            return name in self.watch.open()

        return seen

    async def diagnosed(self, name: str) -> Diagnosis:
        await self.watch.until(self.wanted(name))
        for _ in range(3):
            self.wanted(name)(await self.watch.look())
        found: Violation = next(one for one in self.watch.tracker.open() if named(one) == name)
        at = found.first_seen_at
        ticket = Ticket(1, found.invariant, found.node, found.severity, "diagnosing", found.message, at, at)
        facts = await self.watch.probe.evidence(found.node, 0.4)
        return diagnose(self.history.dossier(ticket), facts)


def test_a_killed_and_a_paused_store_of_a_live_cluster_are_told_apart(cluster: StandInCluster) -> None:
    running: dict[str, dict[str, Scalar]] = {
        name: {"state": "running"} for name in (*cluster.pd_urls, *cluster.addresses)
    }

    async def work(watch: Watch) -> None:
        watch.probe.tell_containers(running)
        follower = Follower(watch)
        follower.wanted("")(await watch.until_well())
        cluster.kill("tikv0")
        killed: dict[str, Scalar] = {"state": "exited", "exit_code": 137}
        watch.probe.tell_containers({**running, "tikv0": killed})
        diagnosis = await follower.diagnosed("store_down tikv0")
        assert (diagnosis.cause, diagnosis.component) == ("process_killed", "tikv0")
        cluster.freeze("tikv2")
        watch.probe.tell_containers({**running, "tikv0": killed, "tikv2": {"state": "paused"}})
        diagnosis = await follower.diagnosed("store_down tikv2")
        assert (diagnosis.cause, diagnosis.component) == ("process_paused", "tikv2")
        assert check_citations(diagnosis).sound

    watching(spec_of(cluster), work)
