"""The two sockets of a client that follows the bus, and the mirror that they feed.

``Link`` does not wait: ``pump`` takes what is there. The blocking and the asyncio client differ only in how they wait.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import zmq

from operator_protocol.calls import Calls
from operator_protocol.codec import Body
from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import BadRequest, DaemonUnreachable
from operator_protocol.events import Event, FrameSeen, Joined, Outcome, Resynced
from operator_protocol.frames import decode_any_frame
from operator_protocol.mirror import Ask, Mirror, Subscribe
from operator_protocol.requests import DEFAULT_DEADLINE_S, connect, control_socket, default_actor, encode_command
from operator_protocol.topics import COMMAND_FINISHED

RECEIVE_HWM = 50_000
"""Frames that a client may lag behind before ZeroMQ drops for it; a few seconds of a very busy bus."""
_BATCH = 2_000
# Plain integers: pyzmq's enums cost about as much as what is done with them.
_DONTWAIT = int(zmq.DONTWAIT)
_EVENTS = int(zmq.EVENTS)
_POLLIN = int(zmq.POLLIN)


class Link:
    """Sockets, mirror and calls of one client."""

    def __init__(self, endpoint: Endpoint, *, topics: Iterable[str] | None, actor: str | None) -> None:
        self.endpoint = endpoint
        self.mirror = Mirror(topics)
        self.calls = Calls(actor or default_actor())
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.control = control_socket(self._context)
        self.frames = self._context.socket(zmq.SUB)
        self.frames.setsockopt(zmq.LINGER, 0)
        self.frames.setsockopt(zmq.RCVHWM, RECEIVE_HWM)
        try:
            watched = connect(self.control, endpoint.control, endpoint), connect(self.frames, endpoint.frames, endpoint)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._refusals = [refusal for refusal in watched if refusal is not None]
        self._outbox: list[tuple[str, bytes]] = []
        self._unsent_ask: bytes | None = None
        """The last question of the mirror, while it cannot be sent; a later one makes it void."""
        self.mirror.start(time.monotonic())
        self._act()

    def call(self, cmd: str, args: Mapping[str, Any] | None, deadline_s: float) -> str:
        """Send a command as soon as the daemon is connected; its ``Outcome`` comes out of ``pump``."""
        command_id, data = self.calls.begin(cmd, args, deadline_s, time.monotonic())
        self._outbox.append((command_id, data))
        self._flush()
        return command_id

    def pump(self, *, replies: bool = True) -> list[Event]:
        """Take in what has arrived and let time pass; returns what happened, in order.

        ``replies`` is False for who knows that there are none: to be told by ZeroMQ takes as long as to read a frame.
        """
        events: list[Event] = []
        if replies:
            self._drain_control(events)
        self._drain_frames(events)
        now = time.monotonic()
        self.mirror.tick(now)
        for outcome in self.calls.tick(now):
            # What was reported as failed must not be sent later, to a daemon that starts by then.
            self._outbox = [(command_id, data) for command_id, data in self._outbox if command_id != outcome.id]
            events.append(outcome)
        self._collect(events)
        self._act()
        self._flush()
        return events

    def wants_to_send(self) -> bool:
        """True while commands wait for the control socket to be connected."""
        return bool(self._outbox) or self._unsent_ask is not None

    def more_is_waiting(self) -> bool:
        """True when a batch ended before a socket was empty."""
        return _readable(self.frames) or _readable(self.control)

    def refusal(self) -> DaemonUnreachable | None:
        """Why there is no use in waiting: the daemon refuses this key. It never connects again by itself."""
        return next((refusal.error() for refusal in self._refusals if refusal.look()), None)

    def close(self) -> None:
        """Close both sockets and their context."""
        for refusal in self._refusals:
            refusal.close()
        self.control.close(linger=0)
        self.frames.close(linger=0)
        self._context.term()

    def _drain_frames(self, events: list[Event]) -> None:
        mirror = self.mirror
        for number in range(_BATCH):
            # Most often there is one frame, and to ask whether there is another is quicker than to be refused it.
            if number == 1 and not _readable(self.frames):
                break
            try:
                parts = self.frames.recv_multipart(_DONTWAIT)
            except zmq.Again:
                break
            try:
                mirror.received(decode_any_frame(parts), time.monotonic())
            except BadRequest:
                continue
            self._collect(events)

    def _drain_control(self, events: list[Event]) -> None:
        while True:
            try:
                data = self.control.recv_multipart(zmq.DONTWAIT)[-1]
            except zmq.Again:
                return
            try:
                reply = self.calls.replied(data)
            except BadRequest:
                continue
            if reply is None:
                continue
            self.mirror.answered(reply.id, reply.result, time.monotonic(), reply.error)
            if reply.outcome is not None:
                events.append(reply.outcome)
            self._collect(events)

    def _collect(self, events: list[Event]) -> None:
        for event in self.mirror.take_events():
            events.append(event)
            if isinstance(event, FrameSeen) and event.frame.topic == COMMAND_FINISHED:
                outcome = self.calls.finished(event.frame.body)
                if outcome is not None:
                    events.append(outcome)
            elif isinstance(event, Resynced):
                events.extend(self._after_resync(event))
            elif isinstance(event, Joined):
                # What ended before the snapshot was made is not among the frames behind it.
                self._outbox.extend(self.calls.unanswered(accepted=True))

    def _after_resync(self, event: Resynced) -> list[Outcome]:
        if event.reason == "the daemon restarted":
            self._outbox.clear()
            return self.calls.daemon_restarted()
        self._outbox = self.calls.unanswered()
        return []

    def _act(self) -> None:
        for action in self.mirror.take_actions():
            if isinstance(action, Ask):
                self._ask(action.id, action.cmd, action.args)
            elif isinstance(action, Subscribe):
                self.frames.setsockopt(zmq.SUBSCRIBE, action.topic.encode())
            else:
                self.frames.setsockopt(zmq.UNSUBSCRIBE, action.topic.encode())

    def _ask(self, ask_id: str, cmd: str, args: Body) -> None:
        self._unsent_ask = encode_command(
            cmd, args, command_id=ask_id, deadline_s=DEFAULT_DEADLINE_S, actor=self.calls.actor
        )
        self._flush()

    def _flush(self) -> None:
        if self._unsent_ask is not None and self._sent(self._unsent_ask):
            self._unsent_ask = None
        while self._outbox and self._sent(self._outbox[0][1]):
            self._outbox.pop(0)

    def _sent(self, data: bytes) -> bool:
        try:
            self.control.send_multipart([b"", data], zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True


def _readable(socket: "zmq.Socket[bytes]") -> bool:
    return bool(int(socket.getsockopt(_EVENTS)) & _POLLIN)
