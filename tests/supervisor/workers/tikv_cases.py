"""Recorded troubles of a TiKV cluster: observations as the subject makes them, and so what a dossier holds.

Times are seconds from the moment of the trouble; the wall clock is ``T0`` then.
"""

from dataclasses import replace

from operator_protocol.models import ClusterHealth, ProcessState, Ticket, Violation, WorkloadSample
from operator_protocol.records import to_body
from operatord.subjects.tikv import health
from operatord.subjects.tikv.answers import Directory, PDSeen, Scrape, StoreSeen
from operatord.subjects.tikv.pd.models import RegionStats, Store
from operatord.subjects.tikv.status import Contact
from operatord.subjects.tikv.views import Container, Reach
from operatord.tickets.dossier import Dossier
from operatord.tickets.history import History

T0 = 1_700_000_000.0
GIB = float(1 << 30)
IDS = (1, 4, 9_007_199_254_740_993)
UP = Reach("answered", 0.0, answered_before=True)
RUNNING = Container("running", since_at=T0 - 600)


def away(contact: Contact, silent_for_s: float = 2.0) -> Reach:
    return Reach(contact, silent_for_s, answered_before=True)


class Story:
    """A cluster that ran well for two minutes, and what became of it."""

    def __init__(self) -> None:
        self._now = -120.0
        self.history = History(lambda: T0 + self._now)
        self.directory = Directory("led", leader="pd0")
        self.pds = {
            f"pd{n}": PDSeen(f"pd{n}", f"pd{n}:2379", UP, RUNNING, healthy=True, leads=n == 0) for n in range(3)
        }
        self.stores = {
            f"tikv{n}": StoreSeen(
                f"tikv{n}",
                f"tikv{n}:20160",
                Store(
                    IDS[n], f"tikv{n}:20160", f"tikv{n}:20180", "Up", capacity=100 * GIB, available=60 * GIB, used=GIB
                ),
                store_id=IDS[n],
                reach=UP,
                data="answered",
                container=RUNNING,
            )
            for n in range(3)
        }
        self.leaders = {f"tikv{n}": 4 for n in range(3)}
        self._violations = 0
        self.look(-100.0)
        for second in range(-30, 1):
            self.sample(second - 0.2, 2_000.0)

    def pd(self, name: str, **change: object) -> None:
        self.pds[name] = replace(self.pds[name], **change)  # type: ignore[arg-type]  # fields of tests' own stories

    def store(self, name: str, **change: object) -> None:
        self.stores[name] = replace(self.stores[name], **change)  # type: ignore[arg-type]  # see above

    def told(self, name: str, **change: object) -> None:
        """What PD tells of a store."""
        store = self.stores[name].store
        assert store is not None
        self.store(name, store=replace(store, **change))  # type: ignore[arg-type]  # see above

    def look(self, at: float) -> None:
        self._now = at
        led = {store.store_id or 0: self.leaders[name] for name, store in self.stores.items()}
        stats = RegionStats(12, 0, 1e9, 1_000, led, dict.fromkeys(led, 12))
        directory = replace(self.directory, stats=stats if self.directory.known else None)
        stores = [one if self.directory.known else replace(one, store=None) for one in self.stores.values()]
        seen = health.observation(
            directory, list(self.pds.values()), stores, Scrape(), silence_s=1.0, at=T0 + at, mono=at
        )
        told = ClusterHealth(seen.subject, seen.ok, seen.reason, list(seen.nodes), seen.observed_at)
        self.history.see("cluster.health", to_body(told))

    def log(self, at: float, name: str, line: str) -> None:
        self._now = at
        state = ProcessState(name, "ready", "server", since_at=T0 - 600)
        self.history.see(f"process.{name}.state", to_body(state))
        self.history.see(f"process.{name}.log", {"stream": "stdout", "line": line, "dropped": 0})

    def sample(self, at: float, ops: float, errors: int = 0) -> None:
        self._now = at
        sample = WorkloadSample(ops, 0.0, ops < 1_000.0, at + 200, 1, 2_000.0, 1_000.0, errors, sampled_at=T0 + at)
        self.history.see("workload.sample", to_body(sample))

    def violate(self, at: float, invariant: str, node: str | None) -> Violation:
        self._now = at
        self._violations += 1
        message = f"{node or 'the cluster'}: {invariant}"
        found = Violation(f"v-{self._violations}", invariant, node, "critical", message, T0 + at, T0 + at)
        self.history.see("violation.opened", to_body(found))
        return found

    def close(self, at: float, violation: Violation) -> None:
        self._now = at
        self.history.see("violation.closed", to_body(replace(violation, last_seen_at=T0 + at - 1)))

    def move_leaders(self, away_from: str) -> None:
        self.leaders = {name: 0 if name == away_from else 6 for name in self.leaders}

    def dossier(self, at: float, invariant: str, node: str | None) -> Dossier:
        self._now = at
        ticket = Ticket(7, invariant, node, "critical", "diagnosing", "x", T0 + 0.4, T0 + 0.4)
        return self.history.dossier(ticket)


def ended(code: int, *, oom: bool = False) -> Container:
    return Container("exited", code, oom, T0)


def _store_ended(container: Container) -> Story:
    story = Story()
    story.store("tikv1", reach=away("refused", 0.1), data="refused", container=container)
    story.look(0.1)
    story.violate(0.1, "store_down", "tikv1")
    story.sample(0.8, 500.0, 12)
    return story


def store_killed() -> Dossier:
    story = _store_ended(ended(137))
    story.look(8.0)
    story.told("tikv1", state="Disconnected")
    story.move_leaders("tikv1")
    story.look(21.0)
    story.sample(22.0, 1_900.0, 40)
    return story.dossier(23.0, "store_down", "tikv1")


def store_killed_and_its_logs_followed() -> Dossier:
    """The daemon follows the containers' output as that of processes, and the engine's word is in the details alone."""
    story = Story()
    story.store("tikv1", reach=away("refused", 0.1), container=ended(137))
    story.look(0.1)
    story.violate(0.1, "store_down", "tikv1")
    return story.dossier(1.0, "store_down", "tikv1")


def store_stopped() -> Dossier:
    return _store_ended(ended(0)).dossier(2.0, "store_down", "tikv1")


def store_crashed() -> Dossier:
    return _store_ended(ended(1)).dossier(2.0, "store_down", "tikv1")


def store_out_of_memory() -> Dossier:
    return _store_ended(ended(137, oom=True)).dossier(2.0, "store_down", "tikv1")


def store_killed_without_an_engine() -> Dossier:
    """As attached to a cluster elsewhere: its port refuses, and that is all."""
    story = Story()
    for name in story.stores:
        story.store(name, container=Container("unknown"))
    for name in story.pds:
        story.pd(name, container=Container("unknown"))
    story.look(-50.0)
    story.store("tikv1", reach=away("refused", 0.1))
    story.look(0.1)
    story.violate(0.1, "store_down", "tikv1")
    return story.dossier(2.0, "store_down", "tikv1")


def store_paused() -> Dossier:
    story = Story()
    story.store("tikv2", reach=away("silent"), data="silent", container=Container("paused", since_at=T0))
    story.look(0.1)
    story.violate(0.1, "store_down", "tikv2")
    story.sample(0.8, 500.0, 12)
    return story.dossier(2.0, "store_down", "tikv2")


def store_frozen_in_its_container() -> Dossier:
    story = Story()
    story.store("tikv2", reach=away("silent"), data="silent")
    story.look(1.2)
    story.violate(1.2, "store_down", "tikv2")
    return story.dossier(3.0, "store_down", "tikv2")


def store_partitioned() -> Dossier:
    """Its network was taken away: the engine has it running, its published port is gone, PD hears nothing."""
    story = Story()
    story.store("tikv0", reach=away("refused", 0.5), data="unreachable")
    story.look(0.5)
    story.violate(0.5, "store_down", "tikv0")
    story.told("tikv0", state="Disconnected")
    story.move_leaders("tikv0")
    story.look(20.0)
    return story.dossier(21.0, "store_down", "tikv0")


def store_cut_off_from_pd() -> Dossier:
    story = Story()
    story.told("tikv0", state="Disconnected")
    story.look(0.5)
    story.violate(0.5, "store_disconnected", "tikv0")
    return story.dossier(3.0, "store_disconnected", "tikv0")


def disk_full() -> Dossier:
    story = Story()
    story.told("tikv1", available=4 * GIB)
    story.look(0.5)
    story.violate(0.5, "low_space", "tikv1")
    return story.dossier(3.0, "low_space", "tikv1")


def pd_killed() -> Dossier:
    story = Story()
    story.pd("pd1", reach=away("refused"), container=ended(137), healthy=False)
    story.look(0.1)
    story.violate(0.1, "pd_member_unhealthy", "pd1")
    story.violate(0.1, "quorum_margin", None)
    for second in range(1, 4):
        story.sample(second, 2_001.0)
    return story.dossier(4.0, "pd_member_unhealthy", "pd1")


def pd_killed_found_by_the_margin() -> Dossier:
    dossier = pd_killed()
    return replace(dossier, ticket=replace(dossier.ticket, invariant="quorum_margin", node=None))


def _leaderless() -> Story:
    story = Story()
    for name in ("pd0", "pd2"):
        story.pd(name, reach=away("refused"), container=ended(137), leads=None)
    story.look(0.1)
    story.directory = Directory("none", "no PD leader (1 of 3 PDs live, 2 are needed)")
    story.look(0.5)
    story.violate(0.1, "pd_member_unhealthy", "pd0")
    story.violate(0.1, "pd_member_unhealthy", "pd2")
    story.violate(0.5, "no_pd_leader", None)
    for second in range(1, 5):
        story.sample(second, 20.0, 400 * second)
    return story


def no_pd_leader() -> Dossier:
    return _leaderless().dossier(5.0, "no_pd_leader", None)


def one_pd_of_those_without_a_majority() -> Dossier:
    return _leaderless().dossier(5.0, "pd_member_unhealthy", "pd2")


def leaders_evicted() -> Dossier:
    story = Story()
    story.store("tikv1", evicting=True)
    story.look(0.2)
    story.violate(0.2, "leaders_evicted", "tikv1")
    story.move_leaders("tikv1")
    story.look(3.0)
    for second in range(1, 5):
        story.sample(second, 1_990.0)
    return story.dossier(5.0, "leaders_evicted", "tikv1")


def grpc_paused() -> Dossier:
    story = Story()
    story.store("tikv2", data="silent", data_silent_for_s=1.2)
    story.look(0.5)
    story.violate(0.5, "data_port", "tikv2")
    story.sample(1.0, 400.0, 100)
    return story.dossier(3.0, "data_port", "tikv2")


def engine_lost() -> Dossier:
    """The ports went with the engine, so nothing answers; the containers live."""
    story = Story()
    lost = Container("unknown", trouble="Cannot connect to the Docker daemon. Is it running?")
    for name in story.stores:
        story.store(name, reach=away("refused"), data="refused", container=lost)
    for name in story.pds:
        story.pd(name, reach=away("refused"), container=lost)
    story.directory = Directory("unknown", "no PD answers: http://pd0:2379: refused")
    story.look(0.5)
    story.violate(1.5, "engine_lost", None)
    story.sample(2.0, 0.0, 100)
    return story.dossier(4.0, "engine_lost", None)


def nothing() -> Dossier:
    story = Story()
    gone = story.violate(0.0, "raft_log_lag", "tikv0")
    story.close(3.0, gone)
    for second in range(1, 5):
        story.sample(second, 2_001.0)
    story.look(4.0)
    return story.dossier(5.0, "raft_log_lag", "tikv0")


def blind() -> Dossier:
    story = Story()
    story.directory = Directory("unknown", "no PD answers: http://pd0:2379: no route")
    story.look(0.5)
    story.violate(2.5, "observation_unknown", None)
    return story.dossier(4.0, "observation_unknown", None)
