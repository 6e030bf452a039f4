"""What a panel is given to draw from."""

from dataclasses import dataclass

from operator_clients.viewer.layout import PanelName, Zoom
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
    focus: PanelName | None = None
    """The panel that the keys go to."""
    zoom: Zoom = "normal"
    readonly: bool = False
    """True when this viewer may change nothing."""
    notes: bool = False
    """True in the presenter's own viewer, which shows the speaker notes."""
    started: float = 0.0
    """Local monotonic time at which this viewer was started."""

    @property
    def inert(self) -> str:
        """Why nothing can be changed from here; empty if something can."""
        return "this is a replay" if self.recorded else "this viewer is read-only" if self.readonly else ""

    def fresh(self, detection: Detection | None) -> bool:
        """True while ``detection`` is new enough to stand out from everything else."""
        return detection is not None and self.mono - detection.at < FRESH_S

    def pulse(self) -> bool:
        """Alternates twice a second where things may move, and is steadily on where they may not."""
        return not self.animate or int(self.mono / _PULSE_S) % 2 == 0

    def tick(self) -> int:
        """A counter that moves four times a second, for spinners; always 0 where nothing may move."""
        return int(self.mono * 4) if self.animate else 0
