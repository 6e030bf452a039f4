"""What most would write: Rich's ``Live(screen=True)`` with the panels of the viewer, four pictures a second as it does.

``python -m tests.bench.plain_live DIRECTORY``: the peer of the viewer's benchmark. What follows the bus, the story and
the panels are the viewer's own; what is measured is the way to the screen. ``1`` to ``5`` show that they were
pressed.
"""

import os
import select
import sys
import threading
import time
import tty
from pathlib import Path

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.text import Text

from operator_clients.viewer import bars
from operator_clients.viewer.compose import PANELS
from operator_clients.viewer.layout import PanelName, Size, arrange
from operator_clients.viewer.session import Session
from operator_clients.viewer.view import View
from operator_protocol.endpoint import resolve_endpoint
from operator_protocol.follow import Follower

_WAIT_S = 0.05


class Picture:
    """Rendered anew at each refresh."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.pressed = ""
        self.still = threading.Lock()
        """Held while what is drawn changes: ``Live`` refreshes in a thread of its own."""

    def __call__(self) -> RenderableType:
        with self.still:
            return self._whole()

    def _whole(self) -> RenderableType:
        now = time.monotonic()
        session, size = self._session, Size(*os.get_terminal_size(1))
        view = View(session.follower.state, session.story, time.time(), now)
        places = arrange(size).panels

        def panel(name: PanelName) -> Layout:
            rect = places[name]
            return Layout(PANELS[name](view, Size(rect.width, rect.height)), size=rect.width)

        def row(height: int, *names: PanelName) -> Layout:
            layout = Layout(size=height)
            layout.split_row(*(panel(name) for name in names))
            return layout

        shell = session.shell(now)
        whole = Layout()
        whole.split_column(
            Layout(Text.assemble(f"[{self.pressed}/5] ", bars.header(view, shell, size.width - 6)), size=1),
            row(places["narration"].height, "narration"),
            row(places["cluster"].height, "cluster", "workload"),
            row(places["agent"].height, "monitor", "agent"),
            Layout(Group(*bars.footer(shell, size.width)), size=1),
        )
        return whole


def main(directory: Path) -> None:
    """Run until ``q``."""
    tty.setcbreak(0)
    with Follower(resolve_endpoint(str(directory))) as follower:
        session = Session(follower)
        picture = Picture(session)
        with Live(get_renderable=picture, screen=True) as live:
            inputs = [*follower.fds(), 0]
            while True:
                ready, _, _ = select.select(inputs, [], [], _WAIT_S)
                with picture.still:
                    while events := follower.poll(0):
                        session.observe(events, time.monotonic(), time.time())
                if 0 not in ready:
                    continue
                keys = os.read(0, 64)
                if b"q" in keys:
                    return
                picture.pressed = keys[-1:].decode("ascii", "replace")
                live.refresh()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
