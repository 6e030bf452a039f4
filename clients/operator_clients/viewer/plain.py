"""Line output for pipes, dumb terminals and screen readers: one line for each event worth reading."""

import contextlib
import os
import select
import signal
import stat
import sys
import time

from operator_clients.format import clean, number, time_of_day
from operator_clients.viewer.chronicle import LogLine, about, progress
from operator_clients.viewer.session import Session
from operator_clients.viewer.shell import start_command
from operator_clients.viewer.signals import ENDING, Interrupted, Signals
from operator_protocol.events import Event, Joined, Resynced, StatusChanged

NOTICE_AFTER_S = 0.5


class Plain:
    """The viewer without a screen. It ends with its reader, its writer (where standard input can end), or a signal."""

    def __init__(self, session: Session, signals: Signals, *, stdin: int, stdout: int) -> None:
        self._session = session
        self._signals = signals
        self._stdout = stdout
        self._inputs = [*session.follower.fds(), signals.fileno()]
        self._stdin = stdin
        if _is_stream(stdin) or os.isatty(stdin):
            self._inputs.append(stdin)
        # Asked for nothing, a pipe still tells that its reader has gone, even while there is nothing to write.
        self._reader = select.poll()
        if _is_stream(stdout):
            self._reader.register(stdout, 0)

    def run(self) -> int:
        """Print until the end. Returns the exit code."""
        try:
            return self._loop()
        except Interrupted as interruption:
            return 128 + interruption.signum
        except BrokenPipeError:
            return 0
        except OSError as error:
            print(f"operator-viewer: cannot write: {error.strerror}", file=sys.stderr)
            return 1

    def _loop(self) -> int:
        notice_at = time.monotonic() + NOTICE_AFTER_S
        for line in self._session.preface():
            self._say(line)
        more = True
        while True:
            ready, _, _ = select.select(self._inputs, [], [], 0 if more else self._session.patience_s)
            for signum in self._signals.take():
                if signum in ENDING:
                    return 128 + signum
                if signum == signal.SIGTSTP:
                    self._signals.stop_here()
            if self._reader.poll(0) or (self._stdin in ready and self._input_ended()):
                return 0
            events = self._session.follower.poll(0)
            more = bool(events)
            self._tell(events)
            if (ending := self._session.ending()) is not None:
                self._say(ending)
                return 0
            if time.monotonic() >= notice_at:
                notice_at = float("inf")
                if self._session.follower.status == "joining":
                    self._say(self._waiting())

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            for line in self._session.observe([event], time.monotonic(), time.time()):
                self._say(line)
            if isinstance(event, Joined | Resynced):
                for line in self._situation():
                    self._say(line)
            elif isinstance(event, StatusChanged) and event.status == "lost":
                self._say(self._waiting())

    def _situation(self) -> list[LogLine]:
        """What a reader must know who comes in the middle."""
        state = self._session.follower.state
        _, now = self._session.view_time(time.monotonic(), time.time())
        lines = []
        if state.cluster is not None:
            up = sum(node.state == "up" for node in state.nodes.values())
            word = {True: "healthy", False: "not healthy", None: "not known"}[state.cluster.ok]
            reason = f": {state.cluster.reason}" if state.cluster.reason else ""
            text = f"{state.cluster.subject} is {word}, {up} of {len(state.nodes)} nodes up{reason}"
            lines.append(LogLine(now, "node", "info", clean(text)))
        if state.workload:
            lines.append(LogLine(now, "workload", "info", f"load: {number(state.workload[-1].ops_per_sec)} ops/s"))
        if state.demo is not None:
            text = f"{progress(state.demo)} {state.demo.title}: {state.demo.narration}"
            lines.append(LogLine(now, "chapter", "info", clean(text)))
        for violation in state.violations.values():
            text = f"still broken: {about(violation.invariant, violation.node)}: {violation.message}"
            lines.append(LogLine(now, "violation", "bad", clean(text)))
        return lines

    def _say(self, line: LogLine) -> None:
        encoding = sys.stdout.encoding if sys.stdout is not None else "utf-8"
        left = f"{time_of_day(line.at)} {line.kind:<9} {line.text}\n".encode(encoding, "replace")
        while left:
            with self._signals.breakable():
                left = left[os.write(self._stdout, left) :]

    def _input_ended(self) -> bool:
        """True when whoever holds the other end of standard input has closed it (Ctrl+D in a terminal)."""
        if os.isatty(self._stdin) and os.tcgetpgrp(self._stdin) != os.getpgrp():
            # In the background, where reading would stop the process.
            self._inputs.remove(self._stdin)
            return False
        with contextlib.suppress(OSError):
            return not os.read(self._stdin, 4096)
        return True

    def _waiting(self) -> LogLine:
        endpoint = self._session.follower.endpoint
        text = f"waiting for a daemon at {endpoint.label}; start one with: {start_command(endpoint)}"
        return LogLine(time.time(), "link", "info", clean(text))


def _is_stream(fd: int) -> bool:
    """A pipe or a socket has another end that can close; /dev/null and files mean nothing by being at their end."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
