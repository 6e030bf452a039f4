"""The pictures that the viewer would show of a recording, at any time, without a terminal and without waiting."""

import os
from typing import Final

from operator_clients.viewer.canvas import Pen, Picture
from operator_clients.viewer.compose import compose
from operator_clients.viewer.layout import Size
from operator_clients.viewer.replaying import ReplaySession
from operator_clients.viewer.view import View
from operator_protocol.recording import Recording
from operator_protocol.replay import Replay

LEAD_S: Final = 600.0
"""So much before the first picture is played as well: what is shown depends on what came before, as it does live."""
_STEP_S = 0.25
_TO_BE_SURE_S = 1e-6
"""Sums of seconds are not exact, and what happened at a moment belongs to it."""


class Camera:
    """A viewer that looks at a recording when it is told to. Time only goes forward."""

    def __init__(self, recording: Recording, size: Size, *, start_s: float, speed: float, animate: bool) -> None:
        self._now = 0.0
        self._size = size
        self._animate = animate
        self._replay = Replay(recording, speed=speed, at_s=max(0.0, start_s - LEAD_S), clock=lambda: self._now)
        self._session = ReplaySession(self._replay, self._now)
        self._pen = pen()
        self.see(start_s)

    def see(self, at_s: float) -> None:
        """Play on up to that second of the recording."""
        replay, at_s = self._replay, at_s + _TO_BE_SURE_S
        while True:
            while events := replay.poll(0):
                self._session.observe(events, self._now, replay.wall)
            if replay.ended or replay.position_s >= at_s:
                return
            self._now += min(_STEP_S, max(_TO_BE_SURE_S, at_s - replay.position_s)) / replay.speed

    def picture(self) -> Picture:
        """What is on the screen now."""
        session = self._session
        mono, wall = session.view_time(self._now, 0.0)
        view = View(self._replay.state, session.story, wall, mono, self._animate, recorded=True)
        return compose(view, session.shell(self._now), self._size, self._pen)


def pen() -> Pen:
    """One that draws the same wherever it is: only the wish for no colours is taken from the environment."""
    wished = {name: value for name, value in os.environ.items() if name == "NO_COLOR"}
    return Pen({"TERM": "xterm-256color", **wished})
