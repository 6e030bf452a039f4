"""The recordings that come along: they load, tell the whole story, say what they are, and tell nothing else."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.protocol.journals import Press
from tests.recordings.leaks import leaks

from operator_clients.recordings import names, recording_path
from operator_clients.viewer.export.filming import Camera
from operator_clients.viewer.layout import Size
from operator_protocol.errors import NotFound
from operator_protocol.events import FrameSeen
from operator_protocol.models import TicketDiagnosis
from operator_protocol.recording import Recording
from operator_protocol.records import from_body
from operator_protocol.replay import Replay
from operator_protocol.topics import AGENT_DIAGNOSIS, FAULT_INJECTED, FAULT_RECOVERED, VIOLATION_OPENED

ROOT = Path(__file__).parents[3]
STAND_INS = "stand-ins, not a real TiKV"
SMALL = 300_000


def rows(camera: Camera) -> list[str]:
    return ["".join(cell.text for cell in row) for row in camera.picture()]


def test_there_is_a_run_of_each_subject_and_the_wheel_carries_them() -> None:
    assert names() == ["tikv", "valkey"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried["deploy/recordings"] == "operator_clients/deploy/recordings"


@pytest.mark.parametrize("name", ["valkey", "tikv"])
def test_a_shipped_recording_plays_to_its_end_and_tells_the_whole_story(name: str) -> None:
    path = recording_path(name)
    assert path.stat().st_size < SMALL
    now = 0.0
    with Recording.open(path) as recording:
        assert recording.notes() == []
        replay = Replay(recording, clock=lambda: now)
        seen, chapters = dict[str, int](), dict[int, str]()
        diagnosed = list[str]()
        while not replay.ended:
            now += 1.0
            while events := replay.poll(0):
                for frame in (event.frame for event in events if isinstance(event, FrameSeen)):
                    seen.setdefault(frame.topic, len(seen))
                    if frame.topic == AGENT_DIAGNOSIS:
                        diagnosed.append(from_body(TicketDiagnosis, frame.body).diagnosis.component)
            if replay.state.demo is not None:
                chapters.setdefault(replay.state.demo.index, replay.state.demo.title)
        assert {FAULT_INJECTED, VIOLATION_OPENED, AGENT_DIAGNOSIS, FAULT_RECOVERED} <= set(seen)
        kinds = [mark.kind for mark in recording.marks]
        assert (set(kinds), kinds[0], kinds[-1]) == ({"fault", "detection", "recovery"}, "fault", "recovery")
        assert sorted(chapters) == list(range(8))
        state = replay.state
    assert any(one in state.nodes for one in diagnosed)
    assert state.cluster is not None
    assert (state.cluster.subject, state.cluster.ok) == (name, True)
    assert not (state.faults or state.violations or state.tickets)


def test_a_store_that_is_killed_and_brought_back_is_one_trouble() -> None:
    with Recording.open(recording_path("tikv")) as recording:
        frames = [frame for entry in range(len(recording)) if (frame := recording.read(entry)) is not None]
    assert [frame.body["invariant"] for frame in frames if frame.topic == VIOLATION_OPENED] == ["store_down"]


@pytest.mark.parametrize("name", ["valkey", "tikv"])
def test_a_shipped_recording_tells_nothing_of_where_it_was_made(name: str) -> None:
    assert leaks(recording_path(name)) == []


def test_the_search_for_such_things_finds_them(tmp_path: Path) -> None:
    press = Press(tmp_path)
    path = press.begin("told.opj")
    told = ("in /home/ann/x", "by ann[17]", "at 203.0.113.9:80", "see https://ann.example/", "password=hunter2hunter2")
    for text in (*told, "on 127.0.0.1:6379 by presenter[3] and/or 172.18.0.2 within 3/4"):
        press.publish("process.x.state", {"text": text})
    press.end()
    found = leaks(path)
    assert [text for text in told if not any(repr(text) in one for one in found)] == []
    assert not any("presenter" in one for one in found)


@pytest.mark.parametrize("size", [Size(80, 24), Size(120, 40), Size(200, 60)])
def test_stand_ins_are_called_so_on_every_screen_of_the_recording(size: Size) -> None:
    with Recording.open(recording_path("tikv")) as recording:
        assert recording.label == STAND_INS
        camera = Camera(recording, size, start_s=0.0, speed=1.0, animate=False)
        for at_s in range(0, int(recording.duration_s) + 1, 8):
            camera.see(at_s)
            assert rows(camera)[0].startswith(f" REPLAY   {STAND_INS} "), at_s


def test_a_shipped_recording_of_real_servers_has_no_label_to_read() -> None:
    with Recording.open(recording_path("valkey")) as recording:
        assert recording.label == ""
        assert rows(Camera(recording, Size(80, 24), start_s=5.0, speed=1.0, animate=False))[0].startswith(
            " REPLAY   valk"
        )


def test_a_file_or_a_directory_of_that_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert recording_path("valkey").name == "valkey.opj.gz"
    (tmp_path / "valkey").mkdir()
    assert recording_path("valkey") == Path("valkey")
    with pytest.raises(
        NotFound, match=r"cannot read nothing: No such file or directory \(shipped recordings: tikv, valkey\)"
    ):
        recording_path("nothing")


def test_it_plays_without_a_daemon_as_lines_that_begin_with_what_it_is(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "operator_clients.viewer", "--plain", "--replay", "tikv", "--speed", "1000"]
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert STAND_INS in lines[0]
    assert "the recording ends here" in lines[-1]
