"""The hands of the engine: takes frames in, sends commands, and keeps an eye on what must hold meanwhile."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from operator_clients.ctl.feed import Feed
from operator_clients.ctl.output import count
from operator_clients.experiment.holding import Watch, figure
from operator_clients.experiment.live import Live
from operator_clients.experiment.outcome import Expectation, Stop
from operator_clients.experiment.record import Record
from operator_clients.experiment.world import SAMPLE_STALE_S, World
from operator_clients.format import duration
from operator_protocol.codec import Body
from operator_protocol.events import Outcome
from operator_protocol.frames import Frame

_TICK_S = 0.25
_SILENT_S = 2.0
"""A daemon that lives lets us hear of it every second."""
_FIRST_FRAME_S = 10.0
COMMAND_S = 60.0
SIGNALS = {2: "Ctrl+C", 15: "SIGTERM", 1: "SIGHUP"}


@dataclass(slots=True)
class Interrupts:
    """The signals that ask us to end; their handlers only write it down here."""

    signum: int | None = None
    """The first one."""
    count: int = 0

    def note(self, signum: int) -> None:
        """One came."""
        self.signum = self.signum or signum
        self.count += 1


@dataclass(slots=True)
class Flying:
    """A ``fault`` command without an outcome yet."""

    command_id: str
    kind: str
    step: int
    known: frozenset[str]
    """Faults that were there before."""


@dataclass(slots=True)
class Anchor:
    """What a wait counts from."""

    at: float
    what: str
    """``the injection of kill valkey-1``."""


@dataclass(slots=True)
class Notes:
    """What the steps leave behind for each other and for the report."""

    anchors: dict[str, Anchor] = field(default_factory=dict)
    last: Anchor | None = None
    """The last step that changed something."""
    faults: dict[str, str] = field(default_factory=dict)
    """Names of fault steps → ids of the faults."""
    expectations: list[Expectation] = field(default_factory=list)


class Stage:
    """One joined daemon, and everything seen of it since the run began."""

    def __init__(self, feed: Feed, live: Live, interrupts: Interrupts) -> None:
        self.feed = feed
        self.live = live
        self.world = World(feed.follower.state)
        self.record = Record()
        self.frames: list[Frame] = []
        self.watches: list[Watch] = []
        self.gaps: list[str] = []
        self.notes = Notes()
        self.flying: Flying | None = None
        self.deaf = False
        """While what was done is undone, a signal is answered with words only."""
        self.began = 0.0
        self.doing = ""
        """For the line of figures."""
        self._interrupts = interrupts
        self._outcomes: dict[str, Outcome] = {}
        self._obeyed = 0
        # On the daemon's clock, as all that is judged.
        self._heard_at = float("-inf")
        self._silent_since = float("inf")
        self._heard_again_at = float("-inf")

    def start(self) -> None:
        """Zero of all times is the first frame, which tells the daemon's clock; there is one with each heartbeat."""
        until = time.monotonic() + _FIRST_FRAME_S
        while not self.frames and time.monotonic() < until:
            self.pump(_TICK_S)
        self.began = self.world.now()

    def elapsed_s(self, at: float | None = None) -> float:
        """Seconds since the run began, of a moment or of now."""
        return (self.world.now() if at is None else at) - self.began

    def say(self, word: str, text: str, style: str = "") -> None:
        """A line of live output."""
        self.live.line(self.elapsed_s(), word, text, style)

    def pump(self, timeout_s: float, check: Callable[[], bool] | None = None) -> bool:
        """Take in what comes within ``timeout_s``; True as soon as ``check``, asked after each frame, says so.

        Raises ``Stop`` for a signal and for a watched condition that is broken too long, ``DaemonUnreachable`` when
        the daemon is gone.
        """
        hit = False
        broken = ""
        # Judged as of each frame's own time: what it follows is not old because we are late. As of now comes last.
        frames = self.feed.poll(timeout_s)
        for frame in (*frames, None):
            if frame is not None:
                self.frames.append(frame)
                self.world.see(frame)
                self.record.see(frame)
                self._hear(frame.header.mono_ts)
            found = self._judge(self.world.now() if frame is None else frame.header.mono_ts)
            broken = broken or found
            hit = hit or (check is not None and check())
        self._outcomes.update(self.feed.take_outcomes())
        if self.feed.gaps:
            self.gaps += self.feed.gaps
            self.feed.gaps.clear()
            self.world.resynced(self.feed.follower.state)
        self._show()
        self._obey()
        if broken:
            raise Stop("failed", f"while the steps ran, a condition did not hold{broken}")
        return hit

    def until(self, check: Callable[[], bool], within_s: float) -> bool:
        """Go on until ``check`` says so; False after ``within_s`` seconds."""
        end = time.monotonic() + within_s
        if check():
            return True
        while (left_s := end - time.monotonic()) > 0:
            if self.pump(min(left_s, _TICK_S), check):
                return True
        return False

    def perform(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = COMMAND_S) -> Body:
        """A command and its outcome. Raises its typed error."""
        return self.outcome(self.send(cmd, args, deadline_s=deadline_s))

    def send(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = COMMAND_S) -> str:
        """A command without its outcome."""
        return self.feed.send(cmd, args, deadline_s=deadline_s)

    def outcome(self, command_id: str) -> Body:
        """Wait for the outcome of a command. Raises its typed error."""
        while command_id not in self._outcomes:
            self.pump(_TICK_S)
        ended = self._outcomes.pop(command_id)
        if ended.error is not None:
            raise ended.error
        return ended.result or {}

    def _hear(self, at: float) -> None:
        if float("-inf") < self._heard_at < at - _SILENT_S:
            self._silent_since, self._heard_again_at = self._heard_at, at
        self._heard_at = max(self._heard_at, at)

    def _judge(self, at: float) -> str:
        """Of a watched condition that has been broken for too long by then: what it was allowed, and how it stands."""
        read = partial(self.world.read_throughout, at=at)
        # All are asked, so that each knows how long it was broken.
        judged = [(watch, watch.check(read, at, excused=self._unheard(watch, at))) for watch in self.watches]
        for watch, good in judged:
            if not good:
                return f"{f' for over {duration(watch.tolerate_s)}' if watch.tolerate_s else ''}: {watch.told()}"
        return ""

    def _unheard(self, watch: Watch, at: float) -> bool:
        """Whether the daemon itself was silent, which would explain that nothing is known.

        If it is gone, that turns out in a few seconds. If it is back, a sample is due at once; and one silence explains
        only what was known until it began, or one that falters again and again would hide a load that has ended.
        """
        if at - self._heard_at > _SILENT_S:
            return True
        return at - self._heard_again_at <= SAMPLE_STALE_S and watch.known_at >= self._silent_since

    def _obey(self) -> None:
        signum = self._interrupts.signum
        if signum is None:
            return
        news, self._obeyed = self._interrupts.count > self._obeyed, self._interrupts.count
        if not self.deaf:
            name = SIGNALS.get(signum, f"signal {signum}")
            raise Stop("interrupted" if signum == 2 else "terminated", f"interrupted by {name}")
        if news:
            self.say("", "still undoing what was done; this ends by itself")

    def _show(self) -> None:
        if not self.live.is_tty or not self.began:
            return
        state = self.world.state
        parts = [f"{self.elapsed_s():7.2f} s  {self.doing}"]
        if state.workload:
            sample = state.workload[-1]
            parts.append(f"{figure(sample.ops_per_sec)} ops/s{' (degraded)' if sample.degraded else ''}")
        if state.cluster is not None:
            parts.append({True: "healthy", False: "not healthy", None: "health unknown"}[state.cluster.ok])
        if state.violations:
            parts.append(count(len(state.violations), "violation"))
        if state.faults:
            counting = [one.remaining for one in state.faults.values() if one.remaining and one.state == "countdown"]
            parts.append(f"in {counting[0]}…" if counting else count(len(state.faults), "fault"))
        self.live.status(" · ".join(parts))
