"""A recording in the same panels: another clock, other keys, nothing that could be taken for live."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.clients.viewer import scenes
from tests.clients.viewer.terminal import Terminal
from tests.protocol.journals import Press

from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.cli import main
from operator_clients.viewer.compose import compose
from operator_clients.viewer.layout import Size
from operator_clients.viewer.replaying import ReplaySession
from operator_clients.viewer.shell import Tape
from operator_clients.viewer.timeline import timeline
from operator_clients.viewer.view import View
from operator_protocol.journal_index import Mark
from operator_protocol.recording import Recording
from operator_protocol.records import to_body
from operator_protocol.replay import Replay

COMMAND = (sys.executable, "-m", "operator_clients.viewer")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Stage 2 for ten seconds, a fault, its detection, its recovery; a minute in all."""
    press = Press(tmp_path)
    press.state.version = {"operatord": "0.1.0", "subject": "valkey"}
    path = press.begin("demo.opj")
    press.publish("cluster.health", to_body(scenes.cluster()))
    press.publish("process.monitor.state", to_body(scenes.process("monitor")))
    press.publish("demo.chapter", to_body(scenes.chapter(2)))
    for second in range(1, 11):
        press.publish("workload.sample", to_body(scenes.sample(second)), after_s=1.0)
    press.publish("fault.injected", to_body(scenes.fault(injected_at=press.wall)), after_s=0.1)
    press.publish("violation.opened", to_body(scenes.violation(at=press.wall)), after_s=0.2)
    press.publish("cluster.health", to_body(scenes.cluster(1)))
    press.publish("process.monitor.state", to_body(scenes.process("monitor", "backoff", pid=None, signal=9)))
    press.publish("fault.recovered", to_body(scenes.fault("recovered", owed=False)), after_s=29.7)
    press.publish("violation.closed", to_body(scenes.violation()))
    press.publish("cluster.health", to_body(scenes.cluster()))
    press.publish("heartbeat", {"seq": press.seq + 1}, after_s=20.0)
    press.end()
    return path


class Player:
    """A session whose clock stands where the test puts it."""

    def __init__(self, recording: Recording) -> None:
        self.mono = 1000.0
        self.replay = Replay(recording, clock=lambda: self.mono)
        self.session = ReplaySession(self.replay, self.mono)
        self.look()

    def look(self, after_s: float = 0.0) -> None:
        self.mono += after_s
        while events := self.replay.poll(0):
            self.session.observe(events, self.mono, 0.0)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.session.press(key, self.mono)
        self.look()

    def screen(self, width: int = 100, height: int = 30) -> list[str]:
        shell = self.session.shell(self.mono)
        mono, wall = self.session.view_time(self.mono, 0.0)
        view = View(self.replay.state, self.session.story, wall, mono, animate=False, recorded=True)
        view = replace(view, focus=self.session.ui.focus)
        picture = compose(view, shell, Size(width, height), Pen({"TERM": "xterm"}))
        return ["".join(cell.text for cell in row) for row in picture]


@pytest.fixture
def player(path: Path) -> Iterator[Player]:
    with Recording.open(path) as recording:
        yield Player(recording)


def test_the_panels_show_what_was_and_the_header_says_that_it_is_a_replay(player: Player) -> None:
    player.look(5.0)
    rows = player.screen()
    assert " REPLAY " in rows[0]
    assert "recorded 20" in rows[0]
    assert "[3/8] Stage 2" in "\n".join(rows)
    assert "live" not in "\n".join(rows)
    assert "▶ 1x" in rows[-1]
    assert "0:05" in rows[-1]
    assert rows[-1].rstrip().endswith("1:00")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 25), (160, 50)])
def test_the_timeline_has_a_place_at_every_size(player: Player, width: int, height: int) -> None:
    rows = player.screen(width, height)
    assert rows[-1].startswith(" ▶ 1x  0:00 ●")
    assert ("? keys" in rows[-1]) == (height == 24)
    assert ("SPACE pause" in rows[-2]) == (height > 24)
    assert rows[-2 if height == 24 else -3].count("╯") >= 1


def test_space_stops_time_and_ages_stand_still(player: Player) -> None:
    player.look(12.0)
    player.press("space")
    before = player.screen()
    assert "‖ paused" in before[-1]
    player.look(300.0)
    assert player.screen() == before
    assert not player.session.moving(player.mono)
    player.press("space")
    player.look(1.0)
    assert "▶ 1x  0:13" in player.screen()[-1]


def test_a_detection_is_highlighted_in_the_time_of_the_recording(player: Player) -> None:
    player.look(10.5)
    player.press("space")
    assert "DETECTED node_down valkey-1 0.3 s" in "\n".join(player.screen(120, 40))
    detection = player.session.story.detection()
    assert detection is not None
    assert detection.text == "DETECTED node_down valkey-1 0.3 s after injection"
    assert detection.at == pytest.approx(10.3)


def test_a_step_says_which_frame_it_was(player: Player) -> None:
    player.look(10.05)
    player.press(".")
    assert "fault.injected, frame" in player.screen()[-2]
    player.press(".", ".")
    assert "cluster.health, frame" in player.screen()[-2]
    player.press(">")
    assert player.replay.position_s == pytest.approx(11.3)
    assert "cluster.health, frame" not in player.screen()[-2]
    player.press("end", ".")
    assert "this is the end of the recording" in player.screen()[-2]


def test_seeking_back_takes_the_story_back(player: Player) -> None:
    player.look(45.0)
    player.press("4")
    text = "\n".join(player.screen(120, 40))
    assert "recovered: kill valkey-1" in text
    player.press("home", "space")
    text = "\n".join(player.screen(120, 40))
    assert "injected" not in text
    assert "● valkey-1" in text
    player.press(*["right"] * 3)
    text = "\n".join(player.screen(120, 40))
    assert "injected: kill valkey-1" in text
    assert "✗ valkey-1" in text
    assert text.count("injected: kill valkey-1") == 1
    player.press("left")
    assert "0:10" in player.screen()[-1]
    player.press("end")
    assert "■ end" in player.screen()[-1]


def test_the_speed_changes_in_steps(player: Player) -> None:
    player.press("]", "]")
    assert "▶ 4x" in player.screen()[-1]
    player.press("[", "[", "[")
    assert "▶ 0.5x" in player.screen()[-1]


@pytest.mark.parametrize(("key", "command"), [("f", "fault"), ("r", "recover"), ("enter", "next")])
def test_what_drives_a_daemon_is_refused_in_one_line(player: Player, key: str, command: str) -> None:
    player.press(key)
    assert f"this is a replay: {command} needs a daemon that runs" in player.screen()[-2]
    player.press("?", key)
    assert not player.session.overlays


def test_without_a_demo_nothing_claims_to_be_live(tmp_path: Path) -> None:
    press = Press(tmp_path)
    press.begin("1.opj")
    press.publish("cluster.health", to_body(scenes.cluster()))
    press.end()
    with Recording.open(tmp_path) as recording:
        text = "\n".join(Player(recording).screen())
    assert "No demo was running when this was recorded." in text
    assert "live" not in text


def test_what_is_wrong_with_a_recording_is_said_first(tmp_path: Path) -> None:
    press = Press(tmp_path)
    path = press.begin("1.opj")
    press.publish("cluster.health", to_body(scenes.cluster()))
    press.publish("cluster.health", to_body(scenes.cluster()))
    press.end()
    with path.open("ab") as file:
        file.truncate(path.stat().st_size - 1)
    with Recording.open(path) as recording:
        player = Player(recording)
        assert "1.opj ends in a torn record" in "\n".join(player.screen()[-4:])
        assert "ends in a torn record" in player.session.preface()[0].text


@pytest.mark.parametrize("wall", [1e18, 1e300])
def test_a_recording_whose_clock_was_mad_plays_and_has_no_times_of_day(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wall: float
) -> None:
    press = Press(tmp_path, wall=wall)
    path = press.begin("1.opj")
    press.publish("cluster.health", to_body(scenes.cluster()))
    press.end()
    with Recording.open(path) as recording:
        assert "recorded ---------- --:--:--" in Player(recording).screen()[0]
    assert main(["--replay", str(path), "--from", "14:03"]) == 1
    assert "the recording has no times of day" in capsys.readouterr().err
    out = str(tmp_path / "x.svg")
    assert main(["--replay", str(path), "--export", "svg", "--out", out]) == 0


def test_marks_of_one_instant_stand_side_by_side() -> None:
    marks = [Mark("fault", 10.0), Mark("detection", 10.1), Mark("recovery", 40.0), Mark("restart", 50.0)]
    tape = Tape(20.0, 60.0, 2.0, paused=False, ended=False, wall=0.0, marks=marks)
    line = timeline(tape, 60)
    assert line.cell_len == 60
    assert line.plain == " ▶ 2x  0:20 ━━━━━━━FD━━━━━●┄┄┄┄┄┄┄┄┄┄┄┄R┄┄┄┄┄┄|┄┄┄┄┄┄┄ 1:00 "
    long = Tape(3_700.0, 7_322.0, 1.0, paused=True, ended=False, wall=0.0)
    assert timeline(long, 60).plain.startswith(" ‖ paused  1:01:40 ━")
    assert timeline(long, 60).plain.endswith("┄ 2:02:02 ")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--replay", "nothing.opj"), 1, "cannot read nothing.opj: No such file or directory"),
        (("--replay", __file__), 1, "is not a journal of operatord"),
        (("--replay", "RECORDING", "--from", "5m"), 1, "300 s is beyond its end"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    capsys: pytest.CaptureFixture[str], path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    assert main([str(path) if word == "RECORDING" else word for word in words]) == code
    out, err = capsys.readouterr()
    assert told in err
    assert (out, err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--replay", "x", "--from", "soon"), "'soon' is neither a duration"),
        (("--replay", "x", "--speed", "0"), "'0' is not a speed"),
        (("--speed", "2"), "--speed needs a recording"),
    ],
)
def test_a_wrong_option_is_a_usage_error(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert told in capsys.readouterr().err


def test_as_lines_it_has_the_recorded_times_and_ends_by_itself(path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--replay", str(path), "--speed", "1000"],
        env={"TZ": "UTC", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "22:13:20 link      recorded from operatord 0.1.0"
    assert "22:13:30 fault     injected: kill valkey-1" in lines
    assert lines[-1] == "22:14:20 link      the recording ends here, after 1 min 00 s"


def test_it_plays_in_a_terminal_and_leaves_it_clean(path: Path) -> None:
    with Terminal([*COMMAND, "--replay", str(path), "--from", "9s", "--speed", "4"], width=80, height=24) as terminal:
        terminal.until("DETECTED node_down valkey-1")
        terminal.press(" ")
        terminal.until("‖ paused")
        terminal.press("\x1b[F")
        terminal.until("■ end")
        terminal.quiet(1.2)
        before = len(terminal.received)
        terminal.read(1.2)
        assert len(terminal.received) == before
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_clean()
