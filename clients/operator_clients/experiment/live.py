"""What a person sees while an experiment runs: a line for each thing done, and on a terminal the figures of now."""

import os
from typing import TextIO

from operator_clients.ctl.output import Paint, clean, shorten

_CLEAR = "\r\x1b[K"
_WORD_WIDTH = 11
_COLUMNS = 80
"""Of a terminal that does not say."""
_STYLES = {"failed": "red", "refused": "red", "timed_out": "red", "cut_short": "yellow"}


class Live:
    """Writes to one stream, standard error; never fails because nobody reads it."""

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._tty = not quiet and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._paint = Paint(enabled=self._tty and not os.environ.get("NO_COLOR"))
        self._status = ""

    @property
    def is_tty(self) -> bool:
        """Whether figures of now are of use."""
        return self._tty

    def line(self, at_s: float, word: str, text: str, style: str = "") -> None:
        """Something was done."""
        head = f"{at_s:7.2f} s  "
        told = word.replace("_", " ").ljust(_WORD_WIDTH)
        style = style or _STYLES.get(word, "")
        self._write(f"{head}{self._paint(style, told) if style else told} {clean(text)}\n")

    def plain(self, text: str) -> None:
        """A line without a time."""
        self._write(f"{clean(text)}\n")

    def drawing(self, text: str) -> None:
        """A line of characters that are drawn, as it is."""
        self._write(f"  {text}\n")

    def status(self, text: str) -> None:
        """What is so now; replaces what was said before. Terminals only."""
        if not self._tty or text == self._status:
            return
        self._status = text
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS
        except OSError:
            columns = _COLUMNS
        self._emit(_CLEAR + self._paint("dim", shorten(clean(text), max(columns - 1, 20))))

    def _write(self, text: str) -> None:
        if self._quiet:
            return
        if self._status:
            self._status = ""
            text = _CLEAR + text
        self._emit(text)

    def end(self) -> None:
        """Leave the line of figures."""
        if self._status:
            self._status = ""
            self._emit(_CLEAR)

    def _emit(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # A terminal that was closed must not keep us from recovering.
            self._quiet, self._tty, self._status = True, False, ""
