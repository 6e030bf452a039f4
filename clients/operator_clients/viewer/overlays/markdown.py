"""Markdown as lines that can be scrolled: drawn by Rich once for a width, in the colours of the terminal's palette."""

import io
from collections.abc import Iterator
from functools import lru_cache

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown
from rich.text import Text
from rich.theme import Theme

from operator_clients.format import clean

# Rich's own theme sets backgrounds, which a light terminal shows as black bars.
_THEME = Theme(
    {
        "markdown.code": "bold cyan",
        "markdown.code_block": "cyan",
        "markdown.block_quote": "magenta",
        "markdown.h1": "bold cyan",
        "markdown.h2": "bold cyan",
        "markdown.h3": "bold",
        "markdown.item.bullet": "bold cyan",
        "markdown.item.number": "bold cyan",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
    }
)


class _Heading(Heading):
    """On the left and without a box: there is one around all of it already."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield Text("")
        yield self.text


class _Plain(Markdown):
    elements = {**Markdown.elements, "heading_open": _Heading}  # noqa: RUF012 -- as the base class has it


@lru_cache(maxsize=16)
def markdown_lines(text: str, width: int) -> tuple[Text, ...]:
    """``text`` at ``width`` columns. What it contains can neither move the cursor nor become a link."""
    console = Console(file=io.StringIO(), theme=_THEME, width=width, color_system="standard", force_terminal=True)
    plain = "\n".join(clean(one) for one in text.splitlines())
    options = console.options.update(width=width)
    rows = console.render_lines(_Plain(plain, hyperlinks=False, code_theme="ansi_dark"), options, pad=False)
    lines = list(_without_gaps(Text.assemble(*((one.text, one.style or "") for one in row)) for row in rows))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return tuple(lines)


def _without_gaps(lines: Iterator[Text]) -> Iterator[Text]:
    """Without empty lines at the ends, and never two in a row."""
    gap, begun = False, False
    for line in lines:
        line.rstrip()
        if not line.plain:
            gap = begun
            continue
        if gap:
            yield Text("")
        gap, begun = False, True
        yield line
