"""The blocking client: joins a daemon, keeps its state, sends commands."""

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Self

import zmq

from operator_protocol.codec import Body
from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import OperatorError
from operator_protocol.events import Event, Outcome, Status
from operator_protocol.frames import Frame
from operator_protocol.link import Link
from operator_protocol.requests import DEFAULT_DEADLINE_S, unreachable
from operator_protocol.state import State

_TICK_S = 0.25
"""Silence and retries are looked at this often at least."""


class Follower:
    """Follows one daemon. Not for use by several threads."""

    def __init__(self, endpoint: Endpoint, *, topics: Iterable[str] | None = None, actor: str | None = None) -> None:
        self.endpoint = endpoint
        self._link = Link(endpoint, topics=topics, actor=actor)
        self._kept: list[Event] = []
        self._poller = zmq.Poller()
        self._poller.register(self._link.frames, zmq.POLLIN)
        self._poller.register(self._link.control, zmq.POLLIN)

    @property
    def state(self) -> State:
        """What the daemon last said; replaced by a new object at each resync."""
        return self._link.mirror.state

    @property
    def status(self) -> Status:
        """How good the link is."""
        return self._link.mirror.status

    @property
    def boot_id(self) -> str | None:
        """The daemon's boot that the state belongs to."""
        return self._link.mirror.boot_id

    @property
    def seq(self) -> int:
        """Sequence number of the last frame that was applied."""
        return self._link.mirror.seq

    @property
    def snapshot_seq(self) -> int:
        """Sequence number of the last frame that the last snapshot included; all after it are handed out."""
        return self._link.mirror.snapshot_seq

    @property
    def tail(self) -> deque[Frame]:
        """Recent frames, those of the snapshot's tails included, oldest first."""
        return self._link.mirror.tail

    def keep_checkpoints(self) -> "deque[Frame]":
        """From now on, for each ``Joined`` and ``Resynced``, the snapshot behind it: for a recorder to take out."""
        if self._link.mirror.checkpoints is None:
            self._link.mirror.checkpoints = deque()
        return self._link.mirror.checkpoints

    def age_s(self) -> float:
        """Seconds since the last frame; infinite before the first."""
        last = self._link.mirror.last_frame_mono
        return float("inf") if last is None else time.monotonic() - last

    def fds(self) -> list[int]:
        """Descriptors to wait on together with others; when one is readable, and every 0.25 s, call ``poll(0)``."""
        return [int(self._link.frames.getsockopt(zmq.FD)), int(self._link.control.getsockopt(zmq.FD))]

    def join(self, timeout_s: float) -> None:
        """Wait until the state is live.

        Raises ``DaemonUnreachable`` after ``timeout_s`` seconds, or as soon as the daemon refuses our key;
        ``VersionMismatch`` if it speaks another version.
        """
        until = time.monotonic() + timeout_s
        while self.status != "live":
            if (refused := self._link.mirror.refused) is not None:
                raise refused
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise unreachable(self.endpoint)
            self._kept.extend(self._wait(left_s))

    def poll(self, timeout_s: float) -> list[Event]:
        """What happened, waiting up to ``timeout_s`` seconds for it. Never raises for a lost daemon.

        Raises ``DaemonUnreachable`` if the daemon refuses our key, or does so from now on: waiting would not help.
        """
        if self._kept:
            kept, self._kept = self._kept, []
            return kept + self._link.pump()
        until = time.monotonic() + timeout_s
        while True:
            events = self._wait(max(0.0, until - time.monotonic()))
            if events or time.monotonic() >= until:
                return events

    def send(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 60.0) -> str:
        """Send a command without waiting; its ``Outcome`` comes from a later ``poll``. Returns the command's id."""
        return self._link.call(cmd, args, deadline_s)

    def perform(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 60.0) -> Body:
        """Send a command and wait for its outcome, that of a long one included. Raises its typed error."""
        command_id = self._link.call(cmd, args, deadline_s)
        while True:
            for position, event in enumerate(events := self._wait(_TICK_S)):
                if isinstance(event, Outcome) and event.id == command_id:
                    self._kept.extend(events[:position] + events[position + 1 :])
                    return _result(event)
            self._kept.extend(events)

    def command(
        self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = DEFAULT_DEADLINE_S
    ) -> Body:
        """The same with the deadline of a short command."""
        return self.perform(cmd, args, deadline_s=deadline_s)

    def close(self) -> None:
        """Give the sockets back."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _wait(self, timeout_s: float) -> list[Event]:
        events = self._link.pump()
        if not events and timeout_s > 0 and not self._link.more_is_waiting():
            # Until the control socket is connected, what wakes us is that it can be written to, or a join takes a tick.
            self._poller.modify(self._link.control, zmq.POLLIN | (zmq.POLLOUT if self._link.wants_to_send() else 0))
            ready = self._poller.poll(int(min(timeout_s, _TICK_S) * 1000) or 1)
            events = self._link.pump(replies=any(socket is self._link.control for socket, _ in ready))
        if not events and (refused := self._link.refusal()) is not None:
            raise refused
        return events


def _result(outcome: Outcome) -> Body:
    error: OperatorError | None = outcome.error
    if error is not None:
        raise error
    return outcome.result or {}
