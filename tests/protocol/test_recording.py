"""A journal is played to the state that a client had, in any order of looking, whole or not."""

import os
import random
import time
from pathlib import Path

import pytest
from tests.protocol.journals import EPOCH, Press, Traffic, fault, health, process, sample, violation

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.events import Event, FrameSeen, Joined, Resynced
from operator_protocol.journal import MAGIC, read_journal
from operator_protocol.journal_index import LONGEST_PAUSE_S
from operator_protocol.recording import Recording
from operator_protocol.replay import SOUGHT, Replay


def all_of(replay: Replay) -> list[Event]:
    while replay.step() is not None:
        pass
    return replay.poll(0)


def played(recording: Recording) -> list[tuple[Body, list[int]]]:
    """State and tail after each entry, one by one."""
    replay = Replay(recording, paused=True)
    seen = []
    for _ in range(len(recording)):
        replay._advance([])
        seen.append((replay.state.to_wire(), [frame.header.seq for frame in replay.tail]))
    return seen


@pytest.mark.parametrize("seed", range(5))
def test_a_jump_to_any_moment_shows_what_playing_up_to_it_would_have(tmp_path: Path, seed: int) -> None:
    traffic, dice = Traffic(seed), random.Random(seed)
    press = Press(tmp_path, wall=EPOCH)
    for boot in range(3):
        press = Press(tmp_path, f"b{boot}", wall=press.wall + 3, mono=press.mono + 3)
        for file in range(3):
            press.begin(f"frames-{boot}-{file}.opj", with_checkpoint=boot != 1 or file > 0)
            for _ in range(80):
                topic, body = traffic.next()
                press.publish(topic, body, after_s=dice.choice((0.0, 0.1, 2.0)))
    press.end()
    with Recording.open(tmp_path) as recording:
        expected = played(recording)
        at_s = recording.index.at_s
        for _ in range(30):
            replay = Replay(recording, paused=True, at_s=dice.choice((0.0, recording.duration_s / 2)))
            for _ in range(3):
                replay.seek(dice.uniform(-1, recording.duration_s + 1))
                replay.poll(0)
                stop = recording.stop_at(replay.position_s)
                state, tail = expected[stop - 1]
                assert replay.state.to_wire() == state
                # Of what is before a checkpoint so much is known as it holds.
                base = recording.read(recording.base(stop))
                assert base is not None
                since = base.header.seq
                assert [f.header.seq for f in replay.tail if f.header.seq > since] == [n for n in tail if n > since]
        assert list(at_s) == sorted(at_s)


def test_the_end_is_what_the_daemon_knew(tmp_path: Path) -> None:
    press, traffic = Press(tmp_path), Traffic(3)
    press.begin("a.opj")
    for _ in range(500):
        press.publish(*traffic.next(), after_s=0.2)
    press.end()
    with Recording.open(tmp_path / "a.opj") as recording:
        replay = Replay(recording, paused=True)
        all_of(replay)
        assert replay.state.to_wire() == press.state.to_wire()
        assert replay.seq == press.seq
        assert replay.ended


def test_a_journal_whose_first_files_were_dropped_still_knows_everything(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.state.version = {"operatord": "1", "subject": "valkey"}
    first = press.begin("1.opj")
    press.publish("fault.injected", fault())
    press.publish("violation.opened", violation())
    press.publish("process.monitor.state", process("monitor", restarts=1))
    press.begin("2.opj")
    press.publish("heartbeat", {"seq": 4})
    press.publish("fault.recovered", fault(owed=False), after_s=1.0)
    press.end()
    first.unlink()
    with Recording.open(tmp_path) as recording:
        replay = Replay(recording, paused=True)
        events = all_of(replay)
        assert replay.state.to_wire() == press.state.to_wire()
        assert isinstance(events[0], Joined)
        assert [frame.topic for frame in replay.tail] == ["fault.injected", "violation.opened", "fault.recovered"]
        assert recording.notes() == []


def test_a_rotation_is_not_seen_by_who_plays_through_it(tmp_path: Path) -> None:
    press = Press(tmp_path)
    for name in ("1.opj", "2.opj", "3.opj"):
        press.begin(name)
        for number in range(5):
            press.publish("workload.sample", sample(float(number)), after_s=1.0)
    press.end()
    with Recording.open(tmp_path) as recording:
        events = all_of(Replay(recording, paused=True))
        assert [type(event) for event in events] == [Joined] + [FrameSeen] * 15


def test_without_a_checkpoint_a_journal_that_begins_in_the_middle_says_so_until_one_comes(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.publish("fault.injected", fault())
    press.begin("1.opj", with_checkpoint=False)
    press.publish("cluster.health", health())
    press.begin("2.opj")
    press.publish("heartbeat", {"seq": 3}, after_s=1.0)
    press.end()
    with Recording.open(tmp_path) as recording:
        assert "begins in the middle" in recording.notes()[0]
        replay = Replay(recording, paused=True)
        replay.step()
        assert replay.state.faults == {}
        reasons = [event.reason for event in all_of(replay) if isinstance(event, Resynced)]
        assert reasons == ["from here on the whole state is known"]
        assert "f1" in replay.state.faults


def test_another_boot_starts_from_nothing_and_says_so(tmp_path: Path) -> None:
    first = Press(tmp_path, "b1")
    first.begin("1.opj")
    first.publish("fault.injected", fault())
    first.end()
    second = Press(tmp_path, "b2", wall=first.wall + 3600, mono=3.0)
    second.begin("2.opj")
    second.publish("cluster.health", health(), after_s=1.0)
    second.end()
    with Recording.open(tmp_path) as recording:
        assert recording.duration_s == pytest.approx(LONGEST_PAUSE_S + 1.0)
        replay = Replay(recording, paused=True)
        events = all_of(replay)
        assert [event.reason for event in events if isinstance(event, Resynced)] == ["the daemon restarted"]
        assert replay.boot_id == "b2"
        assert replay.state.faults == {}
        assert [mark.kind for mark in recording.marks] == ["fault", "restart"]
        replay.seek(0.0)
        assert "f1" in replay.state.faults


def test_a_fault_is_marked_when_it_was_injected_and_not_when_that_was_told(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj")
    press.publish("cluster.health", health())
    press.publish("violation.opened", violation(), after_s=5.0)
    press.publish("fault.injected", {**fault(), "injected_at": press.wall - 0.5}, after_s=0.5)
    press.publish("fault.recovered", {**fault(), "injected_at": press.wall}, after_s=1.0)
    press.end()
    with Recording.open(tmp_path) as recording:
        assert [mark.kind for mark in recording.marks] == ["fault", "detection", "recovery"]
        assert recording.marks[2].at_s == pytest.approx(recording.duration_s)


def test_frames_that_are_missing_are_counted_and_said(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj")
    press.publish("fault.injected", fault())
    press.publish("violation.opened", violation(), written=False)
    press.publish("fault.injected", fault("f2"), written=False)
    press.publish("fault.injected", fault("f3"))
    press.publish("violation.opened", violation("v2"), written=False)
    press.begin("2.opj")
    press.publish("heartbeat", {"seq": 5})
    press.end()
    with Recording.open(tmp_path) as recording:
        replay = Replay(recording, paused=True)
        reasons = [event.reason for event in all_of(replay) if isinstance(event, Resynced)]
        assert reasons == ["1 frame missing here", "2 frames missing here"]
        assert recording.notes() == ["3 frames that were published are missing in it"]
        assert replay.state.to_wire() == press.state.to_wire()


def test_echoes_of_joins_are_neither_shown_nor_missed(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj")
    press.publish("cluster.health", health())
    press.publish("join.abc", {"nonce": "abc"})
    press.publish("join.def", {"nonce": "def"}, written=False)
    press.publish("cluster.health", health())
    press.end()
    with Recording.open(tmp_path) as recording:
        events = all_of(Replay(recording, paused=True))
        assert [event.frame.topic for event in events if isinstance(event, FrameSeen)] == ["cluster.health"] * 2
        assert recording.notes() == []


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_a_torn_tail_is_tolerated_and_said(tmp_path: Path, cut: int) -> None:
    press = Press(tmp_path)
    path = press.begin("1.opj")
    for number in range(10):
        press.publish("workload.sample", sample(float(number)))
    press.end()
    os.truncate(path, path.stat().st_size - cut)
    with Recording.open(path) as recording:
        assert len(recording) == 10
        assert recording.notes()[0].startswith("1.opj ends in a torn record, as a killed daemon leaves it")


def test_damage_in_the_middle_costs_the_rest_of_that_file_only(tmp_path: Path) -> None:
    press = Press(tmp_path)
    path = press.begin("1.opj")
    press.publish("fault.injected", fault())
    press.publish("violation.opened", violation())
    size = path.stat().st_size
    press.begin("2.opj")
    press.publish("heartbeat", {"seq": 3})
    press.end()
    data = bytearray(path.read_bytes())
    data[-20] ^= 0xFF
    path.write_bytes(bytes(data) + b"\0" * 50)
    assert path.stat().st_size > size
    with Recording.open(tmp_path) as recording:
        replay = Replay(recording, paused=True)
        all_of(replay)
        assert replay.state.to_wire() == press.state.to_wire()
        assert recording.notes()[0] == "1.opj is damaged; the rest of that file is left out"


def test_what_is_no_journal_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot read"):
        Recording.open(tmp_path / "nothing.opj")
    with pytest.raises(NotFound, match="has no journal files"):
        Recording.open(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(NotFound, match="no regular file"):
        Recording.open(pipe)
    other = tmp_path / "x.opj"
    other.write_bytes(b"something else")
    with pytest.raises(BadRequest, match="is not a journal of operatord"):
        Recording.open(other)
    for empty in (b"", MAGIC, MAGIC[:2]):
        other.write_bytes(empty)
        with pytest.raises(BadRequest, match="holds no frames"):
            Recording.open(tmp_path)


def test_a_state_directory_will_do_too(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    press = Press(tmp_path / "journal")
    press.begin("1.opj")
    press.publish("cluster.health", health())
    press.end()
    with Recording.open(tmp_path) as recording:
        assert len(recording) == 2


def test_a_body_that_nobody_can_read_is_passed_over(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj")
    press.publish("cluster.health", {"nonsense": 1})
    press.publish("cluster.health", health(), after_s=1.0)
    press.end()
    with Recording.open(tmp_path) as recording:
        replay = Replay(recording, paused=True)
        all_of(replay)
        assert replay.state.cluster is not None
        assert len(list(read_journal(tmp_path))) == 2


def test_a_time_of_day_is_found_and_one_outside_is_refused_with_the_span(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj")
    for _ in range(10):
        press.publish("heartbeat", {"seq": 1}, after_s=1.0)
    press.end()
    then = time.localtime(EPOCH + 4)
    with Recording.open(tmp_path) as recording:
        assert recording.of_clock(then.tm_hour, then.tm_min, then.tm_sec) == pytest.approx(4.0)
        early = time.localtime(EPOCH - 7200)
        with pytest.raises(BadRequest, match="which goes from"):
            recording.of_clock(early.tm_hour, early.tm_min, early.tm_sec)


def test_a_recording_with_a_filter_says_so_and_misses_nothing_else(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj", topics=["fault."])
    press.publish("fault.injected", fault())
    press.publish("cluster.health", health(), written=False)
    press.publish("fault.recovered", fault(owed=False))
    press.end()
    with Recording.open(tmp_path) as recording:
        assert recording.notes() == ["only fault. was recorded; the rest is as of each checkpoint"]


def test_after_a_jump_the_client_is_told_once_and_history_is_in_the_tail(tmp_path: Path) -> None:
    press, traffic = Press(tmp_path), Traffic(1)
    press.begin("1.opj")
    for _ in range(2_000):
        press.publish(*traffic.next(), after_s=0.1)
    press.end()
    with Recording.open(tmp_path) as recording:
        replay = Replay(recording, paused=True)
        replay.poll(0)
        replay.seek(150.0)
        assert replay.poll(0) == [Resynced(SOUGHT)]
        assert replay.poll(0) == []
        assert replay.tail[-1].header.seq <= replay.seq
