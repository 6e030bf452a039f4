"""What a daemon with a cluster says is what the specification and the golden messages promise."""

import time

from tests.protocol import golden_cases as cases
from tests.protocol.independent_reader import Reader

from operator_protocol.codec import Body
from operator_protocol.events import FrameSeen
from operator_protocol.follow import Follower
from operator_protocol.records import to_body

from .real_daemon import RealDaemon

_FREE_FORM = {"signals", "detail", "params", "latency", "usage", "dropped", "topics", "topic_seqs", "refused", "result"}
"""Maps whose keys are names of something, not fields."""


def missing(said: object, promised: object, where: str) -> list[str]:
    """What the golden message has and the live one has not, by key and by type; any record of an array will do."""
    if promised is None or said is None:
        return []
    if isinstance(promised, dict):
        if not isinstance(said, dict):
            return [where]
        if where.rpartition(".")[2] in _FREE_FORM:
            return []
        found = [f"{where}.{key}" for key in promised if key not in said]
        both = [key for key in promised if key in said]
        return found + [one for key in both for one in missing(said[key], promised[key], f"{where}.{key}")]
    if isinstance(promised, list):
        if not isinstance(said, list):
            return [where]
        first = promised[0] if promised else None
        return [one for item in said if isinstance(item, dict) for one in missing(item, first, f"{where}[]")]
    if isinstance(promised, float):
        return [] if isinstance(said, int | float) and not isinstance(said, bool) else [where]
    return [] if type(said) is type(promised) else [where]


def in_step(follower: Follower, reader: Reader) -> None:
    """Have both at the same frame."""
    until = time.monotonic() + 20
    while follower.seq != reader.seq:
        assert time.monotonic() < until
        if follower.seq > reader.seq:
            reader.step()
        else:
            follower.poll(0.05)


def same_view(follower: Follower, reader: Reader) -> None:
    in_step(follower, reader)
    state = follower.state
    assert reader.boot_id == follower.boot_id
    assert reader.nodes == {name: to_body(node) for name, node in state.nodes.items()}
    assert reader.violations == {name: to_body(violation) for name, violation in state.violations.items()}
    assert reader.faults == {name: to_body(fault) for name, fault in state.faults.items()}
    assert state.cluster is not None
    assert reader.ok == state.cluster.ok


def test_a_client_written_from_the_page_alone_follows_a_fault_and_its_recovery(shared_daemon: RealDaemon) -> None:
    endpoint = shared_daemon.endpoint
    reader = Reader(endpoint.frames, endpoint.control)
    reader.join()
    with shared_daemon.follower() as follower:
        until = time.monotonic() + 60
        while reader.ok is not True:
            assert time.monotonic() < until
            reader.step()
        same_view(follower, reader)
        frames: dict[str, Body] = {}
        fault = follower.perform("fault", {"kind": "kill", "target": "valkey-0", "countdown": 1})
        assert fault["fault"]["state"] == "active"
        while ("node_down", "valkey-0") not in {(one["invariant"], one["node"]) for one in reader.violations.values()}:
            assert time.monotonic() < until
            reader.step()
        assert reader.nodes["valkey-0"]["state"] == "down"
        assert [one["target"] for one in reader.faults.values()] == ["valkey-0"]
        same_view(follower, reader)
        diagnosed = follower.perform("diagnose", {})
        recovered = follower.perform("recover", {})
        while reader.faults or reader.violations or reader.ok is not True:
            assert time.monotonic() < until
            reader.step()
        same_view(follower, reader)
        assert reader.rejoined == []
        follower.perform("restart", {"name": "agent"})
        same_view(follower, reader)
        # What it was told on the way is what the golden messages promise.
        ticket = follower.perform("ticket", {"id": diagnosed["ticket"]["id"]})
        results = ((fault, "fault"), (diagnosed, "diagnose"), (recovered, "recover"), (ticket, "ticket"))
        for result, name in results:
            assert missing(result, cases.RESULTS[name], name) == []
        heartbeat: list[Body] = []
        while not heartbeat:
            events = [event.frame for event in follower.poll(1.5) if isinstance(event, FrameSeen)]
            heartbeat = [frame.body for frame in events if frame.topic == "heartbeat"]
        frames |= {frame.topic: frame.body for frame in follower.tail} | {"heartbeat": heartbeat[0]}
        promised = {
            topic: cases.body_of(said) for name, (topic, said) in cases.FRAMES.items() if not name.endswith("-error")
        }
        promised |= {"process.agent.state": promised["process.monitor.state"]}
        told = sorted(frames.keys() & promised.keys())
        assert {"fault.recovered", "violation.closed", "ticket.resolved", "agent.diagnosis"} <= set(told)
        assert [one for topic in told for one in missing(frames[topic], promised[topic], topic)] == []
    reader.context.destroy(linger=0)


def test_replies_have_what_the_golden_ones_promise(shared_daemon: RealDaemon) -> None:
    asked: list[tuple[str, Body]] = [
        ("ping", {}),
        ("hello", {"version": 1}),
        ("snapshot", {}),
        ("status", {}),
        ("processes", {}),
        ("tickets", {}),
        ("recover", {}),
        ("workload", {"action": "show"}),
        ("stop", {"name": "ycsb"}),
        ("restart", {"name": "ycsb"}),
        ("goto", {"chapter": 0}),
        ("next", {}),
        ("previous", {}),
    ]
    with shared_daemon.follower() as follower:
        for cmd, args in asked:
            assert missing(follower.perform(cmd, args), cases.RESULTS[cmd], cmd) == []
