"""What a panel is given to draw from."""

from dataclasses import dataclass

from operator_clients.viewer.story import Detection, Story
from operator_protocol.state import State

FRESH_S = 6.0
"""A detection, and a process that came back, stand out for this long at least."""
_PULSE_S = 0.5


@dataclass(frozen=True, slots=True)
class View:
    """The state, the story behind it, and the time at which they are looked at."""

    state: State
    story: Story
    now: float
    """Wall clock, seconds; for the ages of what carries wall times."""
    mono: float
    """Local monotonic clock, seconds; for how long something is highlighted."""
    animate: bool = True
    recorded: bool = False
    """True when nothing of it happens now."""

    def fresh(self, detection: Detection | None) -> bool:
        """True while ``detection`` is new enough to stand out from everything else."""
        return detection is not None and self.mono - detection.at < FRESH_S

    def pulse(self) -> bool:
        """Alternates twice a second where things may move, and is steadily on where they may not."""
        return not self.animate or int(self.mono / _PULSE_S) % 2 == 0

    def tick(self) -> int:
        """A counter that moves four times a second, for spinners; always 0 where nothing may move."""
        return int(self.mono * 4) if self.animate else 0
