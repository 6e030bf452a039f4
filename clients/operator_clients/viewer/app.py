"""The loop between a bus, a keyboard and a screen."""

import select
import signal
import time
from typing import Final

from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.compose import draw
from operator_clients.viewer.keys import Keyboard, TerminalGone
from operator_clients.viewer.screen import Screen
from operator_clients.viewer.session import Session
from operator_clients.viewer.signals import Interrupted, Signals
from operator_clients.viewer.view import View
from operator_protocol.events import Event, FrameSeen
from operator_protocol.topics import HEARTBEAT

FRAME_S: Final = 1 / 8
"""Least time between two pictures, whatever the bus does."""
KEY_FRAME_S: Final = 1 / 40
"""The same after a key or a resize: whoever pressed it is waiting."""
FIRST_PICTURE_S: Final = 0.2
"""How long the first picture waits for the first snapshot before it says that there is none."""
_TICK_S: Final = 1.0
_MOVING_TICK_S: Final = 0.25


class App:
    """The viewer on a terminal."""

    def __init__(
        self,
        session: Session,
        screen: Screen,
        keyboard: Keyboard,
        signals: Signals,
        *,
        animate: bool,
        notes: bool = False,
    ) -> None:
        self._session = session
        self._screen = screen
        self._keyboard = keyboard
        self._signals = signals
        self._animate = animate
        self._notes = notes
        self._pen = Pen()
        self._exit_code: int | None = None
        self._changed = True
        self._urgent = False
        self._more_on_bus = True
        self._drawn_at = float("-inf")
        self._tick_at = 0.0
        self._escape_at = float("inf")
        self._started_at = time.monotonic()

    def run(self) -> int:
        """Show and obey until told to leave; the terminal is then as it was. Returns the exit code."""
        try:
            self._keyboard.enter()
            self._screen.enter()
            return self._loop()
        except Interrupted as interruption:
            return _exit_code(interruption.signum)
        except TerminalGone:
            return _exit_code(signal.SIGHUP)
        finally:
            self._screen.leave()
            self._keyboard.leave()
            self._session.close()

    def _loop(self) -> int:
        inputs = [*self._session.follower.fds(), self._keyboard.fd, self._signals.fileno()]
        while True:
            outputs = [self._screen.out] if self._screen.behind else []
            patience_s = self._patience_s(time.monotonic())
            ready, _, _ = select.select([*inputs, *self._session.fds()], outputs, [], patience_s)
            now = time.monotonic()
            self._take_signals()
            self._take_keys(now, readable=self._keyboard.fd in ready)
            self._take_events(now)
            self._changed = self._session.tick(now) or self._changed
            if self._exit_code is not None:
                return self._exit_code
            if self._session.finished:
                return 0
            if now >= self._tick_at:
                self._changed = True
                self._tick_at = now + (_MOVING_TICK_S if self._session.moving(now) else _TICK_S)
            self._screen.catch_up()
            if self._draw_at() <= now:
                self._draw()

    def _patience_s(self, now: float) -> float:
        if self._more_on_bus:
            return 0.0
        return max(0.0, min(now + self._session.patience_s, self._tick_at, self._escape_at, self._draw_at()) - now)

    def _draw_at(self) -> float:
        if not self._changed or self._screen.behind:
            return float("inf")
        if self._drawn_at == float("-inf") and self._session.follower.status == "joining":
            return self._started_at + FIRST_PICTURE_S
        return self._drawn_at + (KEY_FRAME_S if self._urgent else FRAME_S)

    def _draw(self) -> None:
        now = time.monotonic()
        self._changed = self._urgent = False
        self._drawn_at = now
        session = self._session
        shell = session.shell(now)
        mono, wall = session.view_time(now, time.time())
        view = View(
            session.follower.state,
            session.story,
            wall,
            mono,
            self._animate,
            recorded=shell.tape is not None,
            focus=session.ui.focus,
            zoom=session.ui.zoom,
            readonly=session.readonly,
            notes=self._notes,
            started=self._started_at,
        )
        drawn = draw(view, shell, self._screen.size(), self._pen)
        session.extent = drawn.extent
        self._screen.show(drawn.picture)

    def _take_events(self, now: float) -> None:
        events = self._session.follower.poll(0)
        self._more_on_bus = bool(events)
        if events:
            self._session.observe(events, now, time.time())
            self._changed = self._changed or any(_shows(event) for event in events)

    def _take_keys(self, now: float, *, readable: bool) -> None:
        if readable:
            keys = self._keyboard.read()
            patience_s = self._keyboard.patience_s
            self._escape_at = float("inf") if patience_s is None else now + patience_s
        elif now >= self._escape_at:
            keys = self._keyboard.flush()
            self._escape_at = float("inf")
        else:
            return
        for key in keys:
            self._press(key, now)

    def _press(self, key: str, now: float) -> None:
        self._session.press(key, now)
        self._changed = self._urgent = True
        # A command was sent: the descriptors of ZeroMQ tell of what comes next only to those who look at once.
        self._more_on_bus = True

    def _take_signals(self) -> None:
        for signum in self._signals.take():
            if self._exit_code is not None:
                # A terminal that hangs up sends SIGCONT after SIGHUP; there is nothing left to take over.
                return
            if signum == signal.SIGINT:
                self._press("ctrl+c", time.monotonic())
            elif signum in (signal.SIGTERM, signal.SIGHUP):
                self._exit_code = _exit_code(signum)
            elif signum == signal.SIGTSTP:
                self._suspend()
            elif signum == signal.SIGCONT:
                self._take_over()
            else:
                self._changed = self._urgent = True

    def _suspend(self) -> None:
        self._screen.leave()
        self._keyboard.leave()
        self._signals.stop_here()
        self._take_over()

    def _take_over(self) -> None:
        self._keyboard.enter()
        self._screen.enter()
        self._changed = self._urgent = True


def _shows(event: Event) -> bool:
    """False for what no panel draws: heartbeats and captured output."""
    return not isinstance(event, FrameSeen) or not (
        event.frame.topic == HEARTBEAT or event.frame.topic.endswith(".log")
    )


def _exit_code(signum: int) -> int:
    """0 for Ctrl+C, which is a key like ``q``; what a shell shows for any other signal."""
    return 0 if signum == signal.SIGINT else 128 + signum
