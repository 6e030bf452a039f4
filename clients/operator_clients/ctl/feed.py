"""The frames of the bus in order, each once, across resyncs; or a clear error when the daemon is gone."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from operator_protocol.codec import Body
from operator_protocol.errors import DaemonUnreachable
from operator_protocol.events import FrameSeen, Outcome, Resynced
from operator_protocol.follow import Follower
from operator_protocol.frames import Frame
from operator_protocol.topics import matches


class Feed:
    """A joined ``Follower`` seen as one series of frames.

    A resync puts the frames of the new snapshot's tails in place of the old ones without announcing them; what is
    new among them is handed out here, so that a wait does not miss the one frame that it waits for.
    """

    def __init__(
        self, follower: Follower, topics: Iterable[str] | None, *, patient: bool = False, asked_at: float = 0.0
    ) -> None:
        self.follower = follower
        self.asked_at = asked_at
        """Wall time of the daemon when we asked to join."""
        self.gaps: list[str] = []
        """Reasons of the resyncs since the caller last emptied this."""
        self.notices: list[str] = []
        """With ``patient``: what became of the daemon since the caller last emptied this."""
        self._patient = patient
        self._waiting = False
        self._outcomes: dict[str, Outcome] = {}
        self._topics = None if topics is None else tuple(topics)
        self._boot_id = follower.boot_id
        # What came while we joined is in the tail as well, but it is still to be handed out.
        self._seq = follower.snapshot_seq
        self._history = [frame for frame in self._tail_after(0) if frame.header.seq <= self._seq]

    def history(self) -> list[Frame]:
        """What the daemon still remembered when we joined, oldest first; what it said since comes from ``poll``."""
        return list(self._history)

    def go_on_after(self, seq: int) -> bool:
        """Hand out what comes after frame ``seq``, and not the history; False if some frames between are lost."""
        self._seq = seq
        return seq >= self.follower.snapshot_seq

    def poll(self, timeout_s: float) -> list[Frame]:
        """The next frames, waiting up to ``timeout_s`` seconds for one.

        Raises ``DaemonUnreachable`` when the daemon has been silent for six seconds or was replaced by another one,
        unless this feed is ``patient``: then it waits for a daemon to come back, and goes on with what that one says.
        """
        until = time.monotonic() + timeout_s
        while True:
            frames: list[Frame] = []
            for event in self.follower.poll(max(0.0, until - time.monotonic())):
                if isinstance(event, FrameSeen):
                    self._take(event.frame, frames)
                elif isinstance(event, Outcome):
                    self._outcomes[event.id] = event
                elif isinstance(event, Resynced):
                    self._resynced(event, frames)
            if self.follower.status == "lost":
                self._lost()
            if frames or self._outcomes or time.monotonic() >= until:
                return frames

    def perform(
        self,
        cmd: str,
        args: Mapping[str, Any] | None = None,
        *,
        deadline_s: float = 60.0,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> Body:
        """Send a command and wait for its outcome, that of a long one included; frames go to ``on_frame`` meanwhile.

        Raises the typed error of the command, and ``DaemonUnreachable`` when the daemon goes away under it.
        """
        command_id = self.send(cmd, args, deadline_s=deadline_s)
        while command_id not in self._outcomes:
            for frame in self.poll(1.0):
                if on_frame is not None:
                    on_frame(frame)
        outcome = self._outcomes.pop(command_id)
        if outcome.error is not None:
            raise outcome.error
        return outcome.result or {}

    def send(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 60.0) -> str:
        """Send a command and return its id; ``take_outcomes`` has its outcome after some ``poll``."""
        return self.follower.send(cmd, args, deadline_s=deadline_s)

    def take_outcomes(self) -> dict[str, Outcome]:
        """The outcomes that came, by command id, each once."""
        taken, self._outcomes = self._outcomes, {}
        return taken

    def lost(self, what: str) -> DaemonUnreachable:
        """The error that says that the daemon which was there is gone."""
        return DaemonUnreachable(
            f"the daemon at {self.follower.endpoint.label} {what}",
            "look at `operatord status`, or start one with: operatord start",
        )

    def close(self) -> None:
        """Leave the bus."""
        self.follower.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _take(self, frame: Frame, frames: list[Frame]) -> None:
        # The client library also hands out heartbeats and command.finished, which it needs itself.
        if frame.header.seq > self._seq and matches(frame.topic, self._topics):
            self._seq = frame.header.seq
            frames.append(frame)

    def _lost(self) -> None:
        if not self._patient:
            raise self.lost("stopped answering")
        if not self._waiting:
            self._waiting = True
            self.notices.append("the daemon stopped answering; waiting for it to come back")

    def _resynced(self, event: Resynced, frames: list[Frame]) -> None:
        self._waiting = False
        if self.follower.boot_id == self._boot_id:
            self.gaps.append(event.reason)
        elif self._patient:
            self.notices.append("the daemon was restarted; going on with the new one")
            self._boot_id, self._seq = self.follower.boot_id, 0
        else:
            raise self.lost("was restarted")
        for frame in self._tail_after(self._seq):
            self._take(frame, frames)

    def _tail_after(self, seq: int) -> list[Frame]:
        newer = [f for f in self.follower.tail if f.header.seq > seq and matches(f.topic, self._topics)]
        return sorted(newer, key=lambda frame: frame.header.seq)
