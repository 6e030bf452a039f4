"""The palette: ``:`` and a line of ``operatorctl``, completed from its own table and from what is there."""

from rich.console import RenderableType
from rich.text import Text

from operator_clients.viewer.commandline import Kind, Offer, common, kinds_of, leaves, offers, usage, words_of
from operator_clients.viewer.keymap import Action, Binding, binding_of
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.openers import Opening
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.panels.paper import FRAME_HEIGHT, boxed, fit, inner, line, typed
from operator_clients.viewer.theme import BAD, DIM, INFO, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.errors import OperatorError
from operator_protocol.events import Outcome
from operator_protocol.state import State

MOST_CHARS = 400
_ROWS = 12
_WIDTH = 100


class Palette(Overlay):
    """One line; it stays as long as it cannot be run."""

    title = "Command"
    wants_text = True
    keymap = (
        Binding(Action.CHOOSE, ("enter",), "run", "Run the line; on a chosen word, take that first"),
        Binding(Action.COMPLETE, ("tab",), "complete", "Complete the word as far as it is clear, or choose one"),
        Binding(Action.UP, ("up",), "choose", "Choose among the words that fit"),
        Binding(Action.DOWN, ("down",), "choose", "Choose among the words that fit", in_footer=False),
        Binding(Action.DELETE, ("backspace", "ctrl+w", "ctrl+u"), "delete", "One character, one word, all of it"),
        CLOSE_KEY,
    )

    def __init__(self, opening: Opening) -> None:
        self.text = ""
        self.error = ""
        self._run = opening.run
        self._quit = opening.quit
        self._readonly = opening.readonly
        self._kinds: list[Kind] = []
        self._state = State()
        self._chosen = ""
        """The word; what fits changes with the state while one chooses."""
        opening.look("faults", {}, self._know_kinds)

    def see(self, state: State) -> None:
        """Names of nodes, tickets and processes come from here."""
        self._state = state

    def type(self, text: str) -> None:
        """Write on."""
        self._write((self.text + text)[:MOST_CHARS])

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Complete, choose, delete, run."""
        binding = binding_of(key, self.keymap)
        if binding is None:
            return None
        if binding.action is Action.CHOOSE:
            return self._enter()
        if binding.action is Action.COMPLETE:
            self._complete()
        elif binding.action in (Action.UP, Action.DOWN):
            self._choose(1 if binding.action is Action.DOWN else -1)
        elif key == "backspace" and not self.text:
            return Closed()
        elif binding.action is Action.DELETE:
            self._write({"backspace": self.text[:-1], "ctrl+u": ""}.get(key, self._before_last_word()))
        return None

    def size(self, view: View, screen: Size) -> Size:
        """The same whatever is typed, so that nothing jumps."""
        return Size(min(_WIDTH, screen.width - 2), min(_ROWS + 4 + FRAME_HEIGHT, screen.height))

    def draw(self, view: View, size: Size) -> RenderableType:
        """The line, what fits, and what the command takes or what is wrong with it."""
        room = inner(size)
        lines = [typed(": ", self.text, room.width), line("")]
        rows = max(1, room.height - 4)
        found = self._offers()
        words = [one.word for one in found]
        first = max(0, words.index(self._chosen) - rows + 2) if self._chosen in words else 0
        listed = [self._row(one) for one in found][first:]
        lines += fit(listed, rows)
        lines += [line("")] * (room.height - 1 - len(lines))
        if self.error:
            lines.append(line((f"✗ {self.error}", f"{STRONG} {BAD}")))
        else:
            lines.append(line((usage(self.text), DIM)))
        title = line((self.title, STRONG), ("  read-only" if self._readonly else "", WARN))
        return boxed(title, lines, size, border=INFO, heavy=True)

    def _row(self, offer: Offer) -> Text:
        chosen = offer.word == self._chosen
        glyph, style = ("▸ ", f"{STRONG} {INFO}") if chosen else ("  ", INFO)
        return line((glyph, style), (f"{offer.word:<14}", style), (f" {offer.about}", "" if chosen else DIM))

    def _offers(self) -> list[Offer]:
        return offers(self.text, self._state, self._kinds)

    def _enter(self) -> Closed | None:
        if self._chosen:
            self._take(self._chosen)
            return None
        if leaves(self.text):
            self._quit()
            return Closed()
        try:
            words = words_of(self.text, readonly=self._readonly)
        except OperatorError as error:
            self.error = str(error)
            return None
        if words:
            self._run(words, self.text.strip())
        return Closed()

    def _complete(self) -> None:
        found = [one.word for one in self._offers()]
        typed = self.text[len(self._before_last_word(keep_spaces=True)) :]
        if self._chosen or len(found) == 1:
            self._take(self._chosen or found[0])
        elif len(shared := common(found)) > len(typed):
            self._write(self.text[: len(self.text) - len(typed)] + shared)
        elif found:
            self._choose(1)

    def _take(self, word: str) -> None:
        self._write(self._before_last_word(keep_spaces=True) + word + ("" if word.endswith("=") else " "))

    def _choose(self, step: int) -> None:
        words = list(dict.fromkeys(one.word for one in self._offers()))
        if words:
            place = words.index(self._chosen) + step if self._chosen in words else 0 if step > 0 else -1
            self._chosen = words[place % len(words)]

    def _before_last_word(self, *, keep_spaces: bool = False) -> str:
        text = self.text if keep_spaces else self.text.rstrip()
        return text[: max(text.rfind(" "), text.rfind("\t")) + 1]

    def _write(self, text: str) -> None:
        self.text, self.error, self._chosen = text, "", ""

    def _know_kinds(self, outcome: Outcome) -> None:
        if outcome.result is not None:
            self._kinds = kinds_of(outcome.result)
