"""The overlays that are open, from the bottom; the last one has the keys."""

from operator_clients.viewer.keymap import Action, binding_of
from operator_clients.viewer.keys import typed_text
from operator_clients.viewer.overlays.openers import OPENERS, Opening
from operator_clients.viewer.overlays.overlay import Closed, Overlay
from operator_protocol.state import State


class Stack(list[Overlay]):
    """Puts overlays on top of one another, hands them keys, and takes them away."""

    def put(self, overlay: Overlay, state: State) -> None:
        """Open one on top."""
        overlay.see(state)
        self.append(overlay)

    def drop(self) -> None:
        """Close the one on top."""
        self.pop().closed()

    def drop_all(self) -> None:
        """Close every one."""
        while self:
            self.drop()

    def see(self, state: State) -> tuple[Overlay, ...]:
        """Have all of them follow ``state``; returns them, to be drawn."""
        for overlay in self:
            overlay.see(state)
        return tuple(self)

    def tick(self, mono: float) -> bool:
        """True if one of them has changed by itself."""
        changed = [overlay.tick(mono) for overlay in self]
        return any(changed)

    def press(self, key: str, state: State, opening: Opening, mono: float) -> None:
        """Hand ``key`` to the one on top, but for what is the same in all of them."""
        top = self[-1]
        top.see(state)
        bound = binding_of(key, top.keymap) is not None
        if top.wants_text and (text := typed_text(key)):
            top.type(text)
        elif key == "esc" and not top.wants_escape:
            self.drop()
        elif key == "q" and not bound:
            opening.quit()
        elif key == "?" and not bound:
            self.put(OPENERS[Action.HELP](opening), state)
        else:
            answer = top.press(key, opening.ask, mono)
            if isinstance(answer, Closed):
                while self and (answer.everything or self[-1] is top):
                    self.drop()
            elif answer is not None:
                self.put(answer, state)
