"""What goes wrong on stage: a daemon that is killed in the middle of any chapter, and two people with one thought."""

import os
import re
import signal
from contextlib import ExitStack
from functools import partial

import pytest
from tests.clients.viewer.terminal import Terminal

from .real_daemon import RealDaemon, until
from .test_viewer_on_stage import chapter, panels_are_whole, viewer

_CHAPTERS = 8
_HEALTHY = re.compile(r"● valkey-\d")
PATIENCE_S = 90.0


def is_well(screen: str) -> bool:
    return "● live" in screen and len(_HEALTHY.findall(screen)) == 6


def at(terminal: Terminal) -> int:
    """The index of the chapter on the screen."""
    told = re.search(r"\[(\d)/8\]", terminal.text())
    return int(told[1]) - 1 if told else -1


def is_past(terminal: Terminal, before: int) -> bool:
    return at(terminal) > before


def goes_on(daemon: RealDaemon, terminal: Terminal, before: int) -> bool:
    return is_past(terminal, before) or daemon.ctl("next").returncode == 0


@pytest.mark.soak
@pytest.mark.parametrize("index", range(_CHAPTERS))
def test_a_daemon_that_is_killed_in_any_chapter_leaves_a_whole_screen_and_the_next_one_is_found(
    daemon: RealDaemon, index: int
) -> None:
    with viewer(daemon, 80, 24) as terminal:
        chapter(terminal, 0)
        while at(terminal) < index:
            # A chapter that is not over yet refuses; the last one comes by itself.
            before = at(terminal)
            until(partial(goes_on, daemon, terminal, before), f"what comes after chapter {before}", PATIENCE_S)
            until(partial(is_past, terminal, before), f"the screen to leave chapter {before}", PATIENCE_S)
        os.kill(daemon.status()["pid"], signal.SIGKILL)
        terminal.until("connection lost")
        assert "● live" not in terminal.text()
        panels_are_whole(terminal)
        # What asks no daemon works on.
        terminal.press("?")
        terminal.until("Break something")
        terminal.press("?")
        daemon.wait_gone()
        daemon.start()
        terminal.until(is_well, PATIENCE_S)
        chapter(terminal, 0)
        panels_are_whole(terminal)
        assert daemon.status()["faults"] == []
        terminal.press(" ")
        chapter(terminal, 1)
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_clean()


@pytest.mark.soak
def test_two_viewers_approve_one_action_at_once_and_it_is_done_once(daemon: RealDaemon) -> None:
    with ExitStack() as stack:
        viewers = [stack.enter_context(viewer(daemon, *size)) for size in ((80, 24), (120, 40))]
        for terminal in viewers:
            terminal.until(is_well)
        daemon.ctl("stop", "valkey-4", check=True)
        for terminal in viewers:
            terminal.press("t")
            terminal.until("waits for your decision", PATIENCE_S)
            terminal.press("g\r")
            terminal.until("a approves it")
            terminal.press("ga")
            terminal.until("now it would")
        for terminal in viewers:
            terminal.press("y")
        for terminal in viewers:
            terminal.until("✓ start_server valkey-4", PATIENCE_S)
            terminal.until("✓ resolved", PATIENCE_S)
        done = daemon.ask("actions")["actions"]
        assert [(one["kind"], one["target"], one["status"]) for one in done] == [
            ("start_server", "valkey-4", "succeeded")
        ]
        for terminal in viewers:
            terminal.press("\x1b")
            terminal.until("Tickets")
            terminal.press("\x1b")
            terminal.until(is_well, PATIENCE_S)
            terminal.press("q")
            assert terminal.ended() == 0
            assert terminal.is_clean()
