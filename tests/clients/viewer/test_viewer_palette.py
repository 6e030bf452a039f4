"""The palette: its completion, its short forms, and what comes of a line that ``operatorctl`` runs."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.clients.scripted import ScriptedDaemon
from tests.clients.viewer import scenes
from tests.clients.viewer.staged import Stage
from tests.clients.viewer.terminal import Terminal

from operator_clients.ctl.commands import COMMANDS
from operator_clients.viewer.commandline import common, kinds_of, offers, usage, words_of
from operator_clients.viewer.errands import Errand
from operator_clients.viewer.inflight import READS
from operator_clients.viewer.keys import PASTED
from operator_protocol.errors import BadRequest, Conflict, UnknownCommand
from operator_protocol.state import State
from operatord.control.commands import COMMANDS as DAEMON_COMMANDS

CATALOGUE = {
    "kinds": [
        {"name": "kill", "description": "End it.", "params": []},
        {"name": "slow", "description": "Slow it down.", "params": [{"name": "percent"}, {"name": "period"}]},
        {"name": "partition", "description": "Cut it off.", "params": [], "missing": "CAP_NET_ADMIN"},
    ]
}
KINDS = kinds_of(CATALOGUE)


def state() -> State:
    return scenes.diagnosed().state


def offered(text: str) -> list[str]:
    return [one.word for one in offers(text, state(), KINDS)]


def test_every_command_of_operatorctl_is_offered() -> None:
    assert offered("") == [*COMMANDS, "help"]
    assert {command for command in COMMANDS if words_of(command, readonly=False)} == set(COMMANDS)


@pytest.mark.parametrize(
    ("text", "among"),
    [
        ("st", {"status", "stop"}),
        ("proc", {"processes"}),
        ("fault ", {"kill", "slow", "partition"}),
        ("fault sl", {"slow"}),
        ("fault slow valkey-", {f"valkey-{number}" for number in range(6)}),
        ("fault slow ", {"valkey-1", "primary", "replica", "random"}),
        ("fault slow valkey-1 p", {"percent=", "period="}),
        ("fault slow valkey-1 percent=50 p", {"period="}),
        ("fault slow --ta", {"--target"}),
        ("restart mon", {"monitor"}),
        ("logs agent mon", {"monitor"}),
        ("approve ", set()),
        ("hold ", {"1"}),
        ("goto ", {str(number) for number in range(8)}),
        ("recover ", {"f1"}),
        ("workload st", {"start", "stop"}),
        ("agent o", {"on", "off"}),
        ("help fau", {"fault", "faults"}),
        ("nothing ", set()),
    ],
)
def test_what_may_come_next_is_offered(text: str, among: set[str]) -> None:
    found = set(offered(text))
    assert among <= found
    assert bool(found) == bool(among)


def test_a_command_is_found_by_what_is_within_its_name() -> None:
    assert offered("load") == ["workload"]


def test_a_kind_that_this_host_cannot_do_says_so() -> None:
    assert [one.about for one in offers("fault part", state(), KINDS)] == ["not here: CAP_NET_ADMIN"]


def test_what_is_clear_is_what_all_have_in_common() -> None:
    assert common(["processes", "process"]) == "process"
    assert common([]) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("goto 3", ["goto", "3"]),
        ("operatorctl status", ["status"]),
        ("fault", ["fault"]),
        ("fault slow valkey-1 ms=50", ["fault", "slow", "--target", "valkey-1", "--set", "ms=50"]),
        ("fault slow --target a ms=50", ["fault", "slow", "--target", "a", "--set", "ms=50"]),
        ("fault slow --set ms=50 --for 1m", ["fault", "slow", "--set", "ms=50", "--for", "1m"]),
        ("note 3 'two words'", ["note", "3", "two words"]),
        ("help", ["--help"]),
        ("help fault", ["fault", "--help"]),
        ("  ", []),
    ],
)
def test_a_line_stands_for_words_of_operatorctl(text: str, words: list[str]) -> None:
    assert words_of(text, readonly=False) == words


@pytest.mark.parametrize(("text", "near"), [("fualt", "fault"), ("approv 3", "approve"), ("stats", "status")])
def test_an_unknown_command_names_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownCommand, match=f"did you mean '{near}'"):
        words_of(text, readonly=False)


def test_an_open_quote_is_said() -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        words_of("note 3 'x", readonly=False)


@pytest.mark.parametrize("text", ["status", "logs -f", "workload show", "agent show", "fault --help", "help", "wait x"])
def test_a_read_only_viewer_runs_what_changes_nothing(text: str) -> None:
    assert words_of(text, readonly=True)


@pytest.mark.parametrize(
    "text",
    [
        *("fault", "next", "recover", "approve 1", "workload stop", "agent off", "stop x", "demo --auto", "record x"),
        # Not what they look like: a word behind --, the value of an option, a process called like the command.
        *("note 3 -- --help", "fault --target --help", "stop stop"),
    ],
)
def test_a_read_only_viewer_refuses_the_rest(text: str) -> None:
    with pytest.raises(Conflict, match="read-only"):
        words_of(text, readonly=True)


def test_what_a_command_takes_stands_below_the_line() -> None:
    assert usage("goto 3") == "goto N|TITLE: Go to a chapter."
    assert usage("") == usage("x") == ""


@pytest.mark.parametrize("char", ["x", "数", "🔥"])
def test_the_end_of_a_line_that_is_too_long_is_where_it_is_typed(char: str) -> None:
    for opened in (Stage().press(":"), Stage().press("1", "/")):
        assert "12▏" in opened.press(f"{PASTED}{char * 75}12").text()


def test_what_changes_nothing_is_what_the_daemon_says_does_not() -> None:
    assert {command.name for command in DAEMON_COMMANDS if command.reads} == READS


def test_a_word_that_was_chosen_stays_so_when_what_it_stands_for_goes() -> None:
    stage = Stage()
    stage.film.state = state()
    stage.press(":").write("restart valkey-").press("up")
    del stage.film.state.processes["valkey-5"]
    stage.press("enter")
    assert "restart valkey-5" in stage.top()
    stage.film.state.processes.clear()
    stage.press("tab", "up", "down", "enter")


def errand(*argv: str, text: str = "it") -> Errand:
    (reader, writer), (theirs, leash) = os.pipe(), os.pipe()
    os.set_blocking(reader, False)
    process = subprocess.Popen(argv, stdout=writer)
    os.close(writer)
    os.close(theirs)
    return Errand(process, reader, leash, text)


def test_a_command_that_prints_without_end_leaves_time_for_the_keys() -> None:
    one = errand("yes")
    for _ in range(3):
        assert select.select([one.fd], [], [], 30)[0]
        assert one.read()
    assert one.code is None
    one.kill()


def test_a_command_ends_though_something_it_left_holds_its_output_open() -> None:
    one = errand("sh", "-c", "sleep 60 & echo $!")
    while one.code is None:
        select.select([one.fd], [], [], 0.05)
        one.read()
    assert one.brief() == (one.lines[0], "good")
    os.kill(int(one.lines[0]), signal.SIGKILL)


def test_one_line_that_the_footer_has_no_room_for_gets_a_box() -> None:
    one = errand("sh", "-c", "printf '%0300d\\n' 7")
    while one.code is None:
        select.select([one.fd], [], [], 0.05)
        one.read()
    assert (len(one.lines), one.brief()) == (1, None)


@pytest.mark.parametrize(("code", "said"), [(0, ("4 Detection", "good")), (1, None)])
def test_a_chapter_that_the_panels_show_needs_no_box_unless_it_was_refused(code: int, said: object) -> None:
    one = errand("sh", "-c", f"echo 4 Detection; echo words; echo words; exit {code}", text="goto 4")
    while one.code is None:
        select.select([one.fd], [], [], 0.05)
        one.read()
    assert one.brief() == said


def palette(runtime_dir: Path, *options: str, env: dict[str, str] | None = None) -> Terminal:
    argv = [sys.executable, "-m", "operator_clients.viewer", "--endpoint", str(runtime_dir), *options]
    return Terminal(argv, width=80, height=24, env=env)


def test_lines_are_run_and_what_comes_of_them_is_shown(daemon: ScriptedDaemon) -> None:
    daemon.on("faults", lambda _: CATALOGUE)
    daemon.on("goto", lambda args: {"index": args["chapter"], "total": 8, "title": "Stage 3", "narration": ""})
    with palette(daemon.directory) as terminal:
        terminal.until("Stage 2")
        terminal.press(":fualt\r")
        terminal.until("no command 'fualt' (did you mean 'fault'?)")
        terminal.press("\x15faults\t\r")
        # More than two lines get a box of their own, which ESC closes.
        assert "Slow it down." in terminal.until("┏━ :faults")
        terminal.press("\x1b")
        terminal.until(lambda text: "┏━" not in text)
        terminal.press(":restart nobody\r")
        terminal.until("✗ ")
        assert daemon.asked("restart") == [{"name": "nobody"}]
        terminal.press(":q\r")
        assert terminal.ended() == 0
        assert terminal.is_clean()


def test_a_command_that_runs_on_is_seen_as_pending_and_escape_ends_it(daemon: ScriptedDaemon) -> None:
    with palette(daemon.directory) as terminal:
        terminal.until("Stage 2")
        terminal.press(":wait violation.opened --timeout 60\r")
        terminal.until("… wait violation.opened")
        terminal.press("\x1b")
        terminal.until("stopped waiting for: wait violation.opened")
        terminal.press("q")
        assert terminal.ended() == 0


def test_read_only_refuses_keys_and_lines(daemon: ScriptedDaemon) -> None:
    with palette(daemon.directory, "--readonly") as terminal:
        assert "READ-ONLY" in terminal.until("Stage 2")
        for key, command in ((" ", "next"), ("\x1b[D", "previous"), ("r", "recover")):
            terminal.press(key)
            terminal.until(f"! read-only: {command} changes something (start a viewer without --readonly)")
        terminal.press(":next\r")
        terminal.until("✗ read-only: next changes something")
        assert [one for one in daemon.requests if one.cmd != "faults"] == []


def test_what_the_locale_cannot_say_to_a_command_is_refused_in_a_line(daemon: ScriptedDaemon) -> None:
    ascii_only = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with palette(daemon.directory, env=ascii_only) as terminal:
        terminal.until("Stage 2")
        terminal.press(":logs 数")
        terminal.until(": logs 数")
        terminal.press("\r")
        terminal.until("✗ the locale of this terminal has no '数'")
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize("way", ["quit", "terminated", "hung up", "killed"])
def test_no_command_outlives_the_viewer(daemon: ScriptedDaemon, way: str) -> None:
    with palette(daemon.directory) as terminal:
        terminal.until("Stage 2")
        terminal.press(":wait violation.opened --timeout 60\r")
        terminal.until("… wait")
        children = psutil.Process(terminal.process.pid).children(recursive=True)
        assert children
        if way == "quit":
            terminal.press("\x03")
        elif way == "terminated":
            terminal.signal(signal.SIGTERM)
        elif way == "killed":
            terminal.process.kill()
        else:
            terminal.hang_up()
        assert terminal.process.wait(30) == {"quit": 0, "terminated": 143, "hung up": 129, "killed": -9}[way]
        assert not psutil.wait_procs(children, timeout=10)[1]
