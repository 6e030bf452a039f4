"""A person in front of a recording: the same panels, and keys that move through time instead of the demo."""

from collections.abc import Iterable
from typing import Final

from operator_clients.format import clean, duration, time_of_day
from operator_clients.viewer.chronicle import LogLine
from operator_clients.viewer.keymap import REPLAY_KEYMAP, Action, binding_of
from operator_clients.viewer.session import NOTICE_S, Session
from operator_clients.viewer.shell import Notice, Shell, Tape
from operator_clients.viewer.story import Story
from operator_protocol.events import Event, Joined, Resynced
from operator_protocol.frames import Frame
from operator_protocol.replay import SOUGHT, Replay

SEEK_S: Final = 5.0
_NOTED_S: Final = 12.0
"""What is wrong with a recording takes longer to read than what came of a key."""


class ReplaySession(Session):
    """The clock that the panels go by is that of the recording."""

    keymap = REPLAY_KEYMAP
    patience_s = 1 / 16
    """Nothing wakes us when the next frame is due."""

    def __init__(self, replay: Replay, mono: float) -> None:
        super().__init__(replay)
        self.replay = replay
        self._notes = replay.recording.notes()
        self._stepped: Notice | None = None
        if self._notes:
            self._notice = Notice(clean("; ".join(self._notes)), "warn", mono + _NOTED_S)

    def preface(self) -> list[LogLine]:
        """What the recording is, and what is wrong with it."""
        label = clean(self.replay.recording.label)
        lines = [LogLine(self.replay.wall, "link", "info", f"this is a recording: {label}")] if label else []
        return lines + [LogLine(self.replay.wall, "link", "warn", clean(note)) for note in self._notes]

    def observe(self, events: Iterable[Event], mono: float, wall: float) -> list[LogLine]:
        """Take in what was played; the wall clock is the recorded one."""
        del wall
        return super().observe(events, mono, self.replay.wall)

    def ending(self) -> LogLine | None:
        """What to say when everything was played; None until then."""
        if not self.replay.ended:
            return None
        text = f"the recording ends here, after {duration(self.replay.duration_s)}"
        return LogLine(self.replay.wall, "link", "info", text)

    def press(self, key: str, mono: float) -> None:
        """Do what ``key`` is bound to; what drives a daemon is refused, in one line."""
        live = None if binding_of(key, self.keymap) else binding_of(key)
        if live is None or not live.command or self.overlays or self.ui.filtering:
            super().press(key, mono)
        else:
            self.ask(live.command, {}, mono=mono)

    def act(self, action: Action, mono: float) -> None:
        """Move through time."""
        replay = self.replay
        if self._notice is self._stepped:
            self._notice = None  # it names a frame that is not the last one any more
        if action is Action.PAUSE:
            (replay.resume if replay.paused else replay.pause)()
        elif action is Action.STEP:
            self._step(mono)
        elif action is Action.STEP_SECOND:
            replay.step_second()
        elif action in (Action.BACKWARD, Action.FORWARD):
            replay.seek(replay.position_s + (SEEK_S if action is Action.FORWARD else -SEEK_S))
        elif action in (Action.BEGIN, Action.END):
            replay.seek(0.0 if action is Action.BEGIN else replay.duration_s)
        elif action in (Action.SLOWER, Action.FASTER):
            (replay.slower if action is Action.SLOWER else replay.faster)()

    def seen_at(self, frame: Frame, mono: float) -> float:
        """Seconds into the recording."""
        del mono
        return self.replay.recording.at_s(frame.header)

    def view_time(self, mono: float, wall: float) -> tuple[float, float]:
        """Seconds into the recording, and what the clock showed then."""
        del mono, wall
        return self.replay.position_s, self.replay.wall

    def shell(self, mono: float) -> Shell:
        """What is to be drawn around the panels."""
        replay = self.replay
        tape = Tape(
            position_s=replay.position_s,
            duration_s=replay.duration_s,
            speed=replay.speed,
            paused=replay.paused,
            ended=replay.ended,
            wall=replay.wall,
            marks=replay.recording.marks,
            label=clean(replay.recording.label),
        )
        return super().shell(mono)._replace(tape=tape)

    def moving(self, mono: float) -> bool:
        """True while time goes on, or a line is about to vanish."""
        return not self.replay.paused or (self._notice is not None and mono < self._notice.until)

    def _step(self, mono: float) -> None:
        frame = self.replay.step()
        if frame is None:
            self._notice = Notice("this is the end of the recording", "info", mono + NOTICE_S)
            return
        text = f"{time_of_day(frame.header.wall_ts)} {frame.topic}, frame {frame.header.seq}"
        self._notice = self._stepped = Notice(clean(text), "info", mono + NOTICE_S)

    def _told(self, event: Event, mono: float, wall: float) -> LogLine | None:
        if isinstance(event, Resynced) and event.reason == SOUGHT:
            # What is shown now may be before what was told.
            self.story = Story()
            self.story.resume(self.replay.boot_id or "", self.replay.state, self.replay.tail)
            return None
        line = super()._told(event, mono, wall)
        if isinstance(event, Joined) and line is not None:
            return line._replace(text=line.text.replace("joined", "recorded from", 1))
        if isinstance(event, Resynced) and line is not None:
            return line._replace(text=clean(event.reason))
        return line
