"""What an overlay is: a box over the panels that takes the keys until it is closed.

An overlay never waits and never draws by itself: ``press`` may send a command through ``ask``, whose outcome comes back
later, and ``draw`` is pure. Steps of a task are overlays on top of one another, so that ESC always goes one step back.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

from rich.console import RenderableType

from operator_clients.viewer.keymap import Action, Binding
from operator_clients.viewer.layout import Size
from operator_clients.viewer.view import View
from operator_protocol.events import Outcome
from operator_protocol.state import State

Then: TypeAlias = Callable[[Outcome], None]
Ask: TypeAlias = Callable[[str, Mapping[str, Any], Then], None]
"""Sends a command without waiting; ``Then`` runs in the viewer's loop with what it came to, refusals by the viewer
itself (read-only, no daemon) included: those come before ``Ask`` returns. Errors also become the footer's notice."""


class Closed:
    """What ``press`` returns to be taken away; with ``everything``, those below it too: the task is done."""

    def __init__(self, *, everything: bool = False) -> None:
        self.everything = everything


CLOSE_KEY: Final = Binding(Action.CLOSE, ("esc",), "back", "Go back one step")
"""For the keymap of an overlay. The key itself is handled by the viewer, unless ``wants_escape``."""


class Overlay(Protocol):
    """Subclass it: everything but ``title``, ``keymap``, ``press``, ``size`` and ``draw`` has a default."""

    title: str
    keymap: tuple[Binding, ...] = ()
    """Shown in the footer while this is on top, and in the ``?`` list. ``binding_of(key, self.keymap)`` finds the
    action of a key; the list must not bind ESC to anything but ``Action.CLOSE``."""
    wants_text: bool = False
    """While true, printable keys and the space are text for ``type``, and so ``?`` and ``q`` are."""
    wants_escape: bool = False
    """While true, ESC comes to ``press``, which has a step of its own to go back."""

    def press(self, key: str, ask: Ask, mono: float) -> "Overlay | Closed | None":
        """Do what ``key`` is bound to. None: stay; ``Closed()``: go; an overlay: put it on top."""

    def type(self, text: str) -> None:
        """Take in a printable character."""
        return

    def see(self, state: State) -> None:
        """Follow the live state; called before each picture and before each key."""
        return

    def tick(self, mono: float) -> bool:
        """Called in the viewer's loop several times a second; true if the picture has changed by itself."""
        return False

    def closed(self) -> None:
        """Let go of what is held (a child process); called once, however it ends."""
        return

    def size(self, view: View, screen: Size) -> Size:
        """The room it wants, borders included; it gets no more than ``screen``."""

    def draw(self, view: View, size: Size) -> RenderableType:
        """A box of exactly ``size``. Pure. ``view.readonly`` says that nothing may be changed from here."""
