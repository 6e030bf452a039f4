"""Just enough SVG to draw a chart that is readable on light and dark pages."""

from collections.abc import Iterable
from html import escape
from string import Template

_SHAPES = """\
text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
.title { font-size: 15px; font-weight: 600; } .small { font-size: 11px; }
.halo { paint-order: stroke; stroke-width: 4px; stroke-linejoin: round; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .thin { stroke-width: 1.5; }
.baseline { stroke-dasharray: 6 4; } .threshold { stroke-dasharray: 2 4; } .mark { stroke-width: 1.5; }
.area { opacity: .10; } .errors { opacity: .75; }
"""
_COLOURS = Template("""\
text { fill: $ink; } .page { fill: $page; } .soft { fill: $soft; } .halo { stroke: $page; }
.grid { stroke: $grid; } .axis { stroke: $axis; } .step { fill: $grid; }
.line { stroke: $series; } .area { fill: $series; } .second { stroke: $second; } .third { stroke: $third; }
.baseline { stroke: $soft; } .threshold { stroke: $fault; } .errors { fill: $fault; }
.shade { fill: $fault; opacity: $shade; } .undo { fill: $fault; opacity: $undo; }
line.injected { stroke: $fault; } line.detected { stroke: $seen; } line.recovered { stroke: $good; }
text.injected { fill: $fault; } text.detected { fill: $seen; } text.recovered { fill: $good; }
""")
_LIGHT = {
    "page": "#ffffff", "ink": "#1f2933", "soft": "#5b6673", "grid": "#e3e7ec", "axis": "#98a2ae", "series": "#1763c6",
    "second": "#7a4fc4", "third": "#0f7f8c", "fault": "#c93434", "seen": "#9a5a00", "good": "#177a41",
    "shade": ".13", "undo": ".06",
}  # fmt: skip
_DARK = {
    "page": "#12161c", "ink": "#e7ebf0", "soft": "#a3aebb", "grid": "#262d37", "axis": "#5c6775", "series": "#6db3ff",
    "second": "#c0a1ff", "third": "#5fd0db", "fault": "#ff7d75", "seen": "#f2b54a", "good": "#5cd68a",
    "shade": ".22", "undo": ".10",
}  # fmt: skip
STYLE = (
    _SHAPES
    + _COLOURS.substitute(_LIGHT)
    # No custom properties: converters like librsvg do not know them, and would draw everything black.
    + f"@media (prefers-color-scheme: dark) {{\n{_COLOURS.substitute(_DARK)}}}\n"
)
CHARACTER_PX = 6.3
"""Mean width of a character of the small text."""


class Svg:
    """A drawing, written from back to front."""

    def __init__(self, width: float, height: float, title: str, description: str) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="title description">\n'
            f'<title id="title">{escape(title)}</title>\n<desc id="description">{escape(description)}</desc>\n'
            f"<style>\n{STYLE}</style>\n"
        )
        self._parts: list[str] = []
        self.rect(0, 0, width, height, "page")

    def rect(self, x: float, y: float, width: float, height: float, style: str, *, round_px: float = 0) -> None:
        """A filled rectangle."""
        rounded = f' rx="{round_px:g}"' if round_px else ""
        self._parts.append(
            f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" '
            f'width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"{rounded}/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """A straight line."""
        self._parts.append(f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def path(self, points: Iterable[tuple[float, float]], style: str, *, closed: bool = False) -> None:
        """A line through points."""
        told = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        if told:
            self._parts.append(f'<path class="{style}" d="M{told}{" Z" if closed else ""}"/>')

    def text(self, x: float, y: float, text: str, style: str = "", *, anchor: str = "start", turn: float = 0) -> None:
        """A line of text; ``y`` is its base line."""
        turned = f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else ""
        self._parts.append(
            f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turned}>{escape(text)}</text>'
        )

    def document(self) -> str:
        """The file."""
        return self._head + "\n".join(self._parts) + "\n</svg>\n"
