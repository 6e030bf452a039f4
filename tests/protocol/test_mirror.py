"""Joining and following without sockets: every way in which frames can be lost is noticed."""

from collections.abc import Iterator

import pytest

from operator_protocol.codec import Body
from operator_protocol.events import FrameSeen, Joined, Resynced, StatusChanged
from operator_protocol.frames import Frame, Header
from operator_protocol.mirror import Ask, Mirror, Subscribe
from operator_protocol.state import State
from operator_protocol.topics import join_echo


class Daemon:
    """The other side: stamps frames and answers, as docs/protocol.md says."""

    def __init__(self, boot_id: str = "b1") -> None:
        self.boot_id = boot_id
        self.seq = 0
        self.topic_seqs: dict[str, int] = {}
        self.state = State()

    def frame(self, topic: str, body: Body | None = None) -> Frame:
        self.seq += 1
        topic_seq = self.topic_seqs[topic] = self.topic_seqs.get(topic, 0) + 1
        frame = Frame(topic, Header(1, self.boot_id, self.seq, topic_seq, 0.0, 0.0, "test"), body or {})
        self.state.apply(topic, frame.body)
        return frame

    def health(self, ok: bool | None) -> Frame:
        return self.frame("cluster.health", {"subject": "valkey", "ok": ok})

    def heartbeat(self, moved: dict[str, int]) -> Frame:
        return self.frame("heartbeat", {"seq": self.seq + 1, "topics": moved, "uptime": 1.0, "subscribers": 1})

    def snapshot(self) -> Body:
        return {
            "boot_id": self.boot_id,
            "seq": self.seq,
            "topic_seqs": dict(self.topic_seqs),
            "state": self.state.to_wire(),
            "tails": [],
        }


def asked(mirror: Mirror) -> Iterator[Ask]:
    return (action for action in mirror.take_actions() if isinstance(action, Ask))


def status(mirror: Mirror) -> str:
    return mirror.status


def join(mirror: Mirror, daemon: Daemon, now: float = 0.0) -> None:
    hello = next(ask for ask in asked(mirror) if ask.cmd == "hello")
    mirror.answered(hello.id, {"boot_id": daemon.boot_id}, now)
    mirror.received(daemon.frame(join_echo(hello.args["nonce"])), now)
    snapshot = next(ask for ask in asked(mirror) if ask.cmd == "snapshot")
    mirror.answered(snapshot.id, daemon.snapshot(), now)


def joined(daemon: Daemon, topics: list[str] | None = None) -> Mirror:
    mirror = Mirror(topics)
    mirror.start(0.0)
    join(mirror, daemon)
    assert status(mirror) == "live"
    mirror.take_events()
    return mirror


def test_a_join_asks_for_the_snapshot_only_after_the_echo() -> None:
    mirror = Mirror()
    mirror.start(0.0)
    actions = mirror.take_actions()
    assert isinstance(actions[0], Subscribe)
    assert [action.cmd for action in actions if isinstance(action, Ask)] == ["hello"]
    daemon = Daemon()
    hello = next(action for action in actions if isinstance(action, Ask))
    mirror.answered(hello.id, {"boot_id": daemon.boot_id}, 0.0)
    assert list(asked(mirror)) == []
    mirror.received(daemon.frame(join_echo(hello.args["nonce"])), 0.0)
    assert [ask.cmd for ask in asked(mirror)] == ["snapshot"]


def test_frames_that_arrive_while_the_snapshot_is_made_are_applied_once_and_in_order() -> None:
    daemon, mirror = Daemon(), Mirror()
    mirror.start(0.0)
    hello = next(asked(mirror))
    mirror.answered(hello.id, {}, 0.0)
    mirror.received(daemon.frame(join_echo(hello.args["nonce"])), 0.0)
    ask = next(asked(mirror))
    before = daemon.health(False)
    snapshot = daemon.snapshot()
    after = daemon.health(True)
    mirror.received(before, 0.0)
    mirror.received(after, 0.0)
    mirror.answered(ask.id, snapshot, 0.0)
    assert [event.frame for event in mirror.take_events() if isinstance(event, FrameSeen)] == [after]
    assert mirror.state.cluster is not None
    assert mirror.state.cluster.ok is True


def test_a_gap_in_seq_is_a_visible_resync() -> None:
    daemon = Daemon()
    mirror = joined(daemon)
    daemon.health(False)
    mirror.received(daemon.health(True), 1.0)
    assert status(mirror) == "joining"
    join(mirror, daemon, 1.0)
    events = mirror.take_events()
    assert any(isinstance(event, Resynced) and "1 frame lost" in event.reason for event in events)
    assert mirror.state.cluster is not None


def test_a_filtered_subscriber_notices_a_gap_in_its_topics_and_ignores_the_others() -> None:
    daemon = Daemon()
    mirror = joined(daemon, ["workload.sample", "cluster.health"])
    daemon.frame("process.x.log", {"line": "not wanted"})
    mirror.received(daemon.health(True), 1.0)
    assert status(mirror) == "live"
    daemon.health(False)
    mirror.received(daemon.health(True), 1.0)
    assert status(mirror) == "joining"


def test_loss_at_the_tail_shows_in_the_heartbeat() -> None:
    daemon = Daemon()
    mirror = joined(daemon, ["cluster.health"])
    daemon.health(False)
    mirror.received(daemon.heartbeat({"cluster.health": 1}), 1.0)
    assert status(mirror) == "joining"


def test_a_heartbeat_about_frames_that_came_is_no_loss() -> None:
    daemon = Daemon()
    mirror = joined(daemon)
    mirror.received(daemon.health(True), 1.0)
    mirror.received(daemon.heartbeat({"cluster.health": 1, "heartbeat": 1}), 1.0)
    assert status(mirror) == "live"


def test_a_new_boot_id_is_a_resync_that_says_that_the_daemon_restarted() -> None:
    mirror = joined(Daemon())
    second = Daemon("b2")
    mirror.received(second.health(True), 1.0)
    join(mirror, second, 1.0)
    events = mirror.take_events()
    assert Resynced("the daemon restarted") in events
    assert mirror.boot_id == "b2"


def test_silence_is_stale_then_lost_and_the_join_is_tried_for_ever() -> None:
    mirror = joined(Daemon())
    mirror.received(Daemon().frame("nothing"), 0.0)
    mirror.take_events()
    asks = 0
    for tenth in range(1, 600):
        mirror.tick(tenth / 10)
        asks += sum(1 for ask in asked(mirror) if ask.cmd == "hello")
    assert [event.status for event in mirror.take_events() if isinstance(event, StatusChanged)] == ["stale", "lost"]
    assert asks > 20


def test_back_to_live_by_itself_after_silence() -> None:
    daemon = Daemon()
    mirror = joined(daemon)
    mirror.tick(4.0)
    assert status(mirror) == "stale"
    join(mirror, daemon, 5.0)
    assert status(mirror) == "live"
    assert any(isinstance(event, Resynced) and "silent" in event.reason for event in mirror.take_events())


def test_the_first_join_is_told_as_joined() -> None:
    daemon, mirror = Daemon(), Mirror()
    mirror.start(0.0)
    join(mirror, daemon)
    assert Joined("b1") in mirror.take_events()


def test_what_did_the_work_of_a_fault_is_forgotten_when_it_has_ended() -> None:
    daemon = Daemon()
    mirror = joined(daemon)
    for name, kind in (("slow-valkey-1", "tool"), ("agent", "worker")):
        for state in ("ready", "stopped"):
            body = {"name": name, "state": state, "kind": kind}
            mirror.received(daemon.frame(f"process.{name}.state", body), 0.0)
            assert (name in mirror.state.processes) == (kind == "worker" or state == "ready")


@pytest.mark.parametrize("damage", [{}, {"state": {"nodes": [{"id": 3}]}}, {"state": 7}])
def test_an_unreadable_snapshot_is_asked_for_again(damage: Body) -> None:
    daemon, mirror = Daemon(), Mirror()
    mirror.start(0.0)
    hello = next(asked(mirror))
    mirror.answered(hello.id, {}, 0.0)
    mirror.received(daemon.frame(join_echo(hello.args["nonce"])), 0.0)
    mirror.answered(next(asked(mirror)).id, {**daemon.snapshot(), **damage} if damage else None, 0.0)
    assert status(mirror) == "joining"
    mirror.tick(10.0)
    join(mirror, daemon, 10.0)
    assert status(mirror) == "live"
