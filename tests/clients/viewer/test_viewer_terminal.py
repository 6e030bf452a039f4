"""The viewer in a real terminal, against a daemon that speaks the real wire."""

import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.clients.scripted import ScriptedDaemon
from tests.clients.viewer import scenes
from tests.clients.viewer.conftest import stage_two
from tests.clients.viewer.terminal import Terminal

from operator_clients.viewer.inflight import READS
from operator_protocol.errors import Conflict
from operator_protocol.records import to_body

SIZES = [(80, 24), (120, 40), (200, 60)]
TITLES = ("[3/8] Stage 2: Load Generation", "Cluster valkey", "Workload", "Monitor", "Agent")


def viewer(runtime_dir: Path, *options: str, width: int = 80, height: int = 24) -> Terminal:
    argv = [sys.executable, "-m", "operator_clients.viewer", "--endpoint", str(runtime_dir), *options]
    return Terminal(argv, width=width, height=height)


def asked(daemon: ScriptedDaemon, *commands: str) -> bool:
    """True once the daemon got just these commands, each without arguments."""
    give_up_at = time.monotonic() + 30
    while len(daemon.requests) < len(commands) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return [(request.cmd, request.args) for request in daemon.requests] == [(command, {}) for command in commands]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_five_panels_are_whole_in_a_terminal(daemon: ScriptedDaemon, width: int, height: int) -> None:
    with viewer(daemon.directory, width=width, height=height) as terminal:
        text = terminal.until(lambda text: all(title in text for title in TITLES))
        for number in range(6):
            assert f"● valkey-{number}" in text
        # Whole: as many upper as lower corners, and every row reaches the right border.
        assert text.count("╭") == text.count("╮") == text.count("╰") == text.count("╯") == 5
        assert all(row.rstrip()[-1] in "╮│╯" for row in terminal.rows()[1:-1])
        assert terminal.colour_at("● valkey-1") == "green"
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_clean()


def test_the_story_is_seen_as_it_happens(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        daemon.publish("fault.countdown", scenes.fault("countdown", remaining=3))
        assert "▀▀▀▀██" in terminal.until("kill valkey-1 in 3…")
        daemon.publish("fault.injected", scenes.fault(injected_at=time.time()))
        daemon.publish("violation.opened", scenes.violation(at=time.time()))
        daemon.publish("cluster.health", scenes.cluster(1))
        terminal.until("DETECTED node_down valkey-1")
        terminal.until("✗ valkey-1 primary down")
        assert terminal.colour_at("✗ valkey-1") == "red"
        daemon.publish("workload.sample", scenes.sample(30, 300.0))
        terminal.until("DEGRADED")
        assert terminal.colour_at("300 ops/s") == "red"
        daemon.publish("ticket.opened", scenes.ticket())
        for step in scenes.STEPS:
            daemon.publish("agent.step", step)
        terminal.until("evidence")
        daemon.publish("agent.diagnosis", {"ticket": 1, "diagnosis": to_body(scenes.diagnosis())})
        terminal.until("process_killed on valkey-1")
        daemon.publish("fault.recovered", scenes.fault("recovered", owed=False))
        daemon.publish("violation.closed", scenes.violation())
        daemon.publish("cluster.health", scenes.cluster())
        terminal.until(lambda text: "✓ all invariants hold" in text and "● valkey-1" in text)
        assert terminal.colour_at("● valkey-1") == "green"


def test_a_worker_that_is_killed_is_seen_even_if_it_is_back_at_once(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("● monitor")
        daemon.publish("process.monitor.state", scenes.process("monitor", "backoff", pid=None, signal=9))
        daemon.publish("process.monitor.state", scenes.process("monitor", "starting", restarts=1))
        daemon.publish("process.monitor.state", scenes.process("monitor", restarts=1))
        text = terminal.until("● monitor ↻1 back")
        assert "monitor ended by SIGKILL" in text
        assert "monitor is back" in text


def test_the_keys_send_the_commands_of_the_table(daemon: ScriptedDaemon) -> None:
    for command in ("next", "previous", "recover"):
        daemon.on(command, lambda _: {})
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        for key in (" ", "\r", "\x1b[C", "\x1bOC", "\x1b[D", "r", "x"):
            terminal.press(key)
        assert asked(daemon, "next", "next", "next", "next", "previous", "recover")


def test_what_a_command_came_to_is_one_line_in_the_footer(daemon: ScriptedDaemon) -> None:
    def refuse(_: object) -> dict[str, object]:
        raise Conflict("the chapter is busy", "press r first")

    daemon.on("next", refuse)
    daemon.on("recover", lambda _: {"message": "nothing is owed"})
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        terminal.press(" ")
        terminal.until("✗ next: the chapter is busy — press r first")
        terminal.press("r")
        terminal.until("✓ nothing is owed")
        assert "Traceback" not in terminal.text()


def test_the_list_of_keys_opens_and_any_other_key_only_closes_it(daemon: ScriptedDaemon) -> None:
    daemon.on("fault", lambda _: {})
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        for opener, closer in (("?", "?"), ("?", "\x1b"), ("?", "f")):
            terminal.press(opener)
            terminal.until("┏━ Keys")
            terminal.press(closer)
            terminal.until(lambda text: "┏━ Keys" not in text)
        assert daemon.requests == []
        terminal.press("?")
        terminal.until("┏━ Keys")
        terminal.press("q")
        assert terminal.ended() == 0


STATES = {
    # What is pressed, and what is on the screen then; what is pressed after it brings the five panels back.
    "1": "━ Narration [1/5] ━",
    "2": "━ Cluster [2/5] ━",
    "3": "━ Workload [3/5] ━",
    "4": "━ Monitor [4/5] ━",
    "5": "━ Agent [5/5] ━",
    "\t\t": "━ Cluster [2/5] ━",
    "\x1b[Z": "━ Agent [5/5] ━",
    "4+": "━ Monitor [4/5] ━",
    "4+=": "━ Monitor [4/5] ━",
    "4++_-": "━ Monitor [4/5] ━",
    "4k": "━ Monitor [4/5] ━",
    "4/joined": " /joined▏",
    "4/!joined\r": "/!joined",
    "?": "┏━ Keys ━",
    ":stat": ": stat▏",
    "f": "┏━ Break something",
    "t": "┏━ Tickets",
    "p": "┏━ Processes",
}


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_key_shows_its_state_whole_and_escape_goes_back(daemon: ScriptedDaemon, width: int, height: int) -> None:
    with viewer(daemon.directory, width=width, height=height) as terminal:
        plain = terminal.until(lambda text: text.count("╭") == 5)
        for keys, wanted in STATES.items():
            terminal.press(keys)
            # Zoomed to the full nothing else is there.
            text = terminal.until(
                lambda text, keys=keys, wanted=wanted: wanted in text and (keys != "4+=" or "╭" not in text)  # type: ignore[misc]  # bound now
            )
            assert text.count("┏") == text.count("┓") == text.count("┗") == text.count("┛") == 1, (keys, text)
            assert len(terminal.rows()) == height
            while (text := terminal.text()).count("╭") != 5 or "┏" in text:
                terminal.press("\x1b")
                terminal.until(lambda after, before=text: after != before)  # type: ignore[misc]  # bound now
        assert terminal.text().splitlines()[1:6] == plain.splitlines()[1:6]
        assert not [request for request in daemon.requests if request.cmd not in READS]


def test_a_log_is_scrolled_while_it_grows(daemon: ScriptedDaemon) -> None:
    def happens(text: str) -> None:
        daemon.publish("fault.failed", scenes.fault("failed", owed=False, error=text))

    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        for number in range(40):
            happens(f"n{number}.")
        terminal.press("4")
        terminal.until(lambda text: "n39." in text and "▼ following" in text)
        terminal.press("\x1b[5~")
        terminal.until(lambda text: "paused, " in text and "n39." not in text)
        rows = terminal.rows()[16:22]
        happens("n40.")
        happens("n41.")
        terminal.until("paused, ")
        assert terminal.rows()[16:22] == rows
        terminal.press("G")
        terminal.until(lambda text: "n41." in text and "▼ following" in text)


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "linux"}], ids=["no colour", "16 colours"])
def test_with_few_colours_or_none_all_is_said_in_words(daemon: ScriptedDaemon, environ: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "operator_clients.viewer", "--endpoint", str(daemon.directory)]
    with Terminal(argv, width=80, height=24, env=environ) as terminal:
        daemon.publish("cluster.health", scenes.cluster(1))
        terminal.until("✗ valkey-1 primary down")
        terminal.press("4")
        terminal.until("━ Monitor [4/5] ━")
        terminal.press("q")
        assert terminal.ended() == 0
        written = re.findall(rb"\x1b\[([0-9;]*)m", bytes(terminal.received))
        codes = {code for sequence in written for code in sequence.split(b";")}
        assert b"38" not in codes
        assert b"48" not in codes
        assert "NO_COLOR" not in environ or not {code for code in codes if code[:1] in b"349" and len(code) == 2}


def test_notes_are_shown_only_where_they_were_asked_for(daemon: ScriptedDaemon) -> None:
    noted = scenes.chapter(3, notes="Say hello to the front row.")
    daemon.publish("demo.chapter", noted)
    with viewer(daemon.directory, "--notes") as presenter, viewer(daemon.directory) as audience:
        presenter.until("Say hello to the front row.")
        audience.until("[4/8] Stage 3: Fault Injection")
        assert "Say hello" not in audience.text()


def test_a_resize_is_followed_and_too_small_a_terminal_gets_a_notice(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        terminal.resize(40, 10)
        assert "need 80x24" in terminal.until("40x10, too small")
        for width, height in ((120, 40), (200, 60), (80, 24)):
            terminal.resize(width, height)
            terminal.until(
                lambda text, w=width, h=height: (  # type: ignore[misc]  # bound now, the loop goes on
                    text.count("╭") == 5
                    and max(len(row.rstrip()) for row in text.splitlines()) == w
                    and len(text.splitlines()) == h
                    and "too small" not in text
                )
            )
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_clean()


def test_it_starts_in_a_small_terminal_too(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory, width=40, height=10) as terminal:
        terminal.until("40x10, too small")
        terminal.press("q")
        assert terminal.ended() == 0
        assert "Traceback" not in terminal.text()


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 0)], ids=["TERM", "HUP", "INT"]
)
def test_a_signal_leaves_a_clean_terminal(daemon: ScriptedDaemon, signum: int, code: int) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        assert terminal.modes() != terminal.modes_before
        terminal.signal(signum)
        assert terminal.ended() == code
        assert terminal.is_clean()


def test_control_c_is_a_way_to_quit(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        terminal.press("\x03")
        assert terminal.ended() == 0
        assert terminal.is_clean()


def test_standard_output_stays_blocking(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        assert os.get_blocking(terminal.slave)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash for job control")
def test_it_can_be_suspended_and_comes_back(daemon: ScriptedDaemon) -> None:
    command = f"{sys.executable} -m operator_clients.viewer --endpoint {daemon.directory}"
    environ = {"PS1": "ready> ", "HISTFILE": ""}
    with Terminal(["/usr/bin/env", "bash", "--norc", "--noprofile", "-i"], width=80, height=24, env=environ) as shell:
        shell.until("ready>")
        shell.press(f"{command}\r")
        shell.until("Stage 2")
        shell.press("\x1a")
        shell.until("Stopped")
        assert shell.received.count(b"\x1b[?1049l") == 1
        shell.press("stty -a\r")
        modes = shell.until(" echo ")
        assert " icanon" in modes
        assert " ixon" in modes
        shell.press("clear; fg\r")
        shell.until(lambda text: text.count("╭") == 5 and "[3/8]" in text)
        shell.quiet(0.2)
        assert shell.received.count(b"\x1b[?1049h") == 2, "it is not painted twice"
        shell.press("q")
        shell.until(lambda _: shell.received.count(b"\x1b[?1049l") == 2)
        shell.press("exit 7\r")
        assert shell.ended() == 7


def test_without_job_control_a_stop_signal_does_no_harm(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        terminal.press("4+?")
        terminal.until("┏━ Keys")
        terminal.signal(signal.SIGTSTP)
        terminal.until(lambda _: terminal.received.count(b"\x1b[?1049h") == 2)
        # What was open still is.
        terminal.until("┏━ Keys")
        terminal.press("\x1b")
        terminal.until("━ Monitor [4/5] ━")
        terminal.press("\x1b")
        terminal.until(lambda text: text.count("╭") == 4)
        terminal.press("\x1b")
        terminal.until(lambda text: text.count("╭") == 5)
        terminal.signal(signal.SIGSTOP)
        terminal.signal(signal.SIGCONT)
        terminal.until(lambda _: terminal.received.count(b"\x1b[?1049h") == 3)
        terminal.until(lambda text: text.count("╭") == 5)
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_clean()


def test_a_frozen_terminal_does_not_keep_it_from_ending(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory, width=200, height=60) as terminal:
        terminal.until("Stage 2")
        # Nobody reads the pty any more; it fills up until a write blocks.
        for second in range(30, 60):
            terminal.resize(200 - second % 2, 60)
            daemon.publish("workload.sample", scenes.sample(second, 2000.0 + second * 10))
            time.sleep(0.04)
        terminal.signal(signal.SIGTERM)
        assert terminal.process.wait(30) == 143
        assert terminal.modes() == terminal.modes_before


def test_a_terminal_that_goes_away_ends_it(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        terminal.hang_up()
        assert terminal.process.wait(30) == 129


def test_it_waits_for_a_daemon_and_says_which_command_starts_one(runtime_dir: Path) -> None:
    with viewer(runtime_dir) as terminal:
        text = terminal.until(f"Waiting for a daemon at {runtime_dir}")
        assert f"operatord start --runtime-dir {runtime_dir}" in text
        terminal.press(" ")
        with ScriptedDaemon(runtime_dir) as daemon:
            stage_two(daemon)
            terminal.until("Stage 2")
            assert daemon.requests == []


@pytest.mark.parametrize(
    ("width", "height"), [SIZES[0], *(pytest.param(*size, marks=pytest.mark.soak) for size in SIZES[1:])]
)
def test_a_daemon_that_dies_is_said_lost_and_another_one_is_joined(runtime_dir: Path, width: int, height: int) -> None:
    with viewer(runtime_dir, width=width, height=height) as terminal:
        with ScriptedDaemon(runtime_dir) as first:
            stage_two(first)
            terminal.until("Stage 2")
        text = terminal.until("connection lost, data ")
        assert re.search(r"data \d+ s old", text)
        assert "[3/8] Stage 2" in text
        terminal.press("r")
        terminal.until("no daemon answers at")
        with ScriptedDaemon(runtime_dir) as second:
            stage_two(second)
            second.publish("demo.chapter", scenes.chapter(0))
            terminal.until("resynchronised: the daemon restarted")
            terminal.until(lambda text: "● live" in text and "[1/8] Welcome" in text)
            assert second.requests == []


def test_an_idle_daemon_makes_it_write_nothing(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        terminal.quiet(1.5)
        before = len(terminal.received)
        terminal.read(2.2)
        assert len(terminal.received) == before


def test_a_busy_bus_is_drawn_at_most_eight_times_a_second(daemon: ScriptedDaemon) -> None:
    with viewer(daemon.directory) as terminal:
        terminal.until("Stage 2")
        started, before = time.monotonic(), terminal.received.count(b"\x1b[?2026h")
        for second in range(100):
            daemon.publish("workload.sample", scenes.sample(30 + second, 2000.0 + second))
            terminal.read(0.0)
            time.sleep(0.01)
        terminal.until("2,099 ops/s")
        drawn = terminal.received.count(b"\x1b[?2026h") - before
        assert drawn <= (time.monotonic() - started) * 8 + 2


def test_no_animation_keeps_the_screen_still(daemon: ScriptedDaemon) -> None:
    daemon.publish("demo.chapter", scenes.chapter(5, busy=True))
    with viewer(daemon.directory, "--no-animation") as terminal:
        terminal.until("Stage 5")
        terminal.quiet(1.5)
        before = len(terminal.received)
        terminal.read(1.2)
        assert len(terminal.received) == before
