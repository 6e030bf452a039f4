"""``replay``, ``record`` and ``events --since``: what was, on the command line."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.clients import bodies
from tests.clients.ctl.conftest import Ctl, Popen
from tests.clients.scripted import Script, ScriptedDaemon, any_json
from tests.protocol.journals import EPOCH, Press, chapter, fault, health, sample, ticket, violation

from operator_clients import when
from operator_clients.ctl.cli import main
from operator_clients.ctl.past import check_remembered
from operator_protocol.codec import Body
from operator_protocol.errors import Unavailable
from operator_protocol.journal import MAGIC
from operator_protocol.recording import Recording
from operator_protocol.replay import Replay


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Half a minute: healthy, a fault after ten seconds, another daemon after twenty."""
    press = Press(tmp_path)
    path = press.begin("1.opj")
    press.publish("cluster.health", health())
    press.publish("fault.injected", fault(), after_s=10.0)
    press.publish("violation.opened", violation(), after_s=0.5)
    press.publish("process.monitor.log", {"stream": "stdout", "line": "looking", "dropped": 0})
    press.publish("heartbeat", {"seq": press.seq + 1, "topics": {}, "uptime": 1.0, "subscribers": 1}, after_s=9.5)
    second = Press(tmp_path, "b2", wall=press.wall + 2.0, mono=press.mono + 2.0)
    second.state.version = {"operatord": "0.1.0", "subject": "valkey"}
    second.begin("2.opj")
    second.publish("demo.chapter", chapter(3), after_s=8.0)
    second.end()
    with path.open("ab") as end, (tmp_path / "2.opj").open("rb") as begin:
        press.end()
        begin.seek(len(MAGIC))
        end.write(begin.read())
    (tmp_path / "2.opj").unlink()
    return path


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Replayed = Callable[..., Done]


@pytest.fixture
def replayed(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Replayed]:
    """``operatorctl replay``, which needs no daemon and so no process of its own."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def run(*words: str) -> Done:
        code = main(["replay", *words])
        return Done(code, *capfd.readouterr())

    yield run
    monkeypatch.undo()
    time.tzset()


def topics(text: str) -> list[str]:
    return [json.loads(line)["topic"] for line in text.splitlines()]


def test_a_recording_is_printed_as_events_prints_it(replayed: Replayed, recording: Path) -> None:
    done = replayed(str(recording))
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == [
        *("cluster.health", "fault.injected", "violation.opened", "demo.chapter")
    ]
    assert done.stdout.startswith("22:13:20  cluster.health          healthy, 3 of 3 nodes up\n")
    assert done.stderr == "operatorctl: 22:13:42 the daemon restarted\n"


def test_it_needs_no_daemon_and_no_endpoint_that_makes_sense(ctl: Ctl, recording: Path) -> None:
    env = {"OPERATOR_ENDPOINT": "/x" * 100}
    assert ctl("replay", str(recording), "--json", env=env).returncode == 0


def test_topics_are_chosen_as_for_events(replayed: Replayed, recording: Path) -> None:
    assert topics(replayed(str(recording), "--json", "--topic", "fault.", "heartbeat").stdout) == [
        *("fault.injected", "heartbeat")
    ]


@pytest.mark.parametrize("start", ["10", "10s", "22:13:30"])
def test_it_can_begin_later(replayed: Replayed, recording: Path, start: str) -> None:
    done = replayed(str(recording), "--json", "--from", start)
    assert topics(done.stdout)[-2:] == ["violation.opened", "demo.chapter"]
    assert "cluster.health" not in done.stdout


def test_in_time_it_prints_the_same(replayed: Replayed, recording: Path) -> None:
    done = replayed(str(recording), "--speed", "200x", "--json")
    assert topics(done.stdout) == ["cluster.health", "fault.injected", "violation.opened", "demo.chapter"]
    assert "the daemon restarted" in done.stderr


def test_the_state_at_the_end_is_one_json_document(replayed: Replayed, recording: Path) -> None:
    done = replayed(str(recording), "--state")
    document = any_json(done.stdout)
    assert document["boot_id"] == "b2"
    assert document["seq"] == 1
    assert document["state"]["demo"]["index"] == 3
    assert document["state"]["faults"] == []
    assert document["state"]["version"]["subject"] == "valkey"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nothing.opj",), 1, "cannot read nothing.opj: No such file or directory"),
        ((str(Path(__file__)),), 1, "is not a journal of operatord"),
        (("RECORDING", "--from", "1h"), 1, "3600 s is beyond its end"),
        (("RECORDING", "--from", "03:00"), 1, "03:00:00 is not in the recording, which goes from 22:13:20 to 22:13:50"),
        (("RECORDING", "--from", "soon"), 2, "'soon' is neither a duration like 90 or 1m30s nor a time of day"),
        (("RECORDING", "--from", "25:00"), 2, "'25:00' is neither a duration"),
        (("RECORDING", "--speed", "0"), 2, "'0' is not a speed from above 0 to 1000"),
        (("RECORDING", "--speed", "-1"), 2, "'-1' is not a speed"),
        (("RECORDING", "--topic", "."), 2, "'.' is not a topic"),
        (("RECORDING", "--state", "--from", "3"), 2, "--state shows the end, all of it"),
        ((), 2, "the following arguments are required: FILE|DIR"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    replayed: Replayed, recording: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    done = replayed(*(str(recording) if word == "RECORDING" else word for word in words))
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_empty_files_and_directories_are_one_line_too(replayed: Replayed, tmp_path: Path) -> None:
    assert "has no journal files (their names end in .opj)" in replayed(str(tmp_path)).stderr
    (tmp_path / "x.opj").write_bytes(MAGIC)
    done = replayed(str(tmp_path), "--json")
    assert done.returncode == 1
    assert any_json(done.stdout)["error"]["code"] == "bad_request"
    assert "holds no frames" in done.stderr


# record


def test_what_happens_is_recorded_until_somebody_says_stop(
    daemon: ScriptedDaemon, start_ctl: Popen, tmp_path: Path
) -> None:
    daemon.state.version = {"operatord": "0.1.0", "subject": "valkey"}
    daemon.publish("fault.injected", bodies.fault())
    path = tmp_path / "x.opj"
    process = start_ctl("record", str(path))
    assert process.stderr is not None
    assert process.stderr.readline() == f"recording into {path}; Ctrl+C ends it\n"
    daemon.publish("violation.opened", bodies.violation())
    daemon.publish("demo.chapter", chapter(2))
    until_recorded(path, "demo.chapter")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert f" in {path}" in out
    with Recording.open(path) as recording:
        assert recording.notes() == []
        replay = Replay(recording, paused=True, at_s=recording.duration_s)
        replay.poll(0)
        assert replay.state.to_wire() == daemon.state.to_wire()
        assert next(frame.topic for frame in replay.tail) == "fault.injected"
        frames = sum(not recording.is_checkpoint(entry) for entry in range(len(recording)))
    assert out.startswith(f"{frames} frames in ")


def test_a_filter_and_a_duration(daemon: ScriptedDaemon, ctl: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "x.opj"
    take_snapshot = daemon.handlers["snapshot"]

    def publish_behind_the_snapshot(args: Body) -> Body | Script:
        snapshot = take_snapshot(args)
        daemon.on("snapshot", take_snapshot)
        daemon.publish("violation.opened", bodies.violation())
        daemon.publish("fault.injected", bodies.fault())
        return snapshot

    daemon.on("snapshot", publish_behind_the_snapshot)
    done = ctl("record", str(path), "--topic", "fault.", "--for", "1s", "--json")
    told = any_json(done.stdout)
    assert done.returncode == 0
    assert told["seconds"] >= 1.0
    assert (told["file"], told["frames"], told["bytes"]) == (str(path), 1, path.stat().st_size)
    with Recording.open(path) as recording:
        assert recording.notes() == ["only fault. was recorded; the rest is as of each checkpoint"]
        assert not recording.index.missing


def test_a_file_that_is_there_is_not_overwritten(daemon: ScriptedDaemon, ctl: Ctl, tmp_path: Path) -> None:
    path = tmp_path / "x.opj"
    path.write_text("precious")
    done = ctl("record", str(path), "--for", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path} exists already" in done.stderr
    assert path.read_text() == "precious"


def test_without_a_daemon_nothing_is_recorded_and_no_file_is_left(ctl: Ctl, tmp_path: Path) -> None:
    done = ctl("record", str(tmp_path / "x.opj"))
    assert done.returncode == 3
    assert not (tmp_path / "x.opj").exists()


def test_a_file_that_cannot_be_written_is_one_line(daemon: ScriptedDaemon, ctl: Ctl, tmp_path: Path) -> None:
    done = ctl("record", str(tmp_path / "nowhere" / "x.opj"))
    assert done.returncode == 1
    assert "x.opj: No such file or directory (choose another file)" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_recording_of_no_time_is_the_state_of_that_moment(daemon: ScriptedDaemon, ctl: Ctl, tmp_path: Path) -> None:
    daemon.publish("fault.injected", bodies.fault())
    assert ctl("record", str(tmp_path / "x.opj"), "--for", "0").returncode == 0
    with Recording.open(tmp_path / "x.opj") as recording:
        replay = Replay(recording, paused=True, at_s=recording.duration_s)
        replay.poll(0)
        assert len(replay.state.faults) == 1


def until_recorded(path: Path, topic: str | None) -> None:
    give_up_at = time.monotonic() + 30
    while True:
        assert time.monotonic() < give_up_at, f"{topic} was not recorded"
        if path.exists() and path.stat().st_size > len(MAGIC):
            with Recording.open(path) as recording:
                frames = [recording.read(entry) for entry in range(len(recording))]
            if topic is None or any(frame is not None and frame.topic == topic for frame in frames):
                return
        time.sleep(0.02)


# events --since


@pytest.fixture
def state_dir(daemon: ScriptedDaemon, tmp_path: Path) -> Path:
    """A journal of two hours: another boot two hours ago, this one half an hour ago and just now."""
    (tmp_path / "journal").mkdir()
    daemon.on("status", lambda _: {"state_dir": str(tmp_path)})
    now = time.time()
    before = Press(tmp_path / "journal", "before", wall=now - 7200)
    before.begin("1.opj")
    before.publish("fault.injected", fault("f0"))
    press = Press(tmp_path / "journal", daemon.boot_id, wall=now - 1800)
    press.begin("2.opj")
    press.publish("fault.injected", fault("f1"))
    press.begin("3.opj")
    press.publish("heartbeat", {"seq": 2, "topics": {}, "uptime": 1.0, "subscribers": 1}, after_s=1790.0)
    press.publish("fault.recovered", fault("f1", owed=False))
    press.end()
    before.end()
    return tmp_path


@pytest.mark.usefixtures("state_dir")
def test_the_past_comes_from_the_journal(ctl: Ctl) -> None:
    def ids(since: str) -> list[str]:
        done = ctl("events", "--since", since, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["body"]["id"] for line in done.stdout.splitlines()]

    assert ids("1m") == ["f1"]
    assert ids("1h") == ["f1", "f1"]
    assert ids("3h") == ["f0", "f1", "f1"]
    assert "the daemon restarted" in ctl("events", "--since", "3h").stderr
    assert "restarted" not in ctl("events", "--since", "1h").stderr


def test_a_journal_that_does_not_go_back_so_far_says_so(ctl: Ctl, state_dir: Path) -> None:
    for name in ("1.opj", "2.opj"):
        (state_dir / "journal" / name).unlink()
    done = ctl("events", "--since", "1h", "--json")
    assert len(done.stdout.splitlines()) == 1
    assert "the journal goes back to" in done.stderr
    assert "goes back" not in ctl("events", "--since", "1s").stderr


@pytest.mark.usefixtures("state_dir")
@pytest.mark.parametrize(("last", "told"), [(3, ""), (4, "the last frames are missing")])
def test_a_journal_that_stopped_before_now_says_so(daemon: ScriptedDaemon, ctl: Ctl, last: int, told: str) -> None:
    daemon.on("snapshot", lambda _: {"boot_id": daemon.boot_id, "seq": last})
    done = ctl("events", "--since", "1m")
    assert done.returncode == 0
    assert bool(done.stderr) == bool(told)
    assert told in done.stderr


@pytest.mark.usefixtures("state_dir")
def test_following_goes_on_after_the_past_and_says_when_the_journal_has_a_hole(
    daemon: ScriptedDaemon, start_ctl: Popen
) -> None:
    for _ in range(5):
        daemon.publish("violation.opened", bodies.violation())
    process = start_ctl("events", "--since", "1m", "-f", "--json", "--topic", "fault.", "violation.")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["topic"] == "fault.recovered"
    assert "some frames are missing here" in process.stderr.readline()
    daemon.publish("fault.injected", bodies.fault())
    assert json.loads(process.stdout.readline())["topic"] == "fault.injected"


def test_a_journal_that_is_not_on_this_host_is_refused(daemon: ScriptedDaemon, ctl: Ctl, tmp_path: Path) -> None:
    daemon.on("status", lambda _: {"state_dir": str(tmp_path / "elsewhere")})
    done = ctl("events", "--since", "5m")
    assert done.returncode == 1
    assert f"no journal can be read in {tmp_path}/elsewhere/journal" in done.stderr


def test_a_moment_that_is_none_is_a_usage_error(ctl: Ctl) -> None:
    done = ctl("events", "--since", "yesterday")
    assert done.returncode == 2
    assert "'yesterday' is neither a duration like 90 or 1m30s nor a time of day like 14:03:07" in done.stderr


def remembered(*tails: tuple[str, int, float], last: dict[str, int]) -> Body:
    frames = [[topic, [1, "b", number, number, wall, wall, "x"], ticket(number)] for topic, number, wall in tails]
    return {"tails": frames, "topic_seqs": last}


def test_what_a_daemon_elsewhere_remembers_is_enough_only_if_it_is_everything() -> None:
    def enough(snapshot: Body, topic: str = "ticket.") -> bool:
        try:
            check_remembered(snapshot, 100.0, lambda name: name.startswith(topic))
        except Unavailable:
            return False
        return True

    assert enough(remembered(last={"ticket.opened": 0, "cluster.health": 50}))
    assert enough(remembered(("ticket.opened", 1, 150.0), ("ticket.opened", 2, 160.0), last={"ticket.opened": 2}))
    assert enough(remembered(("ticket.opened", 7, 90.0), ("ticket.opened", 8, 160.0), last={"ticket.opened": 8}))
    assert not enough(remembered(("ticket.opened", 7, 110.0), last={"ticket.opened": 7}))
    assert not enough(remembered(("ticket.opened", 7, 90.0), last={"ticket.opened": 8}))
    assert not enough(remembered(last={"cluster.health": 50}), "cluster.")


def test_a_time_of_day_is_the_last_time_it_was_that_late() -> None:
    now = time.mktime((2024, 5, 2, 14, 0, 0, 0, 0, -1))
    assert when.ago(90.0, now) == now - 90.0
    assert when.ago(when.Clock(13, 59, 0), now) == now - 60
    assert when.ago(when.Clock(14, 1, 0), now) == now - 86_400 + 60


def test_samples_keep_their_place(replayed: Replayed, tmp_path: Path) -> None:
    press = Press(tmp_path, wall=EPOCH)
    path = press.begin("1.opj")
    for second in range(5):
        press.publish("workload.sample", sample(float(second)), after_s=1.0)
    press.end()
    done = replayed(str(path), "--json", "--from", "2.5")
    assert [json.loads(line)["body"]["elapsed"] for line in done.stdout.splitlines()] == [2.0, 3.0, 4.0]


def test_a_label_is_in_the_recording_and_is_told_with_it(daemon: ScriptedDaemon, ctl: Ctl, tmp_path: Path) -> None:
    daemon.publish("fault.injected", bodies.fault())
    path = tmp_path / "x.opj"
    assert ctl("record", str(path), "--for", "0", "--label", "only a rehearsal").returncode == 0
    with Recording.open(path) as recording:
        assert recording.label == "only a rehearsal"
    assert "this is a recording: only a rehearsal" in ctl("replay", str(path)).stderr


def test_a_shipped_recording_has_a_name(replayed: Replayed) -> None:
    done = replayed("tikv", "--topic", "fault.injected", "--json")
    assert topics(done.stdout) == ["fault.injected"]
    assert "stand-ins, not a real TiKV" in done.stderr
    assert "(shipped recordings: tikv, valkey)" in replayed("nothing").stderr
