"""A rehearsal as it is seen: three viewers of different sizes, and every picture of each of them is whole.

It is recorded beside. With ``OPERATOR_SCREENSHOTS=DIR`` what two sizes showed of the diagnosis is put there as SVG.
"""

import json
import os
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.cells import cell_len
from tests.clients.viewer.terminal import Terminal

from operator_protocol.recording import Recording

from .real_daemon import BIN, RealDaemon

SOAK_S = float(os.environ.get("SOAK_S", "600"))
SPOKEN_S = 135.0
"""What the story takes to be told at speed 1, without what happens in it."""
SCREENS: dict[str, tuple[int, int, list[str]]] = {
    "small": (80, 24, []),
    "large": (160, 50, []),
    "notes": (80, 24, ["--notes"]),
}
BEHIND_S = 5.0
"""A picture may be older than the chapter by this much, on a machine with other things to do."""
AFTER_S = 20.0
"""After the detection the diagnosis stands."""
LEFT, RIGHT = set("╭│╰┏┃┗"), set("╮│╯┓┃┛")


def mistakes(rows: list[str], width: int) -> list[str]:
    """What is torn, cut or out of place in a picture."""
    text = "\n".join(rows)
    found = [f"row {number} is {cell_len(row)} wide" for number, row in enumerate(rows) if cell_len(row) != width]
    corners = [sum(text.count(corner) for corner in pair) for pair in ("╭┏", "╮┓", "╰┗", "╯┛")]
    if corners != [5] * 4:
        found.append(f"corners of boxes: {corners}")
    top = next((number for number, row in enumerate(rows) if row[:1] in LEFT), len(rows))
    bottom = max((number for number, row in enumerate(rows) if row[:1] in LEFT), default=0)
    found += [
        f"row {n} has no edge" for n in range(top, bottom + 1) if rows[n][0] not in LEFT or rows[n][-1] not in RIGHT
    ]
    if "Traceback" in text or "�" in text:
        found.append("a traceback, or a character that is none")
    return found


def shots_of(recording: Path) -> None:
    """Both sizes at the diagnosis, if they are wanted."""
    if not (wanted := os.environ.get("OPERATOR_SCREENSHOTS")):
        return
    with Recording.open(recording) as tape:
        detected = next(mark.at_s for mark in tape.index.marks if mark.kind == "detection")
    for width, height, _ in list(SCREENS.values())[:2]:
        to = Path(wanted) / f"rehearsal-{width}x{height}.svg"
        words = [
            "--export",
            "svg",
            "--at",
            f"{detected + AFTER_S:.1f}",
            "--size",
            f"{width}x{height}",
            "--out",
            str(to),
        ]
        subprocess.run([str(BIN / "operator-viewer"), "--replay", str(recording), *words], check=True, timeout=60)
        assert to.read_text().rstrip().endswith("</svg>")


@pytest.mark.soak
def test_a_rehearsal_has_no_picture_that_is_not_whole(daemon: RealDaemon, tmp_path: Path) -> None:
    viewer, at = str(BIN / "operator-viewer"), ["--endpoint", str(daemon.runtime_dir)]
    speed = max(0.1, SPOKEN_S / max(30.0, SOAK_S - 60.0))
    with ExitStack() as stack:
        terminals = {
            name: stack.enter_context(Terminal([viewer, *at, *more], width=width, height=height))
            for name, (width, height, more) in SCREENS.items()
        }
        for one in terminals.values():
            one.until("[1/8] Welcome")
        tape = tmp_path / "rehearsal.opj"
        recorder = subprocess.Popen([str(BIN / "operatorctl"), *at, "record", str(tape)], stdin=subprocess.DEVNULL)
        stack.callback(recorder.kill)
        with (tmp_path / "report.json").open("wb") as report, (tmp_path / "timeline").open("wb") as told:
            walk = subprocess.Popen(
                [str(BIN / "operatorctl"), *at, "demo", "--auto", "--json", "--speed", f"{speed:.2f}"],
                stdout=report,
                stderr=told,
            )
            stack.callback(walk.kill)
            pictures, seen = dict.fromkeys(SCREENS, 0), {name: list[str]() for name in SCREENS}
            while walk.poll() is None:
                for name, one in terminals.items():
                    if not one.read(0.1):
                        continue
                    rows = one.rows()
                    pictures[name] += 1
                    assert mistakes(rows, SCREENS[name][0]) == [], f"{name}:\n" + "\n".join(rows)
                    chapter = next(row for row in rows if "/8]" in row).split("[")[1].split("]")[0]
                    if chapter not in seen[name][-1:]:
                        seen[name].append(chapter)
        result = json.loads((tmp_path / "report.json").read_text().splitlines()[-1])
        assert (walk.returncode, result["ok"]) == (0, True), (tmp_path / "timeline").read_text()
        deadline = time.monotonic() + BEHIND_S
        for one in terminals.values():
            one.until("[8/8] Demo Complete", max(0.1, deadline - time.monotonic()))
            one.press("q")
            assert one.ended() == 0
            assert one.is_clean()
        recorder.send_signal(signal.SIGINT)
        assert recorder.wait(30) == 0
    shots_of(tape)
    # The first chapter was on the screen before the first look at it.
    assert all(chapters[-7:] == [f"{number}/8" for number in range(2, 9)] for chapters in seen.values()), seen
    print(f"{result['took_s']:g} s at speed {speed:.2f}; pictures: {pictures}")
