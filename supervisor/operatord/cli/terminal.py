"""What the terminal in which this runs can show: its size, its colours, its characters and how wide they are."""

import contextlib
import curses
import locale
import os
import re
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping

from operatord.cli.findings import Finding

MIN_WIDTH, MIN_HEIGHT = 80, 24
GOOD_WIDTH, GOOD_HEIGHT = 120, 36
_MIN_COLOURS = 16
_ANSWER_S = 1.0
_GLYPHS: Mapping[str, int] = {
    **dict.fromkeys("●○✓✗▶►◄◆◇★…—·‖→←↻", 1),
    **dict.fromkeys("━─│┄╌┊▁▂▃▄▅▆▇█▀■▰▱⠋⠹⠼", 1),
    **dict.fromkeys("世界", 2),
}
"""What the viewer draws with, and how many cells it reckons each to take; the last two are what a name may hold."""
_POSITION = re.compile(rb"\x1b\[\d+;(\d+)R")


def examine_terminal(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Every finding about standard output, which is to be the terminal of the show."""
    if not sys.stdout.isatty():
        hint = "run it in the terminal of the show, not through a pipe"
        yield Finding("terminal", "warning", "standard output is no terminal, so it was not looked at", hint)
        return
    yield _size(os.get_terminal_size(sys.stdout.fileno()))
    if frozen := [name for name in ("COLUMNS", "LINES") if environ.get(name)]:
        told = f"{' and '.join(frozen)} set: the picture keeps that size when the window changes"
        yield Finding("size fixed", "warning", told, f"unset {' '.join(frozen)}")
    yield colours(environ)
    yield characters(environ, sys.stdout.encoding)
    yield _widths()


def _size(size: os.terminal_size) -> Finding:
    told = f"{size.columns} x {size.lines}"
    if size.columns < MIN_WIDTH or size.lines < MIN_HEIGHT:
        hint = f"a larger window, or a smaller font: the viewer needs {MIN_WIDTH} x {MIN_HEIGHT}"
        return Finding("size", "failed", told, hint)
    if size.columns < GOOD_WIDTH or size.lines < GOOD_HEIGHT:
        return Finding("size", "ok", f"{told}; from {GOOD_WIDTH} x {GOOD_HEIGHT} on there is more to see")
    return Finding("size", "ok", told)


def colours(environ: Mapping[str, str]) -> Finding:
    """How many, as far as the terminal's description knows."""
    term = environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        hint = "a terminal with cursor control; without one the viewer prints lines"
        return Finding("colours", "failed", f"TERM is {term or 'not set'}", hint)
    if environ.get("NO_COLOR"):
        return Finding("colours", "warning", "NO_COLOR is set: everything is shown without", "unset NO_COLOR")
    if environ.get("COLORTERM", "").casefold() in ("truecolor", "24bit"):
        return Finding("colours", "ok", f"{term}, 16 million")
    try:
        curses.setupterm(term, sys.__stdout__.fileno() if sys.__stdout__ else 1)
        count = curses.tigetnum("colors")
    except curses.error:
        hint = "install its terminfo entry (ncurses-term), or set TERM=xterm-256color"
        return Finding("colours", "warning", f"{term} is not described on this host", hint)
    if count < _MIN_COLOURS:
        hint = "set TERM=xterm-256color if the terminal can do it; all is shown by glyph and word, too"
        return Finding("colours", "warning", f"{term}, {max(0, count)}", hint)
    return Finding("colours", "ok", f"{term}, {count}")


def characters(environ: Mapping[str, str], encoding: str) -> Finding:
    """Whether what is written is UTF-8, and the terminal was told so."""
    name = next((key for key in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(key)), "")
    chosen = environ.get(name, "")
    if encoding.casefold().replace("-", "") != "utf8":
        told = f"{encoding} is written, {locale.getlocale()[0] or 'no locale'}"
        return Finding("characters", "failed", told, "export LC_ALL=C.UTF-8, and start the terminal anew")
    if chosen and "utf" not in chosen.casefold():
        told = f"UTF-8 is written, but {name}={chosen}"
        return Finding("characters", "warning", told, "export LC_ALL=C.UTF-8")
    return Finding("characters", "ok", f"UTF-8{f' ({name}={chosen})' if chosen else ''}")


def _widths() -> Finding:
    """Draw each character, and ask the terminal where its cursor is then."""
    if not sys.stdin.isatty():
        return Finding("widths", "warning", "standard input is no terminal, so it could not be asked", _LOOK)
    with _unbuffered(sys.stdin.fileno()):
        found = {glyph: _width(glyph) for glyph in _GLYPHS} if _width("x") == 1 else {}
        os.write(sys.stdout.fileno(), b"\r\x1b[K")
    if not found or None in found.values():
        return Finding("widths", "warning", "the terminal does not tell where its cursor is", _LOOK)
    wrong = [
        f"{glyph} takes {width}, not {_GLYPHS[glyph]}" for glyph, width in found.items() if width != _GLYPHS[glyph]
    ]
    if wrong:
        told = ", ".join(wrong[:5]) + (f" (and {len(wrong) - 5} more)" if len(wrong) > 5 else "")
        hint = "another font, or the terminal's setting for ambiguous width: narrow; or the picture is torn"
        return Finding("widths", "failed", told, hint)
    return Finding("widths", "ok", f"{len(found)} glyphs take the cells that the viewer reckons with")


_LOOK = "look for yourself that these stand in line: |●|✗|━|▆|⠋|世|"


def _width(glyph: str) -> int | None:
    """Cells that ``glyph`` takes; None when nothing answers."""
    os.write(sys.stdout.fileno(), f"\r{glyph}\x1b[6n".encode())
    said, until = b"", time.monotonic() + _ANSWER_S
    while (left_s := until - time.monotonic()) > 0:
        if not select.select([sys.stdin], [], [], left_s)[0]:
            break
        said += os.read(sys.stdin.fileno(), 64)
        if found := _POSITION.search(said):
            return int(found[1]) - 1
    return None


@contextlib.contextmanager
def _unbuffered(fd: int) -> Iterator[None]:
    """Answers come at once and are not shown; as it was afterwards, without what was typed meanwhile."""
    sys.stdout.flush()
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSAFLUSH, before)
