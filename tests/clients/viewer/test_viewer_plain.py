"""Lines instead of panels: pipes, dumb terminals, ``--plain``."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from tests.clients.scripted import ScriptedDaemon
from tests.clients.viewer import scenes
from tests.clients.viewer.conftest import stage_two
from tests.clients.viewer.terminal import Terminal

from operator_clients.viewer.signals import Interrupted, Signals

COMMAND = (sys.executable, "-m", "operator_clients.viewer")


class Piped:
    """A viewer whose output goes into a pipe."""

    def __init__(self, *options: str, stdin: int = subprocess.DEVNULL, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *options],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})},
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout
        os.set_blocking(self._out.fileno(), False)
        self.text = ""

    def until(self, wanted: str, deadline_s: float = 30.0) -> str:
        """Wait until ``wanted`` was printed; returns everything so far."""
        give_up_at = time.monotonic() + deadline_s
        while wanted not in self.text:
            assert time.monotonic() < give_up_at, f"{wanted!r} was not printed:\n{self.text}"
            if select.select([self._out], [], [], 0.1)[0]:
                data = os.read(self._out.fileno(), 65536)
                assert data, f"it ended without {wanted!r}:\n{self.text}"
                self.text += data.decode()
        return self.text

    def hang_up(self) -> None:
        """Close the reading end."""
        self._out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self._out.close()


@pytest.fixture
def piped(daemon: ScriptedDaemon) -> Iterator[Piped]:
    with Piped("--endpoint", str(daemon.directory)) as running:
        running.until("Stage 2")
        yield running


def test_a_pipe_gets_lines_without_escape_sequences(daemon: ScriptedDaemon, piped: Piped) -> None:
    daemon.publish("fault.injected", scenes.fault(injected_at=time.time()))
    daemon.publish("violation.opened", scenes.violation(at=time.time()))
    daemon.publish("cluster.health", scenes.cluster(1))
    text = piped.until("valkey-1 up → down")
    assert "\x1b" not in text
    assert "DETECTED node_down valkey-1" in text
    for line in text.splitlines():
        assert re.match(r"\d\d:\d\d:\d\d [a-z]+ +\S", line), line


def test_who_joins_in_the_middle_is_told_how_things_stand(piped: Piped) -> None:
    assert "joined operatord 0.1.0" in piped.text
    assert "valkey is healthy, 6 of 6 nodes up" in piped.text
    assert "load: 2,000 ops/s" in piped.text
    assert "[3/8] Stage 2: Load Generation: YCSB workload A" in piped.text


def test_a_reader_that_goes_away_ends_it_without_a_word(piped: Piped) -> None:
    piped.hang_up()
    assert piped.process.wait(30) == 0


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_without_a_traceback(piped: Piped, signum: int, code: int) -> None:
    piped.process.send_signal(signum)
    assert piped.process.wait(30) == code
    assert "Traceback" not in piped.text + (piped.process.stdout.read() or b"").decode()  # type: ignore[union-attr]


def test_a_signal_that_came_before_a_write_does_not_wait_for_it() -> None:
    with Signals((signal.SIGTERM, signal.SIGWINCH)) as signals:
        os.kill(os.getpid(), signal.SIGWINCH)
        with signals.breakable():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted) as caught, signals.breakable():
            pytest.fail("it would block here")
        assert caught.value.signum == signal.SIGTERM
        assert signals.take() == [signal.SIGWINCH, signal.SIGTERM]
        # It is over: the next one is queued again.
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.take() == [signal.SIGTERM]


def test_standard_input_that_ends_ends_it_if_it_is_a_pipe(daemon: ScriptedDaemon) -> None:
    with Piped("--endpoint", str(daemon.directory), stdin=subprocess.PIPE) as running:
        running.until("Stage 2")
        assert running.process.poll() is None
        assert running.process.stdin is not None
        running.process.stdin.close()
        assert running.process.wait(30) == 0


def test_a_reader_that_is_slow_does_not_keep_it_from_ending(daemon: ScriptedDaemon, piped: Piped) -> None:
    for number in range(60):
        daemon.publish("agent.step", {"ticket": number, "kind": "thought", "text": "x" * 4000})
    time.sleep(0.5)
    piped.process.send_signal(signal.SIGTERM)
    assert piped.process.wait(30) == 143


def test_it_waits_for_a_daemon_and_follows_the_next_one(runtime_dir: Path) -> None:
    with Piped("--endpoint", str(runtime_dir)) as running:
        running.until(f"waiting for a daemon at {runtime_dir}; start one with: operatord start --runtime-dir")
        with ScriptedDaemon(runtime_dir) as first:
            stage_two(first)
            running.until("Stage 2")
        running.until("connection to the daemon lost")
        with ScriptedDaemon(runtime_dir) as second:
            stage_two(second)
            running.until("resynchronised: the daemon restarted")


@pytest.mark.parametrize(("options", "term"), [([], "dumb"), (["--plain"], "xterm-256color")])
def test_a_terminal_can_have_lines_too(daemon: ScriptedDaemon, options: list[str], term: str) -> None:
    argv = [*COMMAND, "--endpoint", str(daemon.directory), *options]
    with Terminal(argv, width=80, height=24, env={"TERM": term}) as terminal:
        terminal.until("Stage 2")
        assert b"\x1b" not in terminal.received
        assert terminal.modes() == terminal.modes_before
        terminal.press("\x04")
        assert terminal.ended() == 0


def test_output_that_cannot_be_written_is_one_line(daemon: ScriptedDaemon) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "--endpoint", str(daemon.directory)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "operator-viewer: cannot write: No space left on device\n")


def test_closed_standard_output_is_nobody_who_reads_not_a_socket_of_ours(daemon: ScriptedDaemon) -> None:
    argv = ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "--plain", "--endpoint", str(daemon.directory)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        daemon.wait_joined()
        # The second descriptor is no pipe of the bus.
        assert Path(f"/proc/{process.pid}/fd/1").readlink() == Path("/dev/null")
        process.terminate()
        assert process.wait(30) == 143


def test_an_endpoint_that_cannot_be_is_one_line_and_a_usage_error() -> None:
    done = subprocess.run([*COMMAND, "--endpoint", "/x" * 60], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("operator-viewer: the socket path")
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_option_is_a_usage_error() -> None:
    done = subprocess.run([*COMMAND, "--colour"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
