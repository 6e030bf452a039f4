"""The sixteen colours of a terminal, for pictures that are shown where no terminal chooses them."""

from functools import cache
from typing import NamedTuple

from rich.ansi import AnsiDecoder
from rich.color import Color, blend_rgb
from rich.style import Style
from rich.terminal_theme import TerminalTheme

PAPER = (0x12, 0x16, 0x1C)
INK = (0xD5, 0xDB, 0xE3)
NORMAL = [
    (0x2B, 0x33, 0x3F), (0xFF, 0x7D, 0x75), (0x5C, 0xD6, 0x8A), (0xF2, 0xB5, 0x4A),
    (0x6D, 0xB3, 0xFF), (0xD6, 0x8C, 0xF0), (0x5F, 0xD0, 0xDB), (0xD5, 0xDB, 0xE3),
]  # fmt: skip
BRIGHT = [
    (0x6B, 0x76, 0x86), (0xFF, 0xA0, 0x9A), (0x86, 0xE6, 0xA9), (0xFF, 0xCF, 0x7A),
    (0x96, 0xC9, 0xFF), (0xE4, 0xAE, 0xF8), (0x8C, 0xE3, 0xEB), (0xFF, 0xFF, 0xFF),
]  # fmt: skip
_THEME = TerminalTheme(PAPER, INK, NORMAL, BRIGHT)
_DIM = 0.42


class Look(NamedTuple):
    """How a cell is drawn."""

    ink: str = ""
    """``#rrggbb``."""
    paper: str = ""
    """The same, or empty for the colour of the page."""
    bold: bool = False
    italic: bool = False
    underlined: bool = False
    struck: bool = False


@cache
def look_of(sgr: str) -> Look:
    """What the escape sequence of a cell asks for."""
    spans = next(iter(AnsiDecoder().decode(f"{sgr}x"))).spans
    style = spans[0].style if spans else None
    if not isinstance(style, Style):
        return Look(ink=hexadecimal(INK))
    ink, paper = _rgb(style.color, INK), _rgb(style.bgcolor, PAPER)
    if style.reverse:
        ink, paper = paper, ink
    if style.dim:
        blended = blend_rgb(Color.from_rgb(*ink).get_truecolor(), Color.from_rgb(*paper).get_truecolor(), _DIM)
        ink = (blended.red, blended.green, blended.blue)
    return Look(
        ink=hexadecimal(ink),
        paper="" if paper == PAPER else hexadecimal(paper),
        bold=bool(style.bold),
        italic=bool(style.italic),
        underlined=bool(style.underline),
        struck=bool(style.strike),
    )


def hexadecimal(rgb: tuple[int, int, int]) -> str:
    """``#12161c``."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _rgb(colour: Color | None, otherwise: tuple[int, int, int]) -> tuple[int, int, int]:
    if colour is None or colour.is_default:
        return otherwise
    red, green, blue = colour.get_truecolor(_THEME)
    return red, green, blue
