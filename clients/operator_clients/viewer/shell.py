"""What is drawn around the panels: where the viewer is joined to, how that stands, notices, pending commands."""

from collections.abc import Sequence
from typing import NamedTuple

from operator_clients.console_address import NO_CONSOLE, ConsoleAddress
from operator_clients.viewer.interaction import Interaction
from operator_clients.viewer.overlays.overlay import Overlay
from operator_clients.viewer.theme import Tone
from operator_protocol.endpoint import Endpoint, default_runtime_dir
from operator_protocol.events import Status
from operator_protocol.journal_index import Mark


class Notice(NamedTuple):
    """One line of the footer, for some seconds."""

    text: str
    tone: Tone
    until: float
    """Local monotonic time."""


class Tape(NamedTuple):
    """Where a replay stands."""

    position_s: float
    duration_s: float
    speed: float
    paused: bool
    ended: bool
    wall: float
    """What the clock showed when this was recorded."""
    marks: Sequence[Mark] = ()
    label: str = ""
    """What it is, in the words of whoever recorded it."""


class Shell(NamedTuple):
    """What is drawn around the panels."""

    endpoint: str
    start_command: str
    joined: bool
    """False until the first snapshot."""
    status: Status
    age_s: float
    """Seconds since the last frame."""
    resynced: str = ""
    """Why, as long as it is worth saying."""
    notice: Notice | None = None
    pending: tuple[str, ...] = ()
    """Commands that have no outcome yet."""
    tape: Tape | None = None
    """Set when this is a replay."""
    console: ConsoleAddress = NO_CONSOLE
    """Where the web console of this daemon is, if it has one."""
    ui: Interaction = Interaction()
    overlays: tuple[Overlay, ...] = ()
    """From the bottom; the last one has the keys."""
    readonly: bool = False


def start_command(endpoint: Endpoint) -> str:
    """The command that starts a daemon at this endpoint; over TCP, on that host."""
    if endpoint.curve is not None:
        return "operatord start"
    default = endpoint.label == str(default_runtime_dir().absolute())
    return "operatord start" if default else f"operatord start --runtime-dir {endpoint.label}"
