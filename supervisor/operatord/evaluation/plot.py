"""The plot of a run: each rate of each variant with its interval, as SVG that is readable on light and dark pages."""

from collections.abc import Sequence
from html import escape

from operatord.evaluation.intervals import Rate
from operatord.evaluation.summary import RATES, Scored, grouped, summarise

_LEFT, _SCALE = 200.0, 470.0
_CHARACTER_PX = 6.3
"""Mean width of a character of the small text."""
_TITLE, _ROW, _GAP, _FOOT = 44.0, 20.0, 14.0, 34.0
_SHADES = ("a", "b", "c", "d", "e", "f")
_STYLE = """\
text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2933; } .page { fill: #ffffff; }
.title { font-size: 15px; font-weight: 600; } .soft { fill: #5b6673; font-size: 11px; }
.grid { stroke: #e3e7ec; } .reach { stroke-width: 2; }
.a { fill: #1763c6; stroke: #1763c6; } .b { fill: #7a4fc4; stroke: #7a4fc4; } .c { fill: #0f7f8c; stroke: #0f7f8c; }
.d { fill: #9a5a00; stroke: #9a5a00; } .e { fill: #177a41; stroke: #177a41; } .f { fill: #c93434; stroke: #c93434; }
@media (prefers-color-scheme: dark) {
text { fill: #e7ebf0; } .page { fill: #12161c; } .soft { fill: #a3aebb; } .grid { stroke: #262d37; }
.a { fill: #6db3ff; stroke: #6db3ff; } .b { fill: #c0a1ff; stroke: #c0a1ff; } .c { fill: #5fd0db; stroke: #5fd0db; }
.d { fill: #f2b54a; stroke: #f2b54a; } .e { fill: #5cd68a; stroke: #5cd68a; } .f { fill: #ff7d75; stroke: #ff7d75; }
}
"""


def draw(title: str, scored: Sequence[Scored]) -> str:
    """The drawing. Variants are told apart by their names on the right, not by colour alone."""
    summaries = {name: summarise(some) for name, some in grouped(scored, lambda one: one.trial.variant).items()}
    width = _LEFT + _SCALE + 24 + _CHARACTER_PX * (max(map(len, summaries), default=0) + len(": 1000/1000"))
    height = _TITLE + len(RATES) * (len(summaries) * _ROW + _GAP) + _FOOT
    parts = [f'<rect class="page" width="{width:g}" height="{height:g}"/>', _text(_GAP, 26, title, "title")]
    bottom = height - _FOOT
    for percent in range(0, 101, 25):
        x = _x(percent / 100)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_TITLE:g}" x2="{x:.1f}" y2="{bottom:.1f}"/>')
        parts.append(_text(x, bottom + 16, f"{percent} %", "soft", "middle"))
    y = _TITLE + _GAP
    for name, called in RATES.items():
        parts.append(_text(_LEFT - 12, y + len(summaries) * _ROW / 2, called, "", "end"))
        for number, (variant, summary) in enumerate(summaries.items()):
            parts += _mark(summary.rates[name], y + _ROW / 2, variant, _SHADES[number % len(_SHADES)])
            y += _ROW
        y += _GAP
    told = escape(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="title">\n<title id="title">{told}</title>\n'
        f"<style>\n{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _mark(rate: Rate, y: float, variant: str, shade: str) -> list[str]:
    if rate.value is None:
        return [_text(_LEFT + _SCALE + 8, y + 4, f"{variant}: -", "soft")]
    low, high = rate.interval
    return [
        f'<line class="reach {shade}" x1="{_x(low):.1f}" y1="{y:.1f}" x2="{_x(high):.1f}" y2="{y:.1f}"/>',
        f'<circle class="{shade}" cx="{_x(rate.value):.1f}" cy="{y:.1f}" r="4"/>',
        _text(_LEFT + _SCALE + 8, y + 4, f"{variant}: {rate.hits}/{rate.of}", "soft"),
    ]


def _x(share: float) -> float:
    return _LEFT + share * _SCALE


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
