"""What a snapshot holds of the cluster's events."""

from operator_protocol.frames import Frame, Header
from operator_protocol.models import ClusterEvent, ClusterHealth
from operator_protocol.records import to_body
from operatord.bus.memory import Memory


def test_the_last_events_are_in_the_tails_and_the_looks_are_not() -> None:
    memory = Memory()
    for seq in range(1, 1_001):
        header = Header(1, "boot", seq, seq, 0.0, 0.0, "docker")
        event = ClusterEvent("tikv1", "election", str(seq), 0.0)
        memory.take(Frame("cluster.event", header, to_body(event)))
        memory.take(Frame("cluster.health", header, to_body(ClusterHealth("tikv", True))))
    tails = memory.tails()
    assert {topic for topic, _, _ in tails} == {"cluster.event"}
    assert [body["text"] for _, _, body in tails][-1] == "1000"  # type: ignore[index]  # a body is a map
    assert len(tails) == 200
