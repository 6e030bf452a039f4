"""Keys of a terminal: cbreak mode, and bytes turned into names.

Only the input side of the terminal is touched, and never made non-blocking: standard output is most often the same
open file, and a writer that meets ``EAGAIN`` leaves half a screen (rich#2614).
"""

import contextlib
import errno
import os
import re
import termios
from typing import Any, TypeAlias

from operator_protocol.errors import OperatorError

ESCAPE_DELAY_S = 0.05
"""An escape byte that nothing follows within this time was the key."""
PASTE_DELAY_S = 2.0
"""A paste that goes on no more within this time is over. Over a slow line it comes in pieces, none of them keys."""
_READ_BYTES = 1024
_LFLAG, _IFLAG, _CC = 3, 0, 6
_Mode: TypeAlias = list[Any]
"""What ``termios.tcgetattr`` returns: six integers and a list of control characters."""

_BYTES: dict[int, str] = {
    0x09: "tab",
    0x0A: "enter",
    0x0D: "enter",
    0x20: "space",
    0x7F: "backspace",
    0x08: "backspace",
}
_FINAL: dict[str, str] = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end", "Z": "shift+tab"}
_TILDE: dict[str, str] = {"1": "home", "3": "delete", "4": "end", "5": "pgup", "6": "pgdn", "7": "home", "8": "end"}
_MODIFIER: dict[str, str] = {"2": "shift+", "3": "alt+", "5": "ctrl+"}
_MAX_SEQUENCE = 32
PASTED = "pasted:"
"""What a key begins with that is none: text which somebody pasted."""
_PASTE, _PASTE_END = b"\x1b[200~", b"\x1b[201~"
_MAX_PASTE = 4_096
_STRINGS = (b"P", b"X", b"]", b"^", b"_")
"""What follows an escape where a terminal, not a person, sends text: what it answers to whoever asked it before us."""
_STRING_END = re.compile(rb"\x07|\x1b\\|\x18|\x1a")
_MAX_STRING = 1_024
_MOUSE, _CONSOLE_KEY = b"\x1b[M", b"\x1b[["
"""What begins a click as the oldest terminals tell it (three bytes follow), and F1 to F5 of the Linux console (one)."""


class TerminalGone(OperatorError):
    """Nothing can be read from the terminal any more."""


class Decoder:
    """Bytes of a terminal to names of keys: ``space``, ``left``, ``esc``, ``ctrl+c``, or the character itself."""

    def __init__(self) -> None:
        self._pending = b""
        self._pasted: bytes | None = None
        """What came of a paste that is not over; None outside of one."""

    @property
    def patience_s(self) -> float | None:
        """How long to wait for the rest of a sequence, a character or a paste; None while nothing is begun."""
        if self._pasted is not None:
            return PASTE_DELAY_S
        return ESCAPE_DELAY_S if self._pending else None

    def feed(self, data: bytes) -> list[str]:
        """The keys in ``data``; the beginning of a sequence is kept for the next call."""
        self._pending += data
        keys: list[str] = []
        while self._pending:
            if self._pasted is not None:
                if not self._paste(keys):
                    break
                continue
            if self._pending.startswith(_PASTE):
                self._pending, self._pasted = self._pending[len(_PASTE) :], b""
                continue
            taken, key = _next(self._pending)
            if taken == 0:
                break
            self._pending = self._pending[taken:]
            if key:
                keys.append(key)
        return keys

    def flush(self) -> list[str]:
        """No more came in time: a lone escape is the key, the beginning of anything else is dropped."""
        pending, self._pending = self._pending, b""
        if self._pasted is not None:
            # Its end got lost, which must not make all keys that follow text.
            text, self._pasted = self._pasted + pending, None
            return [_pasted(text)]
        return ["esc"] if pending == b"\x1b" else []

    def _paste(self, keys: list[str]) -> bool:
        """Take in what is pasted; False when more of it has to come."""
        text, end, rest = self._pending.partition(_PASTE_END)
        if not end:
            # The last bytes may be the beginning of its end.
            text, rest = self._pending[: -len(_PASTE_END)], self._pending[-len(_PASTE_END) :]
        self._pasted = ((self._pasted or b"") + text)[:_MAX_PASTE]
        self._pending = rest
        if end:
            keys.append(_pasted(self._pasted))
            self._pasted = None
        return bool(end)


def typed_text(key: str) -> str:
    """The text that a key stands for where text is typed; empty for what is no text."""
    return " " if key == "space" else key if len(key) == 1 and key.isprintable() else ""


def _pasted(text: bytes) -> str:
    return PASTED + text.decode("utf-8", "ignore")


def _next(data: bytes) -> tuple[int, str]:
    """Bytes taken and the key, empty for one without a name; ``(0, "")`` where ``data`` ends in the middle of one."""
    first = data[0]
    if first == 0x1B:
        return _escape(data)
    if first in _BYTES:
        return 1, _BYTES[first]
    if first < 0x20:
        return 1, f"ctrl+{chr(first + 0x60)}" if first else ""
    if first < 0x80:
        return 1, chr(first)
    return _utf8(data)


def _utf8(data: bytes) -> tuple[int, str]:
    length = 2 if data[0] >> 5 == 0b110 else 3 if data[0] >> 4 == 0b1110 else 4 if data[0] >> 3 == 0b11110 else 1
    if len(data) < length:
        return 0, ""
    try:
        return length, data[:length].decode()
    except UnicodeDecodeError:
        return 1, ""


def _escape(data: bytes) -> tuple[int, str]:
    if len(data) == 1:
        return 0, ""
    kind = data[1:2]
    if kind == b"\x1b":
        return 1, "esc"
    if kind in _STRINGS:
        return _string(data)
    if kind == b"O":
        return (0, "") if len(data) < 3 else (3, _FINAL.get(chr(data[2]), "enter" if data[2:3] == b"M" else ""))
    if kind != b"[":
        # Not the beginning of a terminal's answer: over a slow line the escape key and the next one arrive as one.
        return (1, "esc") if kind.isascii() else (2, "")
    for begin, length in ((_MOUSE, 6), (_CONSOLE_KEY, 4)):
        if data.startswith(begin):
            return (length, "") if len(data) >= length else (0, "")
    for end in range(2, min(len(data), _MAX_SEQUENCE)):
        if 0x40 <= data[end] <= 0x7E:
            return end + 1, _sequence(data[2:end].decode("ascii", "replace"), chr(data[end]))
    return (len(data), "") if len(data) >= _MAX_SEQUENCE else (0, "")


def _string(data: bytes) -> tuple[int, str]:
    """All of it up to its end: a colour that a terminal tells has an ``r`` in it, which would recover."""
    if end := _STRING_END.search(data, 2):
        return end.end(), ""
    return (len(data), "") if len(data) >= _MAX_STRING else (0, "")


def _sequence(parameters: str, final: str) -> str:
    first, _, modifier = parameters.partition(";")
    name = _TILDE.get(first, "") if final == "~" else _FINAL.get(final, "")
    return _MODIFIER.get(modifier, "") + name if name else ""


def _set_mode(fd: int, mode: _Mode) -> None:
    """Set it at once: the other ways wait for the output to be drained, which a stuck terminal never does.

    A process in the background is stopped here (SIGTTOU) and interrupted when it is continued.
    """
    while True:
        try:
            return termios.tcsetattr(fd, termios.TCSANOW, mode)
        except termios.error as error:
            if error.args[0] != errno.EINTR:
                raise


def _key_by_key(mode: _Mode) -> _Mode:
    mode[_LFLAG] &= ~(termios.ICANON | termios.ECHO)
    mode[_IFLAG] &= ~termios.IXON
    mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
    return mode


class Keyboard:
    """The input side of a terminal."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._decoder = Decoder()
        self._saved: _Mode | None = None

    def enter(self) -> None:
        """Keys one by one and without echo; signals stay, Ctrl+S does not (it would freeze the stage).

        Raises ``TerminalGone``.
        """
        try:
            mode = termios.tcgetattr(self.fd)
            if self._saved is None:
                self._saved = termios.tcgetattr(self.fd)
            _set_mode(self.fd, _key_by_key(mode))
        except (termios.error, OSError) as error:
            raise TerminalGone("the terminal is gone") from error

    def leave(self) -> None:
        """Give the terminal its mode back; may be called at any time and more than once."""
        saved, self._saved = self._saved, None
        if saved is not None:
            with contextlib.suppress(termios.error, OSError):
                _set_mode(self.fd, saved)

    @property
    def patience_s(self) -> float | None:
        """How long to wait before ``flush`` while more bytes, or their absence, decide what a key was; else None."""
        return self._decoder.patience_s

    def read(self) -> list[str]:
        """The keys that were pressed; call it when ``fd`` is readable. Raises ``TerminalGone`` at its end."""
        try:
            data = os.read(self.fd, _READ_BYTES)
        except OSError as error:
            raise TerminalGone("the terminal is gone") from error
        if not data:
            raise TerminalGone("the terminal is gone")
        return self._decoder.feed(data)

    def flush(self) -> list[str]:
        """Call it when nothing came for ``patience_s``."""
        return self._decoder.flush()
