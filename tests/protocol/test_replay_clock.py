"""The clock of a replay: speed, pause, steps, and both ends. Time here is what the test says it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.protocol.journals import Press, fault, process, sample

from operator_protocol.errors import Unavailable
from operator_protocol.events import FrameSeen
from operator_protocol.recording import Recording
from operator_protocol.replay import Replay


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """A sample each second from 1 to 60."""
    press = Press(tmp_path)
    press.begin("1.opj")
    for second in range(1, 61):
        press.publish("workload.sample", sample(float(second)), after_s=1.0)
    press.end()
    with Recording.open(tmp_path) as opened:
        yield opened


def samples(replay: Replay, timeout_s: float = 0.0) -> list[float]:
    events = replay.poll(timeout_s)
    return [event.frame.body["elapsed"] for event in events if isinstance(event, FrameSeen)]


def test_time_passes_as_it_passed_or_faster(recording: Recording) -> None:
    clock = Clock()
    replay = Replay(recording, clock=clock, speed=2.0)
    assert samples(replay) == []
    clock.now += 1.6
    assert samples(replay) == [1.0, 2.0, 3.0]
    replay.faster()
    assert replay.speed == 4.0
    clock.now += 0.5
    assert samples(replay) == [4.0, 5.0]
    replay.slower()
    replay.slower()
    clock.now += 1.0
    assert samples(replay) == [6.0]
    assert replay.position_s == pytest.approx(6.2)


def test_a_poll_waits_for_the_next_frame_and_no_longer(recording: Recording) -> None:
    clock = Clock()
    replay = Replay(recording, clock=clock, sleep=clock.sleep)
    replay.poll(0)
    assert samples(replay, 30.0) == [1.0]
    assert clock.now == pytest.approx(1001.0, abs=0.01)
    replay.pause()
    assert samples(replay, 30.0) == []
    assert clock.now == pytest.approx(1031.0, abs=0.01)


def test_while_paused_nothing_happens_and_nothing_is_made_up_for_later(recording: Recording) -> None:
    clock = Clock()
    replay = Replay(recording, clock=clock)
    replay.poll(0)
    clock.now += 2.5
    replay.pause()
    assert samples(replay) == [1.0, 2.0]
    clock.now += 100.0
    assert samples(replay) == []
    replay.resume()
    clock.now += 0.5
    assert samples(replay) == [3.0]


def test_a_step_is_one_frame_that_shows_or_one_second(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj")
    for second in range(5):
        press.publish("heartbeat", {"seq": 1})
        press.publish("process.monitor.log", {"line": "looking"})
        press.publish("workload.sample", sample(float(second)), after_s=0.3)
        press.publish("process.monitor.state", process("monitor"), after_s=0.3)
    press.end()
    with Recording.open(tmp_path) as recording:
        replay = Replay(recording, clock=Clock())
        seen = [replay.step() for _ in range(3)]
        assert [frame and frame.topic for frame in seen] == [
            "workload.sample",
            "process.monitor.state",
            "workload.sample",
        ]
        assert replay.paused
        assert replay.position_s == pytest.approx(0.9)
        assert [e.frame.topic for e in replay.poll(0) if isinstance(e, FrameSeen)].count("workload.sample") == 2
        replay.step_second()
        assert replay.position_s == pytest.approx(1.9)
        assert "workload.sample" in [e.frame.topic for e in replay.poll(0) if isinstance(e, FrameSeen)]
        replay.seek(1e9)
        assert replay.step() is None
        assert replay.position_s == replay.duration_s


def test_it_pauses_at_the_end_and_going_on_there_begins_anew(recording: Recording) -> None:
    clock = Clock()
    replay = Replay(recording, clock=clock, at_s=58.5)
    replay.poll(0)
    clock.now += 1e6
    assert samples(replay) == [59.0, 60.0]
    assert replay.ended
    assert replay.paused
    assert replay.position_s == replay.duration_s
    replay.resume()
    assert replay.position_s == 0.0
    replay.poll(0)
    clock.now += 1.0
    assert samples(replay) == [1.0]


def test_a_seek_goes_no_further_than_the_ends(recording: Recording) -> None:
    replay = Replay(recording, clock=Clock(), paused=True)
    replay.seek(-5.0)
    assert replay.position_s == 0.0
    replay.seek(500.0)
    assert replay.position_s == 60.0
    assert replay.state.workload[-1].elapsed == 60.0
    replay.seek(30.0)
    assert replay.state.workload[-1].elapsed == 30.0
    assert len(replay.state.workload) == 30


def test_who_cannot_keep_up_slows_the_clock_down_and_misses_nothing(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj")
    for number in range(5_000):
        press.publish("workload.sample", sample(float(number)), after_s=0.001)
    press.end()
    clock = Clock()
    with Recording.open(tmp_path) as recording:
        replay = Replay(recording, clock=clock, speed=64.0)
        replay.poll(0)
        clock.now += 10.0
        first = samples(replay)
        assert 0 < len(first) < 5_000
        assert replay.position_s < 5.0
        clock.now += 10.0
        seen = first + samples(replay) + samples(replay)
        clock.now += 10.0
        seen += samples(replay)
        assert seen == [float(number) for number in range(5_000)]


def test_the_wall_clock_is_the_recorded_one(recording: Recording) -> None:
    clock = Clock()
    replay = Replay(recording, clock=clock)
    replay.poll(0)
    clock.now += 10.5
    replay.poll(0)
    assert replay.wall == pytest.approx(recording.begins_at + 10.5)


def test_nothing_can_be_driven_in_a_replay(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj")
    press.publish("fault.injected", fault())
    press.end()
    with Recording.open(tmp_path) as recording, pytest.raises(Unavailable, match="this is a replay: recover needs"):
        Replay(recording).send("recover")
