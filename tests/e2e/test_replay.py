"""A session with all that can happen to it, and its witnesses: a live client, a recorder, the journal, a script.

The live client and the recorder follow the whole session by themselves: a fault, a worker that is killed, a journal
that rotates and drops files, a daemon that is killed with -9 while a fault is owed, a torn record, the next daemon.
Then they are asked what was so at every moment that two of them know. Nothing is left out of the comparison, not even
what moves all the time (CPU, memory, ages): all of them applied the same frames, up to the same sequence number.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.clients.viewer.terminal import Terminal

from operator_protocol.codec import Body
from operator_protocol.endpoint import Endpoint
from operator_protocol.events import FrameSeen, Resynced
from operator_protocol.follow import Follower
from operator_protocol.journal import journal_files
from operator_protocol.recording import Recording
from operator_protocol.replay import Replay

from .real_daemon import BIN, RealDaemon, run, until

FIELDS = ("cluster", "nodes", "processes", "violations", "tickets", "faults", "demo", "workload", "version")
EVERY_TOPIC = ("cluster.", "process.", "workload.", "violation.", "ticket.", "agent.", "fault.", "demo.", "heartbeat")
TORN_BYTES = 11
Moments = dict[tuple[str | None, int], Body]
"""What was so after a frame of a boot."""


class Witness(threading.Thread):
    """A live client that writes down what is so after each batch of frames."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(name="witness")
        self.moments: Moments = {}
        self.now: Body = {}
        self.resyncs: list[str] = []
        self._endpoint = endpoint
        self._ending = threading.Event()

    def run(self) -> None:
        with Follower(self._endpoint, actor="witness") as follower:
            while not self._ending.is_set():
                events = follower.poll(0.1)
                self.resyncs += [event.reason for event in events if isinstance(event, Resynced)]
                if follower.status == "live" and any(isinstance(event, FrameSeen) for event in events):
                    self.now = follower.state.to_wire()
                    self.moments[follower.boot_id, follower.seq] = self.now

    def end(self) -> None:
        self._ending.set()
        if self.is_alive():
            self.join(10)


class Command:
    """``operatorctl`` left running, its output in files."""

    def __init__(self, daemon: RealDaemon, directory: Path, *words: str) -> None:
        self._out, self._err = directory / f"{words[0]}.out", directory / f"{words[0]}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            command = [str(BIN / "operatorctl"), "--endpoint", str(daemon.runtime_dir), *words]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)


@dataclass
class Session:
    """What is left of it."""

    recording: Path
    journal: Path
    torn: Path
    """The journal as the killed daemon left it, with the end of its last record cut off."""
    moments: Moments
    resyncs: list[str]
    boots: list[str]
    recorder: Command
    past: str
    follower: Command


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with tempfile.TemporaryDirectory(prefix="operatord-test-") as path, ExitStack() as stack:
        directory = Path(path)
        config = directory / "c.toml"
        config.write_text("[journal]\nmax_mib = 0.03\nkeep_files = 7\n")
        # However long the second boot takes, what the first one wrote stays to be compared.
        keeping = directory / "keeping.toml"
        keeping.write_text("[journal]\nmax_mib = 0.03\nkeep_files = 100\n")
        daemon = RealDaemon(directory)
        stack.callback(daemon.end)
        daemon.start("--load", "--config", str(config))
        boots = [daemon.status()["boot_id"]]
        journal = daemon.state_dir / "journal"
        first_file = journal_files(journal)[0]
        witness = Witness(daemon.endpoint)
        stack.callback(witness.end)
        witness.start()
        recorder = Command(daemon, directory, "record", str(directory / "x.opj"))
        stack.callback(recorder.end)
        until(lambda: "recording into" in recorder.err, "the recorder")
        break_and_repair(daemon, witness)
        until(lambda: not first_file.exists(), "the journal to drop its first file")
        past = daemon.ctl("events", "--since", "1h", "--json", check=True).stdout
        follower = Command(daemon, directory, "events", "--since", "1h", "-f", "--json", "--topic", *EVERY_TOPIC)
        stack.callback(follower.end)
        kill_in_the_middle_of_a_fault(daemon, witness)
        torn = shutil.copytree(journal, directory / "torn")
        tear(journal_files(journal)[-1])
        tear(journal_files(torn)[-1])
        daemon.start("--config", str(keeping))
        boots.append(daemon.status()["boot_id"])
        until(lambda: "the daemon restarted" in witness.resyncs, "the witness to come back")
        until(lambda: "the daemon restarted" in recorder.err, "the recorder to come back")
        until(lambda: "going on with the new one" in follower.err, "the script to come back")
        daemon.ctl("next", check=True)
        until(lambda: (witness.now.get("demo") or {}).get("index") == 1, "the next chapter")
        daemon.ctl("wait", "heartbeat", check=True)
        recorder.process.send_signal(signal.SIGTERM)
        recorder.process.wait(30)
        until(lambda: '"index": 1' in follower.out, "the script to see the next chapter")
        follower.process.send_signal(signal.SIGINT)
        follower.process.wait(30)
        daemon.stop()
        witness.end()
        yield Session(
            directory / "x.opj",
            journal,
            torn,
            witness.moments,
            witness.resyncs,
            boots,
            recorder,
            past,
            follower,
        )


def break_and_repair(daemon: RealDaemon, witness: Witness) -> None:
    daemon.ctl("fault", "--target", "valkey-1", "--countdown", "0", check=True)
    before = daemon.pid("monitor")
    os.kill(before, signal.SIGKILL)
    until(lambda: daemon.process("monitor")["pid"] not in (before, None), "a new monitor")
    until(lambda: any(ticket["diagnosis"] for ticket in witness.now.get("tickets", [])), "a diagnosis")
    daemon.ctl("recover", check=True)
    until(lambda: witness.now.get("tickets") == [], "the tickets to be resolved")


def kill_in_the_middle_of_a_fault(daemon: RealDaemon, witness: Witness) -> None:
    daemon.ctl("fault", "pause", "--target", "valkey-2", "--countdown", "0", check=True)
    until(lambda: all(on_valkey_2(witness.now.get(name, [])) for name in ("violations", "tickets")), "a ticket")
    daemon.ctl("wait", "heartbeat", check=True)
    os.kill(daemon.status()["pid"], signal.SIGKILL)
    daemon.wait_gone()


def on_valkey_2(records: list[Body]) -> bool:
    return any(record["node"] == "valkey-2" for record in records)


def tear(path: Path) -> None:
    os.truncate(path, path.stat().st_size - TORN_BYTES)


def compare(path: Path, moments: Moments) -> list[tuple[str | None, int]]:
    """Hold the replay of ``path`` against what a live client knew; returns the moments that both know, in order."""
    compared = []
    with Recording.open(path) as recording:
        replay = Replay(recording, paused=True)
        while True:
            moment = replay.boot_id, replay.seq
            if moment in moments and moment not in compared:
                state = replay.state.to_wire()
                for name in FIELDS:
                    assert state[name] == moments[moment][name], f"{name} after frame {moment}"
                assert state == moments[moment]
                compared.append(moment)
            if replay.step() is None:
                return compared


def final(path: Path) -> Body:
    with Recording.open(path) as recording:
        replay = Replay(recording, paused=True, at_s=recording.duration_s)
        return {"boot": replay.boot_id, "seq": replay.seq, "state": replay.state.to_wire()}


def test_what_was_live_is_live_again_by_itself_and_the_recorder_says_what_it_has(session: Session) -> None:
    assert "the daemon restarted" in session.resyncs
    assert session.recorder.process.returncode == 0
    assert "recording on from a new snapshot" in session.recorder.err
    with Recording.open(session.recording) as recording:
        frames = sum(not recording.is_checkpoint(entry) for entry in range(len(recording)))
        assert session.recorder.out.startswith(f"{frames:,} frames in ")
        assert list(recording.index.boots) == session.boots


def test_journal_and_recording_agree_with_the_live_client_at_every_moment_they_share(session: Session) -> None:
    for path in (session.journal, session.recording):
        compared = compare(path, session.moments)
        assert {boot for boot, _ in compared} == set(session.boots)
        assert len(compared) > 10
        known = [session.moments[moment] for moment in compared]
        assert any(state["faults"] and state["violations"] and state["tickets"] for state in known)
        assert any(one["name"] == "monitor" and one["restarts"] == 1 for state in known for one in state["processes"])


def test_a_killed_daemons_torn_journal_ends_where_the_live_client_was(session: Session) -> None:
    end = final(session.torn)
    assert end["boot"] == session.boots[0]
    compared = compare(session.torn, session.moments)
    # The record that was torn is lost; the client's last look was some frames before the kill.
    assert end["seq"] - compared[-1][1] < 200
    assert end["state"]["faults"][0]["target"] == "valkey-2"
    assert on_valkey_2(end["state"]["violations"])
    assert on_valkey_2(end["state"]["tickets"])
    assert end["state"]["workload"]["window"]
    with Recording.open(session.torn) as recording:
        assert "ends in a torn record" in recording.notes()[0]
        assert recording.index.missing == 0
    with Recording.open(session.journal) as recording:
        assert any("ends in a torn record" in note for note in recording.notes())


def test_all_end_the_same(session: Session) -> None:
    (boot, seq), state = list(session.moments.items())[-1]
    end = final(session.journal)
    assert (end["boot"], end["seq"] >= seq) == (boot, True)
    assert state["demo"]["index"] == 1
    # The last batch of the live client may end in frames that a replay does not stop at: nothing of them is drawn.
    shared = compare(session.journal, session.moments)[-1]
    assert (shared[0], session.moments[shared]["demo"]) == (boot, state["demo"])
    assert end["state"]["demo"] == state["demo"]
    # The recorder ended before the daemon did, and the chapter may have gone on after that.
    shared = compare(session.recording, session.moments)[-1]
    recorded = final(session.recording)
    assert shared[0] == recorded["boot"] == boot
    assert recorded["seq"] - shared[1] < 200
    assert session.moments[shared]["demo"]["index"] == recorded["state"]["demo"]["index"] == 1


def test_a_script_sees_the_past_and_what_follows_without_a_gap_or_a_double(session: Session) -> None:
    lines = [json.loads(line) for line in session.follower.out.splitlines()]
    frames = [line for line in lines if line.get("boot_id") == session.boots[0]]
    assert session.follower.process.returncode == 130
    assert "the daemon was restarted; going on with the new one" in session.follower.err
    assert "missing" not in session.follower.err
    after = [line for line in lines if line.get("boot_id") == session.boots[1]]
    assert [line["body"]["index"] for line in after if line["topic"] == "demo.chapter"][-1] == 1
    by_topic: dict[str, list[int]] = defaultdict(list)
    for frame in frames:
        by_topic[frame["topic"]].append(frame["topic_seq"])
    for topic, numbers in by_topic.items():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), topic
    targets = [frame["body"]["target"] for frame in frames if frame["topic"] == "fault.injected"]
    assert targets[-1] == "valkey-2"
    last_past = json.loads(session.past.splitlines()[-1])
    assert frames[0]["seq"] < last_past["seq"] < frames[-1]["seq"]


def test_a_replay_on_the_command_line_ends_in_that_state(session: Session) -> None:
    done = run([str(BIN / "operatorctl"), "replay", str(session.journal), "--state"], check=True)
    document = json.loads(done.stdout)
    assert document["state"] == final(session.journal)["state"]
    lines = run([str(BIN / "operatorctl"), "replay", str(session.recording), "--topic", "fault."], check=True)
    assert "kill valkey-1 (primary) active" in lines.stdout
    assert "pause valkey-2" in lines.stdout
    assert "the daemon restarted" in lines.stderr


def viewer(*options: str, height: int = 24) -> Terminal:
    return Terminal([sys.executable, "-m", "operator_clients.viewer", *options], width=100, height=height)


def test_the_viewer_plays_it_pauses_steps_and_seeks(session: Session) -> None:
    with viewer("--replay", str(session.recording), height=30) as terminal:
        text = terminal.until("▶ 1x")
        assert " REPLAY " in text
        assert "live" not in text
        terminal.press(" ")
        before = terminal.until("‖ paused")
        terminal.press(".")
        at_s = int(re.findall(r"‖ paused\s+0:(\d\d)", terminal.until(", frame "))[0])
        terminal.press("\x1b[C")
        terminal.until(lambda text: any(f"‖ paused  0:{at_s + ahead_s:02}" in text for ahead_s in (5, 6)))
        terminal.press("f")
        terminal.until("this is a replay: fault needs a daemon that runs")
        terminal.press("\x1b[F")
        terminal.until("■ end")
        terminal.until("[2/8]")
        terminal.press("\x1b[H")
        terminal.until(lambda text: "[1/8]" in text and "‖ paused  0:00" in text)
        assert "F" in terminal.rows()[-1]
        assert "F" in before.splitlines()[-1]
        terminal.press("]]")
        terminal.press(" ")
        terminal.until("▶ 4x")
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_clean()


def test_the_viewer_prints_it_as_lines_with_the_recorded_times(session: Session) -> None:
    command = [sys.executable, "-m", "operator_clients.viewer", "--plain", "--speed", "1000"]
    done = run([*command, "--replay", str(session.recording)], check=True)
    lines = done.stdout.splitlines()
    assert any("injected: kill valkey-1" in line for line in lines)
    assert any("DETECTED" in line and "valkey-1" in line for line in lines)
    assert any("the daemon restarted" in line for line in lines)
    assert "the recording ends here" in lines[-1]
    assert len(lines) == len(set(lines))
