"""What the viewer knows and does, whatever it is drawn on: events in, commands out, notices in between."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from operator_clients.console_address import NO_CONSOLE, console_address
from operator_clients.format import clean
from operator_clients.viewer.chronicle import LogLine
from operator_clients.viewer.errands import Errands
from operator_clients.viewer.inflight import InFlight
from operator_clients.viewer.interaction import Extent, Interaction
from operator_clients.viewer.keymap import KEYMAP, Action, Binding, binding_of
from operator_clients.viewer.keys import PASTED, typed_text
from operator_clients.viewer.overlays.openers import OPENERS, Opening
from operator_clients.viewer.overlays.output import Output
from operator_clients.viewer.overlays.overlay import Then
from operator_clients.viewer.overlays.stack import Stack
from operator_clients.viewer.shell import Notice, Shell, start_command
from operator_clients.viewer.source import Source
from operator_clients.viewer.story import Story
from operator_clients.viewer.view import FRESH_S
from operator_protocol.events import Event, FrameSeen, Joined, Outcome, Resynced, StatusChanged
from operator_protocol.frames import Frame

BUS_S = 0.25
"""``Follower.fds``: look at it this often at least."""
NOTICE_S = 6.0
RESYNC_SHOWN_S = 3.0
SAME_KEY_S = 0.6
"""A key that comes again within this time is still the same one; keyboards repeat after half a second."""
CONSOLE_S = 1.0
"""Between two looks for the web console."""
CONSOLE_SHOWN_S = 20.0


class Session:
    """One person in front of one daemon."""

    keymap = KEYMAP
    patience_s = BUS_S
    """How long to wait at most before the source is polled again."""

    def __init__(self, follower: Source, *, readonly: bool = False, key_file: str | None = None) -> None:
        self.follower = follower
        self.readonly = readonly
        """True refuses every command that changes something."""
        self.story = Story()
        self.ui = Interaction()
        self.overlays = Stack()
        self.extent = Extent()
        """Of the focused panel when it was drawn last."""
        self.finished = False
        """Set once the person asked to leave."""
        self._start_command = start_command(follower.endpoint)
        self._in_flight = InFlight(follower, self._start_command, readonly=readonly)
        self._joined = False
        self._notice: Notice | None = None
        self._resynced = ""
        self._resynced_until = 0.0
        self._errands = Errands(follower.endpoint, key_file)
        self._mono = 0.0
        self._finished_with = ("", 0.0)
        """The last key that went to an overlay or the filter, and when."""
        self._console = NO_CONSOLE
        self._greeting: Notice | None = None
        """What is said of it: it gives the last line back to the keys as soon as one is pressed."""
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
        self._mono = mono
        if self._notice is self._greeting:
            self._notice = None
        if key.startswith(PASTED):
            self._paste(key.removeprefix(PASTED), mono)
        elif key == "ctrl+c":
            self.finished = True
        elif self.overlays:
            self.overlays.press(key, self.follower.state, self._opening(), mono)
            self._finished_with = (key, mono)
        elif self.ui.filtering:
            self.ui = self.ui.filter_pressed(key, binding_of(key, self.keymap), self.extent)
            self._finished_with = (key, mono)
        elif (binding := binding_of(key, self.keymap)) is not None:
            self._do(binding, key, mono)

    def _paste(self, text: str, mono: float) -> None:
        """Text where text is typed; anywhere else it would be a row of keys that nobody pressed."""
        if not (self.overlays[-1].wants_text if self.overlays else self.ui.filtering):
            self._notice = Notice("what was pasted is text, and no keys: nothing was done", "info", mono + NOTICE_S)
            return
        for char in " ".join(text.split()):
            if typed_text(char):
                self.press(char, mono)

    def close(self) -> None:
        """Let go of everything; commands of the palette that run are ended."""
        self.overlays.drop_all()
        self._errands.close()

    def _do(self, binding: Binding, key: str, mono: float) -> None:
        looked = self.ui.pressed(binding.action, key, self.extent)
        last, at = self._finished_with
        if binding.action is Action.NEXT and key == last and mono - at < SAME_KEY_S:
            # ENTER that is held down, or hit twice, confirms a fault and does not also leave the chapter it is for.
            self._finished_with = (key, mono)
        elif binding.action is Action.QUIT:
            self.finished = True
        elif binding.action is Action.CLOSE:
            self._back(mono)
        elif binding.action in OPENERS:
            self.overlays.put(OPENERS[binding.action](self._opening()), self.follower.state)
        elif looked is not None:
            self.ui = looked
        elif binding.command:
            self.ask(binding.command, {}, mono=mono)
        else:
            self.act(binding.action, mono)

    def _back(self, mono: float) -> None:
        """What is typed, zoomed, focused; then a command of the palette that nobody sees run."""
        before, self.ui = self.ui, self.ui.back()
        if self.ui is before and (stopped := self._errands.stop_last()):
            self._notice = Notice(f"stopped waiting for: {stopped}", "info", mono + NOTICE_S)

    def _opening(self) -> Opening:
        top = self.overlays[-1] if self.overlays else None
        return Opening(
            keymap=self.keymap,
            above=None if top is None else (top.title, top.keymap),
            console=self._console,
            readonly=self.readonly,
            ask=self._asking,
            look=self._looking,
            run=self._run,
            quit=self._quit,
        )

    def _asking(self, cmd: str, args: Mapping[str, Any], then: Then) -> None:
        self.ask(cmd, args, then, mono=self._mono)

    def _looking(self, cmd: str, args: Mapping[str, Any], then: Then) -> None:
        self.ask(cmd, args, then, mono=self._mono, quiet=True)

    def _run(self, words: Sequence[str], text: str) -> None:
        """Run a line of the palette."""
        try:
            self._errands.run(words, text)
        except OSError as error:
            self._notice = Notice(f"cannot start operatorctl: {error.strerror}", "bad", self._mono + NOTICE_S)
        except UnicodeEncodeError as error:
            told = f"the locale of this terminal has no {error.object[error.start]!r}: run it where it is UTF-8"
            self._notice = Notice(clean(told), "bad", self._mono + NOTICE_S)

    def _quit(self) -> None:
        self.finished = True

    def fds(self) -> list[int]:
        """Descriptors that become readable when there is something to ``tick`` for, besides those of the source."""
        return self._errands.fds()

    def tick(self, mono: float) -> bool:
        """Look after what runs by itself: overlays, commands of the palette. True if the picture has changed."""
        self._mono = mono
        changed = self.overlays.tick(mono)
        for errand in self._errands.poll():
            changed = True
            if (said := errand.brief()) is not None:
                self._notice = Notice(said[0], said[1], mono + NOTICE_S)
        if not self.overlays and (wordy := self._errands.long_winded()) is not None:
            self.overlays.put(Output(wordy), self.follower.state)
            changed = True
        return changed

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
            notice=self._notice if self._notice and mono < self._notice.until else None,
            pending=(*self._in_flight.names(), *self._errands.pending()),
            console=self._console,
            ui=self.ui,
            overlays=self.overlays.see(self.follower.state),
            readonly=self.readonly,
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
        if found.url and not self._console.url:
            text = f"the web console is at {found.url} (? tells of its token)"
            self._notice = self._greeting = Notice(text, "info", mono + CONSOLE_SHOWN_S)
        self._console = found

    def ask(
        self, cmd: str, args: Mapping[str, Any], then: Then | None = None, *, mono: float, quiet: bool = False
    ) -> None:
        """Send a command without waiting; ``then`` gets what it came to, at once where the viewer refuses it.

        A ``quiet`` one is not told of in the footer: nobody asked for it by a key.
        """
        error = self._in_flight.send(cmd, args, then, joined=self._joined, quiet=quiet)
        if error is None:
            return
        if not quiet:
            self._notice = Notice(clean(str(error)), "warn", mono + NOTICE_S)
        if then is not None:
            then(Outcome("", cmd, None, error))

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
        if not self._in_flight.ended(outcome):
            return None
        if outcome.error is not None:
            hint = f" — {outcome.error.hint}" if outcome.error.hint else ""
            text = clean(f"{outcome.cmd}: {outcome.error.message}{hint}")
            self._notice = Notice(text, "bad", mono + NOTICE_S)
            return LogLine(wall, "command", "bad", text)
        message = (outcome.result or {}).get("message")
        if isinstance(message, str) and message:
            self._notice = Notice(clean(message), "good", mono + NOTICE_S)
        return None
