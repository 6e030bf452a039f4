"""The real viewer on a real daemon, in a pty: the story as an audience sees it."""

import os
import re
import signal
from contextlib import ExitStack
from itertools import groupby, pairwise

import pytest
from tests.clients.viewer.terminal import Terminal

from .real_daemon import BIN, RealDaemon

_TITLES = (
    "Welcome",
    "Stage 1: Cluster Health",
    "Stage 2: Load Generation",
    "Stage 3: Fault Injection",
    "Stage 4: Detection",
    "Stage 5: AI Diagnosis",
    "Stage 6: Recovery",
    "Demo Complete",
)


def viewer(daemon: RealDaemon, width: int, height: int) -> Terminal:
    return Terminal([str(BIN / "operator-viewer"), "--endpoint", str(daemon.runtime_dir)], width=width, height=height)


def chapter(terminal: Terminal, index: int, deadline_s: float = 40.0) -> str:
    return terminal.until(f"[{index + 1}/8] {_TITLES[index]}", deadline_s)


def expected(terminal: Terminal) -> str:
    return terminal.until("as expected", 40.0)


def panels_are_whole(terminal: Terminal) -> None:
    """Five frames, closed on all sides, and nothing beyond the right edge."""
    screen = terminal.text()
    for corner in "╭┏", "╮┓", "╰┗", "╯┛":
        assert sum(screen.count(one) for one in corner) == 5, screen
    for title in ("Cluster", "Workload", "Monitor", "Agent"):
        assert title in screen


def counted_down(pictures: list[str]) -> None:
    """Each second stands for one second only, so a loaded machine may miss some; none comes back."""
    told = [min(seconds) for picture in pictures if (seconds := re.findall(r"in (\d)…", picture))]
    seen = [int(second) for second, _ in groupby(told)]
    assert seen, "no countdown was seen"
    assert {3, 2, 1}.issuperset(seen)
    assert all(before > after for before, after in pairwise(seen)), seen


@pytest.mark.parametrize(
    ("width", "height"),
    [
        (80, 24),
        pytest.param(120, 40, marks=pytest.mark.soak),
        pytest.param(200, 60, marks=pytest.mark.soak),
    ],
)
def test_the_keys_walk_all_eight_chapters(daemon: RealDaemon, width: int, height: int) -> None:
    with viewer(daemon, width, height) as terminal:
        chapter(terminal, 0)
        assert terminal.modes() != terminal.modes_before
        terminal.until(lambda screen: len(re.findall(r"● valkey-\d", screen)) == 6)
        panels_are_whole(terminal)
        terminal.press(" ")
        chapter(terminal, 1)
        terminal.press("\r")
        chapter(terminal, 2)
        expected(terminal)
        panels_are_whole(terminal)
        pictures = terminal.pictures()
        terminal.press("\x1b[C")
        chapter(terminal, 3)
        broken = re.findall(r"✗ (valkey-\d)", terminal.until(lambda screen: bool(re.search(r"✗ valkey-\d", screen))))[0]
        assert terminal.colour_at(f"✗ {broken}") == "red"
        counted_down(pictures)
        terminal.until("DETECTED node_down")
        panels_are_whole(terminal)
        expected(terminal)
        terminal.press(" ")
        chapter(terminal, 4)
        expected(terminal)
        terminal.press(" ")
        chapter(terminal, 5)
        expected(terminal)
        terminal.until("process_killed")
        panels_are_whole(terminal)
        terminal.press(" ")
        chapter(terminal, 6)
        chapter(terminal, 7)
        terminal.until(f"● {broken}")
        assert terminal.colour_at(f"● {broken}") == "green"
        panels_are_whole(terminal)
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_clean()
    assert daemon.status()["faults"] == []


def test_a_killed_monitor_is_seen_going_and_coming_back(daemon: RealDaemon) -> None:
    with viewer(daemon, 80, 24) as terminal:
        chapter(terminal, 0)
        monitor = daemon.process("monitor")
        before = int(monitor["pid"])
        os.kill(before, signal.SIGKILL)
        terminal.until("monitor ended by SIGKILL")
        terminal.until(f"monitor is back (restart {monitor['restarts'] + 1})")
        terminal.until("● monitor")
        assert daemon.pid("monitor") != before
        # The new one looks: what it sees is on the screen, not what its predecessor saw.
        victim = next(iter(daemon.nodes()))
        daemon.ctl("stop", victim, check=True)
        terminal.until(f"✗ {victim}")
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_clean()


def test_two_viewers_lose_their_daemon_and_find_the_next_one_by_themselves(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    daemon.start()
    with ExitStack() as stack:
        viewers = [stack.enter_context(viewer(daemon, 80, 24)) for _ in range(2)]
        for terminal in viewers:
            chapter(terminal, 0)
        daemon.ctl("fault", "--countdown", "0", check=True)
        for terminal in viewers:
            terminal.until(lambda screen: bool(re.search(r"✗ valkey-\d", screen)))
        os.kill(daemon.status()["pid"], signal.SIGKILL)
        for terminal in viewers:
            terminal.until("connection lost")
            assert "● live" not in terminal.text()
            panels_are_whole(terminal)
        daemon.wait_gone()
        daemon.start()
        for terminal in viewers:
            terminal.until(lambda screen: "● live" in screen and len(re.findall(r"● valkey-\d", screen)) == 6)
            panels_are_whole(terminal)
        daemon.ctl("next", check=True)
        for terminal in viewers:
            chapter(terminal, 1)
            terminal.press("q")
            assert terminal.ended() == 0
            assert terminal.is_clean()
    assert daemon.status()["faults"] == []


def test_a_viewer_that_is_started_first_waits_and_says_what_starts_a_daemon(stopped_daemon: RealDaemon) -> None:
    stopped_daemon.runtime_dir.mkdir(mode=0o700)
    with viewer(stopped_daemon, 80, 24) as terminal:
        terminal.until("operatord start")
        stopped_daemon.start()
        chapter(terminal, 0)
        terminal.press("\x03")
        assert terminal.ended() == 0
        assert terminal.is_clean()
