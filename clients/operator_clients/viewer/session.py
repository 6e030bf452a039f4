"""What the viewer knows and does, whatever it is drawn on: events in, commands out, notices in between."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from operator_clients.console_address import console_address
from operator_clients.format import clean
from operator_clients.viewer.chronicle import LogLine
from operator_clients.viewer.keymap import KEYMAP, Action, binding_of
from operator_clients.viewer.source import Source
from operator_clients.viewer.story import Story
from operator_clients.viewer.theme import Tone
from operator_clients.viewer.view import FRESH_S
from operator_protocol.endpoint import Endpoint, default_runtime_dir
from operator_protocol.errors import OperatorError
from operator_protocol.events import Event, FrameSeen, Joined, Outcome, Resynced, Status, StatusChanged
from operator_protocol.frames import Frame
from operator_protocol.journal_index import Mark
from operator_protocol.requests import unreachable

BUS_S = 0.25
"""``Follower.fds``: look at it this often at least."""
NOTICE_S = 6.0
RESYNC_SHOWN_S = 3.0
CONSOLE_S = 1.0
"""Between two looks for the web console."""
CONSOLE_SHOWN_S = 20.0
_FAULT_DEADLINE_S = 60.0


class Notice(NamedTuple):
    """One line of the footer, for some seconds."""

    text: str
    tone: Tone
    until: float
    """Local monotonic time."""


class Tape(NamedTuple):
    """Where a replay stands."""

    position_s: float
    duration_s: float
    speed: float
    paused: bool
    ended: bool
    wall: float
    """What the clock showed when this was recorded."""
    marks: Sequence[Mark] = ()


class Shell(NamedTuple):
    """What is drawn around the panels."""

    endpoint: str
    start_command: str
    joined: bool
    """False until the first snapshot."""
    status: Status
    age_s: float
    """Seconds since the last frame."""
    resynced: str = ""
    """Why, as long as it is worth saying."""
    help_open: bool = False
    notice: Notice | None = None
    pending: tuple[str, ...] = ()
    """Commands that have no outcome yet."""
    tape: Tape | None = None
    """Set when this is a replay."""
    console: str = ""
    """Where the web console of this daemon is, with its token."""


def start_command(endpoint: Endpoint) -> str:
    """The command that starts a daemon at this endpoint; over TCP, on that host."""
    if endpoint.curve is not None:
        return "operatord start"
    default = endpoint.label == str(default_runtime_dir().absolute())
    return "operatord start" if default else f"operatord start --runtime-dir {endpoint.label}"


class Session:
    """One person in front of one daemon."""

    keymap = KEYMAP
    patience_s = BUS_S
    """How long to wait at most before the source is polled again."""

    def __init__(self, follower: Source) -> None:
        self.follower = follower
        self.story = Story()
        self.help_open = False
        self.finished = False
        """Set once the person asked to leave."""
        self._start_command = start_command(follower.endpoint)
        self._joined = False
        self._notice: Notice | None = None
        self._resynced = ""
        self._resynced_until = 0.0
        self._pending: dict[str, str] = {}
        self._console = ""
        self._console_at = 0.0

    def observe(self, events: Iterable[Event], mono: float, wall: float) -> list[LogLine]:
        """Take in what the follower told; returns the lines worth reading."""
        lines: list[LogLine] = []
        for event in events:
            if isinstance(event, FrameSeen):
                lines.extend(self.story.see(event.frame, self.seen_at(event.frame, mono)))
                continue
            line = self._told(event, mono, wall)
            if line is not None:
                self.story.say(line)
                lines.append(line)
        return lines

    def preface(self) -> list[LogLine]:
        """What to say before anything is shown."""
        return []

    def ending(self) -> LogLine | None:
        """What to say when there is nothing more to come; None for a daemon, which may always come back."""
        return None

    def press(self, key: str, mono: float) -> None:
        """Do what ``key`` is bound to; a key that is not bound does nothing."""
        binding = binding_of(key, self.keymap)
        if binding is None or (binding.action is Action.CLOSE and not self.help_open):
            return
        if binding.action is Action.QUIT:
            self.finished = True
        elif self.help_open:
            # Whoever reads the list does not mean to break something with the next key.
            self.help_open = False
        elif binding.action is Action.HELP:
            self.help_open = True
        elif binding.command:
            self._send(binding.command, mono)
        else:
            self.act(binding.action, mono)

    def act(self, action: Action, mono: float) -> None:
        """Do what only some sources can do; a daemon cannot be wound back."""

    def seen_at(self, frame: Frame, mono: float) -> float:
        """When ``frame`` was seen, on the clock that ``view_time`` shows."""
        del frame
        return mono

    def view_time(self, mono: float, wall: float) -> tuple[float, float]:
        """Monotonic and wall clock of what is shown; for a daemon, ours."""
        return mono, wall

    def shell(self, mono: float) -> Shell:
        """What is to be drawn around the panels at ``mono``."""
        self._look_for_console(mono)
        return Shell(
            endpoint=self.follower.endpoint.label,
            start_command=self._start_command,
            joined=self._joined,
            status=self.follower.status,
            age_s=self.follower.age_s(),
            resynced=self._resynced if mono < self._resynced_until else "",
            help_open=self.help_open,
            notice=self._notice if self._notice and mono < self._notice.until else None,
            pending=tuple(self._pending.values()),
            console=self._console,
        )

    def moving(self, mono: float) -> bool:
        """True while something on the screen changes by itself more often than once a second."""
        state = self.follower.state
        detection, work = self.story.detection(), self.story.work(state)
        return (
            (detection is not None and mono - detection.at < FRESH_S)
            or (state.demo is not None and state.demo.busy)
            or (work is not None and work.diagnosis is None and work.ticket in state.tickets)
            or (self._notice is not None and mono < self._notice.until)
            or mono < self._resynced_until
        )

    def _look_for_console(self, mono: float) -> None:
        """It starts beside the daemon, and after it; who presents is told once, and finds it among the keys."""
        if mono < self._console_at:
            return
        self._console_at = mono + CONSOLE_S
        found = console_address(self.follower.endpoint)
        if found and not self._console:
            self._notice = Notice(f"the web console is at {found}", "info", mono + CONSOLE_SHOWN_S)
        self._console = found

    def _send(self, command: str, mono: float) -> None:
        if not self._joined or self.follower.status in ("stale", "lost"):
            error = unreachable(self.follower.endpoint)
            self._notice = Notice(f"{error.message}; start one with: {self._start_command}", "warn", mono + NOTICE_S)
            return
        try:
            self._pending[self.follower.send(command, {}, deadline_s=_FAULT_DEADLINE_S)] = command
        except OperatorError as error:
            self._notice = Notice(clean(str(error)), "warn", mono + NOTICE_S)

    def _told(self, event: Event, mono: float, wall: float) -> LogLine | None:
        if isinstance(event, Joined | Resynced):
            return self._resume(event, mono, wall)
        if isinstance(event, StatusChanged):
            if event.status == "lost":
                return LogLine(wall, "link", "bad", "connection to the daemon lost")
            return None
        return self._ended(event, mono, wall) if isinstance(event, Outcome) else None

    def _resume(self, event: Joined | Resynced, mono: float, wall: float) -> LogLine:
        follower = self.follower
        self._joined = True
        self.story.resume(follower.boot_id or "", follower.state, follower.tail)
        if isinstance(event, Joined):
            version = follower.state.version.get("operatord", "")
            return LogLine(wall, "link", "info", clean(f"joined operatord {version}".rstrip()))
        self._resynced, self._resynced_until = event.reason or "frames were lost", mono + RESYNC_SHOWN_S
        return LogLine(wall, "link", "info", clean(f"resynchronised: {self._resynced}"))

    def _ended(self, outcome: Outcome, mono: float, wall: float) -> LogLine | None:
        self._pending.pop(outcome.id, None)
        if outcome.error is not None:
            hint = f" — {outcome.error.hint}" if outcome.error.hint else ""
            text = clean(f"{outcome.cmd}: {outcome.error.message}{hint}")
            self._notice = Notice(text, "bad", mono + NOTICE_S)
            return LogLine(wall, "command", "bad", text)
        message = (outcome.result or {}).get("message")
        if isinstance(message, str) and message:
            self._notice = Notice(clean(message), "good", mono + NOTICE_S)
        return None
