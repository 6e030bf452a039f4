"""The whole picture from what is known: pure, the same for every terminal of a size."""

from collections.abc import Callable

from rich.console import Group, RenderableType

from operator_clients.viewer import bars
from operator_clients.viewer.canvas import Canvas, Pen, Picture
from operator_clients.viewer.keymap import KEYMAP, REPLAY_KEYMAP
from operator_clients.viewer.layout import MIN_HEIGHT, PanelName, Rect, Size, arrange, too_small
from operator_clients.viewer.panels import agent, cluster, monitor, narration, workload
from operator_clients.viewer.session import Shell
from operator_clients.viewer.view import View

PANELS: dict[PanelName, Callable[[View, Size], RenderableType]] = {
    "narration": narration.render,
    "cluster": cluster.render,
    "workload": workload.render,
    "monitor": monitor.render,
    "agent": agent.render,
}


def compose(view: View, shell: Shell, size: Size, pen: Pen) -> Picture:
    """Everything that is to be seen at ``size``."""
    canvas = Canvas(size, pen)
    everything = Rect(0, 0, size.width, size.height)
    if too_small(size):
        canvas.place(everything, Group(*bars.too_small(size)))
    elif not shell.joined:
        canvas.place(everything, Group(*bars.waiting(shell, size)))
    else:
        _dashboard(canvas, view, shell)
    return canvas.picture


def _dashboard(canvas: Canvas, view: View, shell: Shell) -> None:
    tall = canvas.size.height > MIN_HEIGHT
    layout = arrange(canvas.size, bars.footer_lines(shell, tall=tall))
    canvas.place(layout.header, bars.header(view, shell, layout.header.width))
    for name, rect in layout.panels.items():
        canvas.place(rect, PANELS[name](view, Size(rect.width, rect.height)))
    footer = bars.footer(shell, canvas.size.width, tall=tall)
    canvas.place(Rect(0, canvas.size.height - len(footer), canvas.size.width, len(footer)), Group(*footer))
    if shell.help_open:
        box, room = bars.help_box(REPLAY_KEYMAP if shell.tape else KEYMAP, shell.console)
        x, y = (canvas.size.width - room.width) // 2, (canvas.size.height - room.height) // 2
        canvas.place(Rect(x, y, room.width, room.height), box)
