"""Stories from files and moves between chapters, on a real daemon with a real cluster."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from operatord.faults.undo_journal import read_owed

from .real_daemon import BIN, RealDaemon, until

LATE_S = 90.0
LAST = 7


def chapter(daemon: RealDaemon) -> dict[str, Any]:
    found: dict[str, Any] = daemon.status()["demo"]
    return found


def over(daemon: RealDaemon) -> dict[str, Any]:
    """Wait until the chapter has shown what it is for."""
    state: dict[str, Any] = {}

    def done() -> bool:
        state.update(chapter(daemon))
        return not state["busy"] and state["expectation_met"] is not False

    until(done, "the chapter to be over", LATE_S)
    return state


def move(daemon: RealDaemon, *words: str) -> dict[str, Any]:
    daemon.ctl(*words, check=True)
    return over(daemon)


@contextmanager
def started(daemon: RealDaemon, *options: str) -> Iterator[RealDaemon]:
    daemon.start(*options)
    try:
        yield daemon
    finally:
        daemon.stop()
    assert read_owed(daemon.state_dir / "undo.journal") == []


def test_chapters_that_are_wrong_are_refused_with_their_line_before_anything_is_started(
    stopped_daemon: RealDaemon, tmp_path: Path
) -> None:
    file = tmp_path / "talk.toml"
    file.write_text('title = "x"\n[[chapter]]\ntitle = "A"\nnaration = "a"\n')
    for words in (["start", "--detach"], ["demo", "--headless"]):
        done = subprocess.run(
            [str(BIN / "operatord"), *words, "--state-dir", str(stopped_daemon.state_dir), "--chapters", str(file)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1
        assert f"{file}:4: chapter[1].naration: there is no such key; did you mean 'narration'?" in done.stderr
    assert not (stopped_daemon.state_dir / "servers.json").exists()


def test_a_fault_that_the_subject_does_not_have_is_refused_with_its_line(
    stopped_daemon: RealDaemon, tmp_path: Path
) -> None:
    file = tmp_path / "talk.toml"
    file.write_text(
        '[[chapter]]\ntell = "fault"\nenter = { do = "fault", kind = "evict-leader" }\n'
        '[[chapter]]\ntell = "recovery"\nenter = "recover"\n'
    )
    done = stopped_daemon.start("--chapters", str(file), check=False)
    assert done.returncode == 1
    assert f"{file}:3: chapter[1].enter: valkey has no fault 'evict-leader'" in done.stderr


JOURNEY = [
    ("goto 5", 5, 1),  # from the beginning: load, baseline, countdown and fault first
    ("previous", 4, 1),
    ("previous", 3, 1),
    ("previous", 2, 0),
    ("next", 3, 1),
    ("goto 1", 1, 0),
    ("goto 4", 4, 1),
    ("goto 7", 7, 0),
    ("previous", 6, 0),
    ("previous", 5, 0),  # looking back breaks nothing
    ("goto 3", 3, 1),
    ("goto 0", 0, 0),
    ("goto 6", 7, 0),  # it goes on by itself
    ("goto 2", 2, 0),
    ("next", 3, 1),
    ("goto 6", 7, 0),
    ("goto 0", 0, 0),
]
"""Moves, the chapter that they lead to, and how many faults are owed there."""


@pytest.mark.soak
def test_a_sample_of_moves_between_chapters(stopped_daemon: RealDaemon) -> None:
    with started(stopped_daemon) as daemon:
        for number, (words, index, owed) in enumerate(JOURNEY):
            state = move(daemon, *words.split())
            status = daemon.status()
            assert (state["index"], len(status["faults"])) == (index, owed), (number, words)
            assert index >= 2 or not status["workload"]["running"], (number, words)


@pytest.mark.soak
def test_the_story_in_two_acts_walks_by_itself(daemon_dir: Path) -> None:
    done = subprocess.run(
        [str(BIN / "operatord"), "demo", "--headless", "--chapters", "two-acts", "--state-dir", str(daemon_dir / "s")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, f"{summary}\n{done.stderr}"
    assert (summary["fault"], summary["degraded_seen"]) == ("pause", True)
    assert [one["title"] for one in summary["chapters"]][-1] == "Both whole again"


@pytest.mark.soak
def test_a_rehearsal_pauses_as_a_presenter_would(stopped_daemon: RealDaemon) -> None:
    with started(stopped_daemon) as daemon:
        done = daemon.ctl("demo", "--auto", "--json", "--speed", "10", check=True)
        report = json.loads(done.stdout.splitlines()[-1])
        assert report["ok"] is True
        assert [one["index"] for one in report["chapters"]] == list(range(LAST + 1))
        assert sum(one["paused_s"] for one in report["chapters"]) > 5
        assert daemon.status()["faults"] == []
