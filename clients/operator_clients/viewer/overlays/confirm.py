"""One question before something is done: what it is, what it risks, and the key that does it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from operator_clients.viewer.interaction import SCROLLING, Extent, Scroll
from operator_clients.viewer.keymap import Action, Binding, binding_of, keys_label
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.box import SCROLL_KEYS
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.panels.paper import FRAME_HEIGHT, boxed, inner, line, paragraph
from operator_clients.viewer.theme import BAD, DIM, GOOD, INFO, STRONG, WARN, Look
from operator_clients.viewer.view import View
from operator_protocol.events import Outcome
from operator_protocol.models import Risk
from operator_protocol.state import State

RISKS: Final[Mapping[Risk, Look]] = {
    "read": Look("·", INFO, "it only looks"),
    "safe": Look("✓", GOOD, "safe: it takes nothing away"),
    "disruptive": Look("!", WARN, "disruptive: something is taken away while it lasts"),
    "destructive": Look("✗", BAD, "destructive: what it takes away does not come back"),
}
_YES: Final[Mapping[Risk, tuple[str, ...]]] = {
    "read": ("y", "enter"),
    "safe": ("y", "enter"),
    "disruptive": ("y",),
    "destructive": ("Y",),
}
"""What is riskier than safe is not confirmed by the key that opened the question, pressed twice."""
_WIDTH = 72
_SCROLL_KEYS = tuple(one._replace(in_footer=False) for one in SCROLL_KEYS)


class Confirm(Overlay):
    """Sends ``cmd`` when it is said yes to, and nothing otherwise."""

    def __init__(
        self,
        title: str,
        said: Callable[[int], list[Text]],
        *,
        risk: Risk,
        yes: str,
        cmd: str,
        args: Mapping[str, Any],
        everything: bool = False,
        instead: Callable[[State], str] = lambda _: "",
    ) -> None:
        """``said`` gives the lines for a width, ``yes`` says in a few words what the key does.

        With ``everything`` the overlays below are closed too. ``instead`` says why there is nothing to be confirmed any
        more, empty as long as there is.
        """
        self.title = title
        self.keymap = (Binding(Action.CONFIRM, _YES[risk], yes, f"Yes: {yes}", cmd), *_SCROLL_KEYS, CLOSE_KEY)
        self._said = said
        self._risk = risk
        self._yes = yes
        self._cmd = cmd
        self._args = args
        self._everything = everything
        self._instead = instead
        self._over = ""
        self._scroll = Scroll()
        self._extent = Extent()

    def see(self, state: State) -> None:
        """Notice when there is nothing to be confirmed any more."""
        self._over = self._instead(state)

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Do it, or scroll."""
        binding = binding_of(key, self.keymap)
        if binding is not None and binding.action is Action.CONFIRM:
            if self._over:
                return Closed()
            return Closed(everything=sent(ask, self._cmd, self._args) and self._everything)
        if binding is not None and binding.action in SCROLLING:
            self._scroll = self._scroll.moved(binding.action, self._extent, follows=False)
        return None

    def size(self, view: View, screen: Size) -> Size:
        """As high as what it says."""
        width = min(_WIDTH, screen.width)
        said = self._lines(inner(Size(width, 0)).width)
        height = min(len(said) + 2 + FRAME_HEIGHT, screen.height)
        self._extent = Extent(len(said), height - 2 - FRAME_HEIGHT)
        return Size(width, height)

    def draw(self, view: View, size: Size) -> RenderableType:
        """What would be done, and the key, which is always to be seen."""
        room = inner(size)
        said = self._lines(room.width)
        extent = Extent(len(said), max(0, room.height - 2))
        first = self._scroll.within(extent)
        shown = said[first : first + extent.room]
        below = extent.total - first - extent.room
        look = RISKS[self._risk]
        return boxed(
            line((self.title, STRONG)),
            [*shown, line(""), self._question(view)],
            size,
            border=f"{STRONG} {look.style}",
            subtitle=line((f"▼ {below} below", INFO)) if below > 0 else None,
            heavy=True,
        )

    def _lines(self, width: int) -> list[Text]:
        look = RISKS[self._risk]
        risk = paragraph(f"{look.glyph} {look.word}", width, f"{STRONG} {look.style}")
        return [*risk, *self._said(width)]

    def _question(self, view: View) -> Text:
        if self._over:
            return line((f"{self._over}: any yes does nothing; ", WARN), ("ESC", f"{STRONG} {INFO}"), (" back", DIM))
        if view.inert:
            return line((f"{view.inert}: nothing is done; ", WARN), ("ESC", f"{STRONG} {INFO}"), " back")
        key = keys_label(self.keymap[0])
        return line((key, f"{STRONG} {INFO}"), f" {self._yes}   ", ("ESC", f"{STRONG} {INFO}"), " does nothing")


def sent(ask: Ask, cmd: str, args: Mapping[str, Any]) -> bool:
    """Ask for it; False if the viewer itself refuses it, so that what was filled in is not lost with it."""
    refusals: list[Outcome] = []
    ask(cmd, args, refusals.append)
    return not refusals
