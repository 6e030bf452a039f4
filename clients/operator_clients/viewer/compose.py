"""The whole picture from what is known: pure, the same for every terminal of a size."""

from collections.abc import Callable
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from operator_clients.viewer import bars
from operator_clients.viewer.canvas import Canvas, Pen, Picture
from operator_clients.viewer.interaction import LOGS, ORDER, Extent, Interaction, seen
from operator_clients.viewer.layout import MIN_HEIGHT, PanelName, Rect, Size, arrange, too_small
from operator_clients.viewer.panels import agent, cluster, monitor, narration, notes, workload
from operator_clients.viewer.panels.paper import boxed, inner, line, paragraph
from operator_clients.viewer.shell import Shell
from operator_clients.viewer.theme import DIM, INFO, STRONG, WARN
from operator_clients.viewer.view import View

PANELS: dict[PanelName, Callable[[View, Size], RenderableType]] = {
    "narration": narration.render,
    "cluster": cluster.render,
    "workload": workload.render,
    "monitor": monitor.render,
    "agent": agent.render,
}
DETAILS: dict[PanelName, Callable[[View, int], list[Text]]] = {
    "narration": narration.detail,
    "cluster": cluster.detail,
    "workload": workload.detail,
    "monitor": monitor.detail,
    "agent": agent.detail,
}


class Drawn(NamedTuple):
    """A picture, and what the next key must know of it."""

    picture: Picture
    extent: Extent = Extent()
    """Of the focused panel."""


def compose(view: View, shell: Shell, size: Size, pen: Pen) -> Picture:
    """Everything that is to be seen at ``size``."""
    return draw(view, shell, size, pen).picture


def draw(view: View, shell: Shell, size: Size, pen: Pen) -> Drawn:
    """The same, with how far the focused panel can be scrolled."""
    canvas = Canvas(size, pen)
    everything = Rect(0, 0, size.width, size.height)
    if too_small(size):
        canvas.place(everything, Group(*bars.too_small(size)))
    elif not shell.joined and not shell.overlays:
        canvas.place(everything, Group(*bars.waiting(shell, size)))
    else:
        return Drawn(canvas.picture, _dashboard(canvas, view, shell))
    return Drawn(canvas.picture)


def _dashboard(canvas: Canvas, view: View, shell: Shell) -> Extent:
    tall = canvas.size.height > MIN_HEIGHT
    footer_lines = bars.footer_lines(shell, tall=tall)
    layout = arrange(canvas.size, footer_lines, view.focus, view.zoom, notes=view.notes)
    extent = Extent()
    if shell.joined:
        canvas.place(layout.header, bars.header(view, shell, layout.header.width))
        for name, rect in layout.panels.items():
            room = Size(rect.width, rect.height)
            if name == view.focus:
                box, extent = _focused(view, shell.ui, name, room)
                canvas.place(rect, box)
            else:
                render = notes.render if view.notes and name == "narration" else PANELS[name]
                canvas.place(rect, render(view, room))
    else:
        canvas.place(Rect(0, 0, canvas.size.width, canvas.size.height), Group(*bars.waiting(shell, canvas.size)))
    below = Size(canvas.size.width, canvas.size.height - 1 - footer_lines)
    for overlay in shell.overlays:
        wanted = overlay.size(view, below)
        room = Size(min(wanted.width, below.width), min(wanted.height, below.height))
        x, y = (below.width - room.width) // 2, 1 + (below.height - room.height) // 2
        canvas.place(Rect(x, y, room.width, room.height), overlay.draw(view, room))
    footer = bars.footer(shell, canvas.size.width, tall=tall)
    canvas.place(Rect(0, canvas.size.height - len(footer), canvas.size.width, len(footer)), Group(*footer))
    return extent


def _focused(view: View, ui: Interaction, name: PanelName, size: Size) -> tuple[RenderableType, Extent]:
    """A panel with all it knows, line by line; where one is in it stands below."""
    room = inner(size)
    detail = notes.detail if view.notes and name == "narration" else DETAILS[name]
    lines = detail(view, room.width)
    pane = ui.pane
    shown, extent = seen(lines, pane, room.height)
    title = line((name.capitalize(), STRONG), (f" [{ORDER.index(name) + 1}/{len(ORDER)}]", DIM))
    if pane.filter.text:
        title.append_text(line((f"  /{pane.filter.text}", WARN), (f" {extent.total} of {len(lines)}", DIM)))
        if not shown:
            shown = paragraph("no line matches; ESC shows all of them", room.width, DIM)[: room.height]
    below = extent.total - pane.scroll.within(extent) - extent.room
    if name in LOGS and not pane.scroll.following and (below > 0 or extent.total > extent.room):
        place = line((f"‖ paused, {max(0, below)} below, G follows", f"{STRONG} {WARN}"))
    elif below > 0:
        place = line((f"▼ {below} below", INFO))
    else:
        place = line(("▼ following", DIM)) if name in LOGS else line(("end", DIM))
    return boxed(title, shown, size, border=f"{STRONG} {INFO}", subtitle=place, heavy=True), extent
