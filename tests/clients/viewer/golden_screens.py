"""The golden screens: which there are, and what they show now."""

from collections.abc import Iterator
from pathlib import Path

from tests.clients.viewer import scenes

from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.compose import DETAILS, compose
from operator_clients.viewer.layout import Size
from operator_clients.viewer.shell import Shell

DIRECTORY = Path(__file__).parent / "golden"
SMALL, MIDDLE, LARGE = Size(80, 24), Size(160, 50), Size(200, 60)
SHELL = Shell("/run/operatord", "operatord start", joined=True, status="live", age_s=0.1)
_LARGER = {"diagnosed": (MIDDLE, LARGE), "stores": (MIDDLE,)}
_DETAIL_WIDTH = 100


def names() -> list[str]:
    """Of all of them, in the order in which they are told."""
    return [name for name, _ in screens()]


def screens() -> Iterator[tuple[str, str]]:
    """Name and text of each: every moment on a small screen, some on larger ones, and what the panels know in one."""
    for moment, film in scenes.ALL.items():
        for size in (SMALL, *_LARGER.get(moment, ())):
            picture = compose(film().view(after_s=1.0), SHELL, size, Pen({"TERM": "xterm-256color"}))
            rows = ("".join(cell.text for cell in row).rstrip() for row in picture)
            yield f"{moment}-{size.width}x{size.height}", "\n".join(rows) + "\n"
    view = scenes.diagnosed().view(after_s=1.0)
    for panel, detail in DETAILS.items():
        yield f"detail-{panel}", "\n".join(text.plain.rstrip() for text in detail(view, _DETAIL_WIDTH)) + "\n"
