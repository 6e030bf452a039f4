"""The viewer under random keys and resizes, on a real daemon whose cluster is being broken all the while."""

import itertools
import os
import random
import time

import psutil
import pytest
from tests.clients.viewer.terminal import Terminal

from .real_daemon import BIN, RealDaemon

SHORT_S = 20.0
SOAK_S = float(os.environ.get("SOAK_S", "600"))
SIZES = [(80, 24), (80, 25), (100, 30), (120, 40), (160, 36), (200, 60), (79, 24), (30, 8)]
KEYS = [
    *(
        " ",
        "\r",
        "\x1b[C",
        "\x1b[D",
        "r",
        "f",
        "t",
        "p",
        "?",
        ":",
        "/",
        "\t",
        "\x1b[Z",
        "\x1b",
        "\x1b",
        "\x1b",
        "+",
        "_",
        "-",
    ),
    *("1", "2", "3", "4", "5", "j", "k", "g", "G", "\x1b[A", "\x1b[B", "\x1b[5~", "\x1b[6~", "\x7f", "\x15", "x", "("),
]
LINES = [
    "status",
    "faults",
    "help",
    "fault slow",
    "recover",
    "nonsense",
    "tickets",
    "logs -f monitor",
    "goto 2",
    "fault kill",
]
FLAT = 6 << 20
"""Resident memory may grow by this much in the second half: by then all is imported, and every bounded list full."""


def play(daemon: RealDaemon, for_s: float) -> tuple[int, int]:
    """Press keys until the time is over; returns resident memory at half time and at the end."""
    dice = random.Random(8)
    with Terminal(
        [str(BIN / "operator-viewer"), "--endpoint", str(daemon.runtime_dir)], width=80, height=24
    ) as terminal:
        terminal.until("[1/8] Welcome")
        viewer = psutil.Process(terminal.process.pid)
        began, warm = time.monotonic(), 0
        for turn in itertools.count():
            now = time.monotonic() - began
            if now > for_s:
                break
            if turn % 40 == 0:
                daemon.ctl(
                    "fault", dice.choice(["kill", "pause"]), "--countdown", "0", "--for", "2s", "--no-wait", "--force"
                )
            if not warm and now > for_s / 2:
                warm = viewer.memory_info().rss
            if dice.random() < 0.06:
                terminal.press(f"\x1b\x1b\x1b\x1b:{dice.choice(LINES)}\r")
            elif dice.random() < 0.05:
                terminal.resize(*dice.choice(SIZES))
            else:
                terminal.press("".join(dice.choices(KEYS, k=dice.randint(1, 6))))
            terminal.read(0.05)
            assert terminal.process.poll() is None, terminal.text()
            if turn % 200 == 199:
                assert b"Traceback" not in terminal.received
                if terminal.received.endswith(b"\x1b[?2026l"):
                    del terminal.received[:]
        memory = viewer.memory_info().rss
        terminal.resize(80, 24)
        deadline = time.monotonic() + 30
        while not whole(text := terminal.text()):
            assert time.monotonic() < deadline, text
            terminal.press("\x1b")
            terminal.read(0.2)
        terminal.press(":logs -f\r")
        terminal.until("┏━ :logs -f")
        children = viewer.children(recursive=True)
        terminal.press("q")
        assert terminal.ended() == 0
        assert b"Traceback" not in terminal.received
        assert terminal.is_clean()
        assert not psutil.wait_procs(children, timeout=10)[1]
    return warm, memory


def whole(text: str) -> bool:
    """True for five panels without anything over them; what is new has a heavy border."""
    corners = [sum(text.count(corner) for corner in pair) for pair in ("╭┏", "╮┓", "╰┗", "╯┛")]
    return corners == [5] * 4 and "SPACE next" in text


def test_random_keys_and_resizes_while_things_break(daemon: RealDaemon) -> None:
    play(daemon, SHORT_S)


@pytest.mark.soak
def test_its_memory_stays_flat_under_random_keys_and_resizes(daemon: RealDaemon) -> None:
    warm, memory = play(daemon, SOAK_S)
    print(f"resident: {warm >> 20} MiB at half time, {memory >> 20} MiB after {SOAK_S:g} s")
    assert memory < warm + FLAT
