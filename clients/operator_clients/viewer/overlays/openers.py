"""Which key opens which overlay. Each is imported when it is opened: the first picture does not wait for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from operator_clients.console_address import ConsoleAddress
from operator_clients.viewer.keymap import Action, Binding
from operator_clients.viewer.overlays.overlay import Ask, Overlay


class Opening(NamedTuple):
    """What an overlay may need to know or use from the start."""

    keymap: tuple[Binding, ...]
    """That of the session."""
    above: tuple[str, tuple[Binding, ...]] | None
    """Title and keys of the overlay that it goes on top of."""
    console: ConsoleAddress
    """Where the web console is, if there is one."""
    readonly: bool
    ask: Ask
    look: Ask
    """The same for what only completes the picture: neither it nor its failure is told of in the footer."""
    run: Callable[[Sequence[str], str], None]
    """Runs ``operatorctl`` with these words; the text is what to call it."""
    quit: Callable[[], None]


def _keys(opening: Opening) -> Overlay:
    from operator_clients.viewer.overlays.keys import KeysOverlay

    return KeysOverlay(opening.keymap, above=opening.above, console=opening.console, readonly=opening.readonly)


def _palette(opening: Opening) -> Overlay:
    from operator_clients.viewer.overlays.palette import Palette

    return Palette(opening)


def _faults(opening: Opening) -> Overlay:
    from operator_clients.viewer.overlays.faults import FaultMenu

    return FaultMenu(opening.look)


def _tickets(opening: Opening) -> Overlay:
    from operator_clients.viewer.overlays.tickets import TicketsOverlay

    return TicketsOverlay(opening.look)


def _processes(opening: Opening) -> Overlay:
    del opening
    from operator_clients.viewer.overlays.processes import ProcessesOverlay

    return ProcessesOverlay()


OPENERS: Final[Mapping[Action, Callable[[Opening], Overlay]]] = {
    Action.FAULT: _faults,
    Action.TICKETS: _tickets,
    Action.PROCESSES: _processes,
    Action.HELP: _keys,
    Action.PALETTE: _palette,
}
