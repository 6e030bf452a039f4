"""What a person has turned on: the focus, the zoom, where a panel is scrolled to, its filter. Values and pure moves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from rich.text import Text

from operator_clients.viewer.keymap import Action, Binding
from operator_clients.viewer.keys import typed_text
from operator_clients.viewer.layout import PanelName, Zoom
from operator_clients.viewer.matching import complaint, matches

ORDER: Final[tuple[PanelName, ...]] = ("narration", "cluster", "workload", "monitor", "agent")
"""``1`` to ``5``, and what TAB goes through."""
LOGS: Final[frozenset[PanelName]] = frozenset({"monitor", "agent"})
"""Panels whose newest line is the last: they follow it until they are scrolled up."""
_ZOOMS: Final[tuple[Zoom, ...]] = ("normal", "half", "full")
_STEPS: Final = {Action.FOCUS_NEXT: 1, Action.FOCUS_PREVIOUS: -1}
_SIZES: Final = {Action.BIGGER: 1, Action.SMALLER: -1}
_FILTER_CHARS: Final = 80
SCROLLING: Final = frozenset(
    {Action.UP, Action.DOWN, Action.PAGE_UP, Action.PAGE_DOWN, Action.TOP, Action.BOTTOM},
)


class Extent(NamedTuple):
    """How many lines there are, and how many are seen at once."""

    total: int = 0
    room: int = 0

    @property
    def last(self) -> int:
        """The largest offset that leaves no room empty."""
        return max(0, self.total - self.room)


class Scroll(NamedTuple):
    """Where a list of lines is looked at."""

    offset: int = 0
    """The first line that is seen; what it is while ``following`` does not matter."""
    following: bool = False
    """True while the newest, last line is to be seen whatever comes."""

    def within(self, extent: Extent) -> int:
        """The first line that is seen."""
        return extent.last if self.following else max(0, min(self.offset, extent.last))

    def moved(self, action: Action, extent: Extent, *, follows: bool) -> "Scroll":
        """Scrolled by one of ``SCROLLING``. At its end a list that ``follows`` does so again."""
        now = self.within(extent)
        page = max(1, extent.room - 1)
        target = {
            Action.UP: now - 1,
            Action.DOWN: now + 1,
            Action.PAGE_UP: now - page,
            Action.PAGE_DOWN: now + page,
            Action.TOP: 0,
            Action.BOTTOM: extent.last,
        }[action]
        offset = max(0, min(target, extent.last))
        forward = action in (Action.DOWN, Action.PAGE_DOWN, Action.BOTTOM)
        return Scroll(offset, follows and offset == extent.last and (forward or extent.last == 0))


class Filter(NamedTuple):
    """A regular expression that lines must match, whatever their case; with ``!`` before it, must not match."""

    text: str = ""

    @property
    def error(self) -> str:
        """Why it is not used as a regular expression; it is then looked for as it stands."""
        return complaint(self._pattern)

    def of(self, lines: Iterable[Text]) -> list[Text]:
        """The lines that remain."""
        everything = list(lines)
        if not self._pattern:
            return everything
        wanted = not self.text.startswith("!")
        found = matches(self._pattern, [one.plain for one in everything])
        return [one for one, matching in zip(everything, found, strict=True) if matching is wanted]

    @property
    def _pattern(self) -> str:
        return self.text.removeprefix("!")


class Pane(NamedTuple):
    """How one panel is looked at when it has the focus."""

    scroll: Scroll = Scroll()
    filter: Filter = Filter()


def fresh_pane(panel: PanelName) -> Pane:
    """As a panel is looked at first: a log at its end."""
    return Pane(Scroll(following=panel in LOGS))


@dataclass(frozen=True, slots=True)
class Interaction:
    """The focus and what depends on it. Every move returns another value."""

    focus: PanelName | None = None
    zoom: Zoom = "normal"
    panes: dict[PanelName, Pane] = field(default_factory=lambda: {name: fresh_pane(name) for name in ORDER})
    filtering: bool = False
    """True while the filter is typed."""
    last_focus: PanelName = "narration"
    """Where a key goes that needs a focus when there is none."""

    @property
    def pane(self) -> Pane:
        """How the focused panel is looked at."""
        return self.panes[self.focus or self.last_focus]

    def pressed(self, action: Action, key: str, extent: Extent) -> "Interaction | None":
        """What ``action`` makes of it; None for one that is not about the look."""
        if action in SCROLLING:
            return self.scrolled(action, extent)
        if action is Action.FOCUS:
            return self.focused(ORDER[int(key) - 1])
        if action in _STEPS:
            return self.cycled(_STEPS[action])
        if action in _SIZES:
            return self.zoomed(_SIZES[action])
        return self.filter_begun() if action is Action.FILTER else None

    def filter_pressed(self, key: str, binding: Binding | None, extent: Extent) -> "Interaction":
        """A key while the filter is typed; arrows and pages scroll what it leaves."""
        text = self.pane.filter.text
        if key == "enter":
            return self.filter_done()
        if key == "esc" or (key == "backspace" and not text):
            return self.back()
        if key in ("backspace", "ctrl+u"):
            return self.filter_typed(text[:-1] if key == "backspace" else "")
        if typed := typed_text(key):
            return self.filter_typed((text + typed)[:_FILTER_CHARS])
        return self.scrolled(binding.action, extent) if binding and binding.action in SCROLLING else self

    def focused(self, panel: PanelName) -> "Interaction":
        """``panel`` has the focus; the one that has it keeps its zoom."""
        return replace(self, focus=panel, last_focus=panel, filtering=False)

    def cycled(self, step: int) -> "Interaction":
        """The next or the one before has the focus; from none, the first or the last."""
        if self.focus is None:
            return self.focused(ORDER[0 if step > 0 else -1])
        return self.focused(ORDER[(ORDER.index(self.focus) + step) % len(ORDER)])

    def zoomed(self, step: int) -> "Interaction":
        """One size bigger or smaller, within the three there are."""
        place = _ZOOMS.index(self.zoom) + step
        return replace(self._with_focus(), zoom=_ZOOMS[max(0, min(place, len(_ZOOMS) - 1))])

    def scrolled(self, action: Action, extent: Extent) -> "Interaction":
        """The focused panel scrolled; without a focus that panel gets it first, and nothing moves."""
        if self.focus is None:
            return self._with_focus()
        scroll = self.pane.scroll.moved(action, extent, follows=self.focus in LOGS)
        return self._with_pane(self.pane._replace(scroll=scroll))

    def filter_begun(self) -> "Interaction":
        """The filter of the focused panel is being typed."""
        return replace(self._with_focus(), filtering=True)

    def filter_typed(self, text: str) -> "Interaction":
        """Another filter: what is seen begins where a fresh look does."""
        fresh = fresh_pane(self.focus or self.last_focus)
        return self._with_pane(fresh._replace(filter=Filter(text)))

    def filter_done(self) -> "Interaction":
        """The filter stands."""
        return replace(self, filtering=False)

    def back(self) -> "Interaction":
        """One step back: the filter, the zoom, the focus. The same value when there is nothing to go back from."""
        if self.filtering or (self.focus and self.pane.filter.text):
            return replace(self.filter_typed(""), filtering=False)
        if self.zoom != "normal":
            return replace(self, zoom="normal")
        return replace(self, focus=None) if self.focus else self

    def _with_focus(self) -> "Interaction":
        return self if self.focus else self.focused(self.last_focus)

    def _with_pane(self, pane: Pane) -> "Interaction":
        return replace(self, panes=self.panes | {self.focus or self.last_focus: pane})


def seen(lines: Sequence[Text], pane: Pane, room: int) -> tuple[list[Text], Extent]:
    """The lines of ``pane`` that are seen in ``room`` rows, and of how many."""
    left = pane.filter.of(lines)
    extent = Extent(len(left), max(0, room))
    first = pane.scroll.within(extent)
    return left[first : first + extent.room], extent
