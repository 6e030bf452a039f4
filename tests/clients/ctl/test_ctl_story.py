"""What the walk makes of the frames: intervals, the load, and the two counts of operations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.clients import bodies

from operator_clients.ctl.served import ServedByNodes
from operator_clients.ctl.story import Story
from operator_protocol.codec import Body
from operator_protocol.frames import Frame, Header
from operator_protocol.models import Node, Scalar
from operator_protocol.records import to_body

WALL = 1_000_000.0
"""Wall clock minus monotonic clock in these tests."""


class Bus:
    def __init__(self) -> None:
        self.story = Story()
        self._seq = 0

    def at(self, mono_ts: float, topic: str, body: object) -> None:
        self._seq += 1
        header = Header(1, "b", self._seq, self._seq, WALL + mono_ts, mono_ts, "x")
        self.story.see(Frame(topic, header, body if isinstance(body, dict) else to_body(body)))

    def samples(self, start: int, rates: Sequence[float], *, errors: int = 0) -> None:
        for number, rate in enumerate(rates):
            self.at(start + number, "workload.sample", bodies.sample(rate, degraded=rate < 1000, errors=errors))

    def fault(self, mono_ts: float, leaf: str, **members: object) -> None:
        self.at(mono_ts, f"fault.{leaf}", bodies.fault(**members))  # type: ignore[arg-type]  # as the test wrote it


def whole_story() -> Bus:
    bus = Bus()
    bus.samples(1, [2000, 2000])
    bus.fault(3.5, "injected", injected_at=WALL + 3.2)
    bus.at(3.3, "violation.opened", bodies.violation("valkey-4"))
    bus.at(3.4, "violation.opened", bodies.violation("valkey-1"))
    bus.at(4.2, "agent.diagnosis", {"ticket": 2, "diagnosis": to_body(bodies.diagnosis("valkey-4"))})
    bus.at(5.2, "agent.diagnosis", {"ticket": 1, "diagnosis": to_body(bodies.diagnosis("valkey-1"))})
    bus.samples(4, [300, 1500], errors=12)
    bus.fault(6.0, "recovering", state="recovering")
    bus.fault(7.25, "recovered", state="recovered")
    bus.samples(8, [500, 2100, 1900, 2000, 2000, 1990], errors=12)
    return bus


def test_intervals_count_from_the_instant_of_the_injection_and_prefer_the_target() -> None:
    figures = whole_story().story.figures()
    assert figures["detected_after_s"] == 0.2
    assert figures["diagnosed_after_s"] == 2.0
    assert figures["recovered_after_s"] == 1.25
    assert figures["diagnosis"]["component"] == "valkey-1"


def test_a_recovery_that_someone_else_brought_about_counts_from_the_injection() -> None:
    bus = Bus()
    bus.fault(3.0, "injected", injected_at=WALL + 3.0)
    bus.fault(9.0, "recovered", state="recovered", recovered_by="observation")
    assert bus.story.figures()["recovered_after_s"] == 6.0


def test_the_load_is_measured_before_during_and_after() -> None:
    figures = whole_story().story.figures()
    assert figures["ops"] == {"baseline": 2000.0, "lowest": 300.0, "after": 1998.0}
    assert figures["errors"] == 12
    assert figures["degraded_seen"] is True


def test_degraded_samples_outside_the_fault_do_not_count() -> None:
    bus = Bus()
    bus.samples(1, [100])
    bus.fault(3.0, "injected", injected_at=WALL + 3.0)
    bus.fault(4.0, "recovered", state="recovered")
    bus.samples(5, [100])
    assert bus.story.degraded_seen is False
    assert "no degraded sample between injection and recovery" in bus.story.problems()


def test_a_fault_that_leaves_its_target_serving_need_not_show_in_the_load() -> None:
    bus = Bus()
    bus.samples(1, [2000, 2000])
    bus.fault(3.0, "injected", injected_at=WALL + 3.0)
    bus.samples(4, [2000])
    bus.story.outages = {"kill": False}
    assert bus.story.degraded_expected is False
    assert "no degraded sample between injection and recovery" not in bus.story.problems()


def test_a_whole_story_has_no_problems() -> None:
    assert whole_story().story.problems() == []
    assert whole_story().story.settled


def test_a_load_that_stays_low_after_the_recovery_is_a_problem() -> None:
    bus = whole_story()
    bus.samples(14, [1000, 1000, 1000, 1000, 1000])
    assert not bus.story.settled
    assert "the load did not come back: 1000.0 of 2000.0 ops/s" in bus.story.problems()


def test_a_story_without_anything_names_what_is_missing() -> None:
    assert Story().problems() == [
        "no fault was injected",
        "the load has no baseline",
        "no degraded sample between injection and recovery",
        "fewer than 5 samples of the load after the recovery",
    ]


def test_a_frame_that_cannot_be_read_is_passed_over() -> None:
    bus = Bus()
    bus.at(1.0, "workload.sample", {"ops_per_sec": "many"})
    assert bus.story.samples == []


def look(**commands: tuple[str, int, str]) -> list[Node]:
    """Two nodes of one shard: ``primary=(role, commands, run_id)``; a role of ``down-primary`` is a dead one."""
    nodes = []
    for name, (role, count, run_id) in commands.items():
        down = role.startswith("down-")
        detail: Mapping[str, Scalar] = {} if down else {"commands": count, "run_id": run_id}
        state = "down" if down else "up"
        nodes.append(Node(name, role.removeprefix("down-"), "shard-0", name, state, detail=detail))  # type: ignore[arg-type]  # a literal
    return nodes


def test_what_a_replica_replays_is_not_served() -> None:
    served = ServedByNodes()
    served.observe(0.0, look(a=("primary", 100, "r"), b=("replica", 50, "r")))
    served.observe(1.0, look(a=("primary", 1100, "r"), b=("replica", 550, "r")))
    assert served.total_at(1.0) == 1000
    assert served.total_at(0.25) == 250


def test_a_promoted_replica_counts_from_the_death_of_its_primary_on() -> None:
    served = ServedByNodes()
    served.observe(0.0, look(a=("primary", 0, "r"), b=("replica", 0, "r")))
    served.observe(1.0, look(a=("primary", 1000, "r"), b=("replica", 500, "r")))
    served.observe(1.5, look(a=("down-primary", 0, ""), b=("replica", 600, "r")))
    served.observe(3.0, look(a=("down-primary", 0, ""), b=("primary", 900, "r")))
    served.observe(4.0, look(a=("replica", 5000, "second"), b=("primary", 1900, "r")))
    assert served.total_at(4.0) == 1000 + 300 + 1000


def test_a_primary_that_was_started_anew_counts_from_zero() -> None:
    served = ServedByNodes()
    served.observe(0.0, look(a=("primary", 800, "r")))
    served.observe(1.0, look(a=("down-primary", 0, "")))
    served.observe(2.0, look(a=("primary", 30, "second")))
    assert served.total_at(2.0) == 30


def test_a_subject_without_counters_has_nothing_to_compare_with() -> None:
    story = whole_story().story
    story.served.observe(1.0, [bodies.node(1)])
    assert not story.accounted
    assert story.figures()["operations"] == {"counted": 0, "served_by_nodes": None, "difference": None}


def test_both_counts_cover_the_same_window_and_a_difference_is_a_problem() -> None:
    bus = Bus()
    for second in range(6):
        health = bodies.cluster()
        nodes = look(a=("primary", 1500 * second, "r"))
        bus.at(second, "cluster.health", to_body(health) | {"nodes": [to_body(one) for one in nodes]})
        bus.at(second + 0.5, "workload.sample", bodies.sample(2000, 2000 * second))
    assert bus.story.figures()["operations"] == {"counted": 8000, "served_by_nodes": 6000, "difference": -0.25}
    assert "the load counted 8000 operations, the nodes 6000" in bus.story.problems()


def action(status: str, **members: object) -> Body:
    body: Body = {"id": 1, "ticket": 1, "kind": "start_server", "target": "valkey-1", "status": status}
    return body | members


def test_the_report_says_that_the_agent_repaired_it() -> None:
    bus = Bus()
    bus.fault(3.0, "injected", injected_at=WALL + 3.0)
    bus.at(5.0, "action.proposed", action("proposed"))
    bus.at(6.0, "action.started", action("running"))
    bus.fault(7.5, "recovered", state="recovered", recovered_by="observation")
    bus.at(8.0, "action.finished", action("succeeded", result="it is over"))
    figures = bus.story.figures()
    assert (figures["repaired_by"], figures["recovered_after_s"]) == ("agent", 1.5)
    assert figures["action"]["result"] == "it is over"


def test_the_report_says_who_else_repaired_it() -> None:
    bus = whole_story()
    assert (bus.story.figures()["repaired_by"], bus.story.figures()["action"]) == ("recovery", None)
    for begun, status, by, repaired in (
        (6.0, "failed", "undo", "recovery"),
        (6.0, "failed", "observation", "somebody else"),
        (9.0, "succeeded", "observation", "somebody else"),
        (None, "proposed", "observation", "somebody else"),
    ):
        bus = Bus()
        bus.fault(3.0, "injected", injected_at=WALL + 3.0)
        bus.at(5.0, "action.proposed", action("proposed"))
        if begun is not None:
            bus.at(begun, "action.started", action("running"))
        bus.fault(8.0, "recovered", state="recovered", recovered_by=by)
        if begun is not None:
            bus.at(10.0, "action.finished", action(status))
        assert bus.story.figures()["repaired_by"] == repaired


def test_each_act_of_a_story_has_figures_of_its_own() -> None:
    bus = Bus()
    bus.samples(1, [2000, 2000])
    bus.fault(3.0, "injected", fault_id="a", target="valkey-4", injected_at=WALL + 3.0)
    bus.at(3.5, "violation.opened", bodies.violation("valkey-4"))
    bus.at(4.0, "agent.diagnosis", {"ticket": 1, "diagnosis": to_body(bodies.diagnosis("valkey-4"))})
    bus.samples(4, [1900])
    bus.fault(5.0, "recovering", fault_id="a", target="valkey-4", state="recovering")
    bus.fault(5.5, "recovered", fault_id="a", target="valkey-4", state="recovered")
    bus.samples(6, [1500, 1990])
    bus.fault(8.0, "injected", fault_id="b", injected_at=WALL + 8.0)
    bus.at(8.2, "violation.opened", bodies.violation("valkey-1"))
    bus.at(9.0, "agent.diagnosis", {"ticket": 2, "diagnosis": to_body(bodies.diagnosis("valkey-1"))})
    bus.samples(9, [0], errors=7)
    bus.fault(10.0, "recovering", fault_id="b", state="recovering")
    bus.fault(12.0, "recovered", fault_id="b", state="recovered")
    assert not bus.story.settled
    bus.samples(13, [500, 2000, 2000, 2000, 2000, 2000], errors=7)
    figures = bus.story.figures()
    first, second = figures["acts"]
    assert first["ops"] == {"baseline": 2000.0, "lowest": 1900.0, "after": 1990.0}
    assert second["ops"] == {"baseline": 2000.0, "lowest": 0.0, "after": 2000.0}
    assert (first["detected_after_s"], second["detected_after_s"]) == (0.5, 0.2)
    assert (first["diagnosed_after_s"], second["diagnosed_after_s"]) == (1.0, 1.0)
    assert (first["recovered_after_s"], second["recovered_after_s"]) == (0.5, 2.0)
    assert (first["errors"], second["errors"]) == (0, 7)
    assert figures["ops"] == first["ops"]
    assert bus.story.problems() == []


def test_a_first_answer_is_no_diagnosis_yet() -> None:
    bus = Bus()
    bus.fault(3.0, "injected", injected_at=WALL + 3.0)
    early = replace(bodies.diagnosis("valkey-1"), preliminary=True)
    bus.at(3.2, "agent.diagnosis", {"ticket": 1, "diagnosis": to_body(early)})
    assert bus.story.figures()["diagnosed_after_s"] == 0.2
    bus.at(5.5, "agent.diagnosis", {"ticket": 1, "diagnosis": to_body(bodies.diagnosis("valkey-1"))})
    figures = bus.story.figures()
    assert (figures["first_answer_after_s"], figures["diagnosed_after_s"]) == (0.2, 2.5)
