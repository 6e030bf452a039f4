"""The history behind a dossier: what goes in, what stays out, and that it never grows."""

from dataclasses import replace

from operator_protocol.codec import MAX_MESSAGE_BYTES, pack
from operator_protocol.models import (
    ClusterEvent,
    ClusterHealth,
    Diagnosis,
    EvidenceItem,
    Node,
    ProcessState,
    Ticket,
    WorkloadSample,
)
from operator_protocol.records import from_body, to_body
from operatord.tickets.dossier import Dossier
from operatord.tickets.history import History

from .ticket_cases import violation

ONSET = 1_000.0


def health(at: float, *, down: str = "", latency: float = 0.2) -> ClusterHealth:
    nodes = [
        Node(
            f"valkey-{number}",
            "primary" if number < 3 else "replica",
            f"shard-{number % 3}",
            f"127.0.0.1:{7000 + number}",
            "down" if f"valkey-{number}" == down else "up",
            detail={"p99_ms": latency, "pid": 100 + number, "problem": f"silent for {at} s"},
        )
        for number in range(6)
    ]
    return ClusterHealth("valkey", not down, "", nodes, at)


def server(state: str, at: float, *, name: str = "valkey-0", pid: int | None = 100, **end: int) -> ProcessState:
    return from_body(
        ProcessState, {"name": name, "state": state, "kind": "server", "pid": pid, "since_at": at} | dict(end)
    )


def sample(at: float) -> WorkloadSample:
    return WorkloadSample(2_000.0, 0.0, False, at, 1, sampled_at=at)


def ticket(at: float = ONSET) -> Ticket:
    return Ticket(1, "node_down", "valkey-0", "critical", "open", "valkey-0 is down", at, at)


class Bench:
    def __init__(self) -> None:
        self.now = ONSET
        self.history = History(lambda: self.now)

    def see(self, topic: str, record: object) -> None:
        self.history.see(topic, to_body(record))

    def log(self, name: str, line: str, at: float = ONSET) -> None:
        self.now = at
        self.history.see(f"process.{name}.log", {"stream": "stdout", "line": line, "dropped": 0})

    def dossier(self, of: Ticket | None = None) -> Dossier:
        return self.history.dossier(of or ticket())


def test_a_dossier_travels_over_the_wire() -> None:
    bench = Bench()
    bench.see("process.valkey-0.state", server("ready", 900.0))
    bench.log("valkey-0", "Ready to accept connections", 901.0)
    bench.see("cluster.health", health(990.0))
    bench.see("cluster.health", health(1_000.0, down="valkey-0", latency=0.4))
    bench.see("workload.sample", sample(999.0))
    bench.see("violation.opened", violation())
    dossier = bench.dossier()
    assert from_body(Dossier, to_body(dossier)) == dossier
    assert dossier.onset_at == 990.0
    assert [one.name for one in dossier.process_events] == ["valkey-0"]
    assert [one.id for one in dossier.violations] == ["v-1"]


def test_what_would_give_the_answer_away_stays_out() -> None:
    bench = Bench()
    bench.see("process.valkey-0.state", server("ready", 900.0))
    for topic in ("fault.countdown", "fault.injected", "demo.chapter", "command.finished", "agent.step"):
        bench.history.see(topic, {"kind": "kill", "target": "valkey-0", "text": "SECRET", "id": "SECRET"})
    for name in ("operatord", "monitor", "agent", "forkserver"):
        bench.history.see(
            f"process.{name}.state", {"name": name, "state": "ready", "kind": "worker", "reason": "SECRET"}
        )
        bench.log(name, "SECRET: kill on valkey-0 injected")
    told = replace(server("stopped", 1_000.0, pid=None, exit_code=0), reason="SECRET: fault f-1 injected")
    bench.see("process.valkey-0.state", told)
    assert b"SECRET" not in pack(to_body(bench.dossier()))


def test_the_load_and_the_servers_are_let_in() -> None:
    bench = Bench()
    bench.see("process.valkey-0.state", server("ready", 900.0))
    bench.log("valkey-0", "a line of the server")
    bench.log("ycsb", "a line of the load")
    assert {name: [line.text for line in lines] for name, lines in bench.dossier().logs.items()} == {
        "valkey-0": ["a line of the server"],
        "ycsb": ["a line of the load"],
    }


def test_what_the_logs_told_is_let_in_by_the_time_in_the_line_and_bounded() -> None:
    bench = Bench()
    for at in (ONSET - 300.0, *(ONSET + tick / 10 for tick in range(500))):
        bench.see("cluster.event", ClusterEvent("valkey-1", "election", "x" * 5_000, at))
    given = bench.dossier().events
    assert len(given) <= 100
    assert min(one.at for one in given) >= ONSET
    assert all(len(one.text) <= 1_000 for one in given)


def test_malformed_frames_are_passed_over() -> None:
    bench = Bench()
    for topic in ("cluster.health", "cluster.event", "workload.sample", "violation.opened", "process.valkey-0.state"):
        bench.history.see(topic, {"kind": "server", "nodes": 3})
    bench.history.see("process.valkey-0.log", {})
    bench.history.see("process.", {})
    assert bench.dossier().health_history == []


def test_only_changes_of_the_cluster_are_kept_with_the_state_before_and_the_present_one() -> None:
    bench = Bench()
    for tick in range(400):
        at = 800.0 + tick / 2
        bench.see("cluster.health", health(at, down="valkey-0" if at >= ONSET - 0.5 else "", latency=tick / 100))
    seen = [(one.observed_at, one.ok) for one in bench.dossier().health_history]
    assert seen == [(800.0, True), (999.5, False)]
    bench.see("cluster.health", health(1_010.0, down="valkey-0"))
    assert [one.observed_at for one in bench.dossier().health_history] == [800.0, 999.5, 1_010.0]


def test_a_node_that_flaps_leaves_the_state_before_the_onset_in_the_dossier() -> None:
    bench = Bench()
    bench.see("cluster.health", health(930.0))
    for tick in range(200):
        bench.see("cluster.health", health(ONSET + tick / 4, down="valkey-0" if tick % 2 == 0 else ""))
    history = bench.dossier().health_history
    assert len(history) <= 41
    assert history[0].observed_at == 930.0
    assert history[-1].observed_at == ONSET + 199 / 4


def test_readings_of_the_same_process_state_are_one_event() -> None:
    bench = Bench()
    for tick in range(100):
        bench.see("process.valkey-0.state", replace(server("ready", 900.0), cpu_percent=float(tick)))
    bench.see("process.valkey-0.state", server("failed", 1_000.0, pid=None, signal=9))
    events = bench.dossier().process_events
    assert [(one.state, one.signal) for one in events] == [("ready", None), ("failed", 9)]


def test_the_window_is_a_minute_to_either_side_and_the_present_is_always_there() -> None:
    bench = Bench()
    for at in (500.0, 700.0, 980.0, 1_500.0):
        bench.see("process.valkey-0.state", server("ready", at, pid=int(at)))
        bench.log("valkey-0", f"at {at}", at)
        bench.see("workload.sample", sample(at))
    dossier = bench.dossier()
    assert [one.pid for one in dossier.process_events] == [700, 980, 1_500]
    assert [line.text for line in dossier.logs["valkey-0"]] == ["at 700.0", "at 980.0"]
    assert [one.sampled_at for one in dossier.workload] == [980.0]


def test_figures_that_move_come_as_series() -> None:
    bench = Bench()
    for tick in range(200):
        bench.see("cluster.health", health(950.0 + tick / 2, latency=0.2 if tick < 100 else 14.0))
    series = {(one.node, one.name): one for one in bench.dossier().series}
    assert set(series) == {(f"valkey-{number}", "p99_ms") for number in range(6)}
    one = series["valkey-0", "p99_ms"]
    assert len(one.at) == len(one.values) <= 60
    assert one.values[-1] == 14.0


def test_violations_that_ended_are_told_apart() -> None:
    bench = Bench()
    bench.see("violation.opened", violation(1))
    bench.see("violation.opened", violation(2, node="valkey-1"))
    bench.see("violation.closed", violation(2, node="valkey-1"))
    dossier = bench.dossier()
    assert [one.id for one in dossier.violations] == ["v-1"] == [one.id for one in bench.history.open_violations()]
    assert [one.id for one in dossier.ended] == ["v-2"]


def test_earlier_tickets_come_without_their_evidence() -> None:
    bench = Bench()
    diagnosis = Diagnosis(
        "s", "valkey-0", "process_killed", "e", 0.9, "rules", evidence=[EvidenceItem(1, "log", "x")], markdown="# long"
    )
    earlier = replace(ticket(), diagnosis=diagnosis)
    found = bench.history.dossier(ticket(), [earlier] * 10).previous
    assert len(found) == 3
    assert found[0].diagnosis is not None
    assert (found[0].diagnosis.evidence, found[0].diagnosis.markdown) == ([], "")


def test_a_dossier_of_a_flood_still_fits_into_a_message() -> None:
    bench = Bench()
    for number in range(200):
        name = f"valkey-{number % 100}"
        bench.see(f"process.{name}.state", server("ready", 990.0, name=name))
        for line in range(20):
            bench.log(name, "x" * 5_000, 990.0 + line)
    for tick in range(2_000):
        bench.see("cluster.health", health(990.0 + tick / 100, down=f"valkey-{tick % 6}", latency=tick / 7))
        bench.see("workload.sample", sample(990.0 + tick / 100))
    for number in range(500):
        bench.see("violation.opened", violation(number))
        bench.see("violation.closed", violation(number))
    assert len(pack(to_body(bench.dossier()))) < MAX_MESSAGE_BYTES
