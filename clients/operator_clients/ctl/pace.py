"""How long a presenter stays with a chapter: to say what it says, and to let people look."""

from dataclasses import dataclass

from operator_protocol.codec import Body
from operator_protocol.models import ChapterState

WORDS_PER_S = 2.4
"""A calm voice."""
LOOK_S = 4.0
"""For the screen, after the last word."""
LONGEST_S = 60.0
SLOWEST, FASTEST = 0.1, 100.0
"""Of ``--speed``."""


def pause_s(chapter: ChapterState, speed: float) -> float:
    """Seconds before the next key: the narration read aloud, and a look, divided by ``speed``."""
    spoken = len(chapter.narration.split()) / WORDS_PER_S
    return min(LONGEST_S, spoken + LOOK_S) / speed


def read_speed(text: str) -> float:
    """What ``--speed`` was given. Raises ``ValueError``."""
    speed = float(text.removesuffix("x"))
    if not SLOWEST <= speed <= FASTEST:
        raise ValueError(f"{text} is not from {SLOWEST:g} to {FASTEST:g}")
    return speed


@dataclass(slots=True)
class _Stay:
    index: int
    title: str
    entered_s: float
    paused_s: float = 0.0


class Course:
    """Which chapters a walk was in, and for how long."""

    def __init__(self) -> None:
        self._stays: list[_Stay] = []

    def be_in(self, chapter: ChapterState, now_s: float) -> None:
        """The walk is in ``chapter`` now; to be there still is no news."""
        if chapter.title and (not self._stays or self._stays[-1].index != chapter.index):
            self._stays.append(_Stay(chapter.index, chapter.title, now_s))

    def pause(self, index: int, seconds: float) -> None:
        """It stayed that much longer in chapter ``index`` than it had to."""
        for stay in reversed(self._stays):
            if stay.index == index:
                stay.paused_s += seconds
                return

    def told(self, now_s: float) -> list[Body]:
        """For the report."""
        ends = [*(stay.entered_s for stay in self._stays[1:]), now_s]
        return [
            {
                "index": stay.index,
                "title": stay.title,
                "took_s": round(max(0.0, end_s - stay.entered_s - stay.paused_s), 1),
                "paused_s": round(stay.paused_s, 1),
            }
            for stay, end_s in zip(self._stays, ends, strict=True)
        ]
