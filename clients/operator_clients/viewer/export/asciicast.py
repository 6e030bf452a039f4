"""A stretch of a recording as an asciicast of version 2: JSON lines that asciinema and its players show."""

import json
from collections.abc import Iterator
from typing import Any

from operator_clients.viewer import diff
from operator_clients.viewer.app import FRAME_S
from operator_clients.viewer.canvas import Picture
from operator_clients.viewer.export.colours import BRIGHT, INK, NORMAL, PAPER, hexadecimal
from operator_clients.viewer.export.filming import Camera
from operator_clients.viewer.layout import Size

_NO_CURSOR = "\x1b[?25l\x1b[?7l"


def asciicast(
    camera: Camera, size: Size, title: str, *, wall: float, start_s: float, end_s: float, speed: float, idle_s: float
) -> Iterator[str]:
    """The lines: a header, then what the viewer would write to a terminal, with the second at which it would.

    Seconds of the recording are divided by ``speed``; nothing stands still for longer than ``idle_s``.
    """
    yield json.dumps(_header(size, title, wall, idle_s), ensure_ascii=False)
    before: Picture | None = None
    shown_at = last_at = 0.0
    pictures = int((end_s - start_s) / speed / FRAME_S) + 1
    for number in range(pictures + 1):
        film_s = min(number * FRAME_S, (end_s - start_s) / speed)
        camera.see(min(end_s, start_s + film_s * speed))
        picture = camera.picture()
        text = diff.changes(before, picture) if before is not None else _NO_CURSOR + diff.whole(picture)
        if text:
            shown_at += min(idle_s, film_s - last_at)
            last_at, before = film_s, picture
            yield json.dumps([round(shown_at, 3), "o", text], ensure_ascii=False)


def _header(size: Size, title: str, wall: float, idle_s: float) -> dict[str, Any]:
    palette = ":".join(hexadecimal(one) for one in [*NORMAL, *BRIGHT])
    return {
        "version": 2,
        "width": size.width,
        "height": size.height,
        "timestamp": int(wall),
        "idle_time_limit": idle_s,
        "title": title,
        "env": {"TERM": "xterm-256color"},
        "theme": {"fg": hexadecimal(INK), "bg": hexadecimal(PAPER), "palette": palette},
    }
