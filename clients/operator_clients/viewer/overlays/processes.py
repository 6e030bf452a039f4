"""The supervised processes: state, restarts, processor, memory; what ended them; and the restart of one."""

from collections.abc import Callable, Mapping
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from operator_clients.format import age, byte_size, clean, duration
from operator_clients.viewer.keymap import Action, Binding, binding_of
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.confirm import Confirm
from operator_clients.viewer.overlays.lists import LIST_KEYS, POINTER, Cursor, around, pointed
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.panels.paper import FRAME_HEIGHT, boxed, hanging, inner, line, paragraph, shortened
from operator_clients.viewer.theme import BAD, DIM, INFO, PROCESS, RESTARTED, STRONG, WARN, signal_name
from operator_clients.viewer.view import View
from operator_protocol.models import ProcessState, Risk
from operator_protocol.state import State

_DETAIL_LINES = 6
_LAST_LINES = 4
_MOST_WIDTH = 110
_NOTHING = line(("the daemon has told of no process yet", DIM))
_ORDER: Final[Mapping[str, int]] = {"worker": 0, "client": 1, "declared": 2, "tool": 3, "server": 4}
"""Ours first, then the servers of the subject; the daemon's own helpers are last."""
_SORTS: Final[Mapping[str, Callable[[ProcessState], tuple[object, ...]]]] = {
    "kind": lambda one: (_ORDER.get(one.kind, len(_ORDER)), one.name),
    "CPU": lambda one: (-(one.cpu_percent or 0.0), one.name),
    "memory": lambda one: (-(one.rss or 0), one.name),
    "restarts": lambda one: (-one.restarts, one.name),
}


class ProcessesOverlay(Overlay):
    """A table that follows the live state; below it all that is known of the process that is chosen."""

    title = "Processes"
    keymap = (
        Binding(
            Action.RESTART, ("r",), "restart", "Restart the process; it says first what that takes away", "restart"
        ),
        Binding(Action.SORT, ("s",), "sort", "Sort by kind, CPU, memory, restarts"),
        *LIST_KEYS,
        CLOSE_KEY,
    )

    def __init__(self) -> None:
        self._cursor: Cursor[str] = Cursor()
        self._sort = "kind"
        self._processes: list[ProcessState] = []

    def see(self, state: State) -> None:
        """Take over what there is now."""
        self._processes = sorted(state.processes.values(), key=_SORTS[self._sort])

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Move, sort, or ask whether to restart the one that is chosen."""
        binding = binding_of(key, self.keymap)
        if binding is None or self._cursor.move(binding.action, self._names):
            return None
        if binding.action is Action.SORT:
            names = list(_SORTS)
            self._sort = names[(names.index(self._sort) + 1) % len(names)]
            self._processes.sort(key=_SORTS[self._sort])
        elif binding.action is Action.RESTART and (chosen := self._chosen) is not None:
            return _restart(chosen)
        return None

    def size(self, view: View, screen: Size) -> Size:
        """As many rows as there are processes, if they fit."""
        wanted = len(self._processes) + 3 + _DETAIL_LINES + FRAME_HEIGHT
        return Size(min(screen.width - 2, _MOST_WIDTH), min(wanted, screen.height))

    def draw(self, view: View, size: Size) -> RenderableType:
        """The table, and below it the details."""
        room = inner(size)
        place = self._cursor.place(self._names)
        rows = [
            pointed(_row(view, one, room.width), chosen=number == place) for number, one in enumerate(self._processes)
        ]
        detail = self._details(room.width)
        shown, where = around(rows, place, room.height - 2 - len(detail))
        return boxed(
            line((f"{self.title} by {self._sort}", STRONG)),
            [_header(room.width), *(shown or [_NOTHING]), line(("─" * room.width, DIM)), *detail],
            size,
            border=INFO,
            subtitle=line((where, DIM)) if where else None,
            heavy=True,
        )

    def _details(self, width: int) -> list[Text]:
        """Always as many lines, so that the table does not jump."""
        lines = _about(self._chosen, width) if self._chosen is not None else []
        lines = shortened(lines, Size(width, _DETAIL_LINES))
        return [*lines, *[line("")] * (_DETAIL_LINES - len(lines))]

    @property
    def _names(self) -> list[str]:
        return [one.name for one in self._processes]

    @property
    def _chosen(self) -> ProcessState | None:
        return self._processes[self._cursor.place(self._names)] if self._processes else None


def _columns(width: int) -> tuple[int, int]:
    """Of the name, and of what stands behind the figures."""
    name = max(14, min(28, width - 58))
    return name, max(0, width - name - 55)


def _header(width: int) -> Text:
    name, _ = _columns(width)
    blank = " " * len(POINTER)
    columns = f"{blank}{'NAME':<{name}} {'STATE':<12}{'KIND':<9}{'PID':>8}{'RESTARTS':>9}{'CPU':>6}{'MEMORY':>10}"
    return line((columns, DIM))


def _row(view: View, process: ProcessState, width: int) -> Text:
    look = PROCESS[process.state]
    name, rest = _columns(width)
    cpu = "-" if process.cpu_percent is None else f"{process.cpu_percent:.0f} %"
    rss = "-" if process.rss is None else byte_size(process.rss)
    restarts = f"{RESTARTED}{process.restarts}" if process.restarts else "0"
    text = line(
        f"{clean(process.name)[:name]:<{name}} ",
        (f"{look.glyph} {look.word:<10}", look.style),
        f"{process.kind:<9}{process.pid if process.pid is not None else '-':>8}",
        (f"{restarts:>9}", f"{STRONG} {WARN}" if process.restarts else ""),
        f"{cpu:>6}{rss:>10}",
    )
    if rest > 12 and process.since_at:
        text.append(f"  for {age(view.now - process.since_at)}", style=DIM)
    return text


def _about(process: ProcessState, width: int) -> list[Text]:
    """What the table has no column for."""
    counted = ((process.threads, "thread"), (process.descriptors, "open file"))
    figures = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in counted if count is not None]
    ended = ""
    if process.signal is not None:
        ended = f"last ended by {signal_name(process.signal)}"
    elif process.exit_code is not None:
        ended = f"last ended with code {process.exit_code}"
    told = ", ".join(part for part in (*figures, ended) if part)
    lines = [line((process.name, STRONG), f" is {PROCESS[process.state].word}", (f"   {told}", DIM))]
    if process.next_start_in is not None:
        lines.append(line((f"started again in {duration(process.next_start_in)}", WARN)))
    if process.reason:
        lines.extend(hanging(line(("why ", DIM)), clean(process.reason), width))
    if process.last_lines:
        lines.append(line(("the last it said:", DIM)))
        lines.extend(line(("  ", ""), (text, BAD)) for text in process.last_lines[-_LAST_LINES:])
    return lines


def _restart(process: ProcessState) -> Confirm:
    """What a restart takes away depends on what it is and whether it runs."""
    name = clean(process.name)
    runs = process.pid is not None
    risk: Risk = "disruptive" if runs and process.kind != "worker" else "safe"
    if process.kind == "server" and runs:
        told = f"{name} is a server of the cluster. It is stopped and started again on its data; until it is back and "
        told += "in sync its clients go elsewhere, or wait."
    elif process.kind == "server":
        told = f"{name} is a server of the cluster that does not run. It is started on its data; a fault that holds it "
        told += "down is over with that."
    elif process.kind == "worker":
        told = f"{name} is a worker of the daemon. It is ended and started again. What it does (the load, the watch, "
        told += "the diagnosis) pauses until then; the cluster is left alone."
    elif process.kind == "tool":
        told = f"{name} does the work of a fault. The daemon refuses to restart it; recover the fault instead (r)."
    elif process.kind == "internal":
        told = f"{name} belongs to the daemon, which refuses to restart it: when it ends it is started again by itself."
    elif runs:
        told = f"{name} is ended (its stop signal, then KILL) and started again; who uses it has to wait."
    else:
        told = f"{name} does not run. It is started."
    pid = process.pid

    def said(width: int) -> list[Text]:
        now = f"now {PROCESS[process.state].word}" + (f", pid {pid}" if pid is not None else "")
        return [line(""), *paragraph(told, width), line((now, DIM))]

    return Confirm(
        f"Restart {name}?",
        said,
        risk=risk,
        yes=f"restarts {name}",
        cmd="restart",
        args={"name": process.name},
        instead=lambda state: "" if process.name in state.processes else f"{name} is gone",
    )
