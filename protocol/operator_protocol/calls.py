"""Commands on their way, without I/O: which were sent, which were accepted, how each one ended."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from operator_protocol.codec import MAX_REPLY_BYTES, Body, unpack_map
from operator_protocol.errors import DeadlineExceeded, OperatorError, Unavailable, error_from_wire
from operator_protocol.events import Outcome
from operator_protocol.requests import GRACE_S, encode_command, new_id


class Reply(NamedTuple):
    """A reply, taken apart. ``outcome`` is None for an ``accepted``, and for an id that is none of the calls'."""

    id: str
    result: Body | None
    error: OperatorError | None
    outcome: Outcome | None


class _Call:
    __slots__ = ("accepted", "cmd", "data", "give_up_at")

    def __init__(self, cmd: str, data: bytes, give_up_at: float) -> None:
        self.cmd = cmd
        self.data = data
        self.give_up_at = give_up_at
        self.accepted = False


class Calls:
    """The commands of one client that have no outcome yet.

    A reply that says ``accepted`` is not the outcome: that comes as a ``command.finished`` frame. Should the frame or a
    reply be lost, the recorded answer comes when the command is sent again with its id. After a restart of the daemon
    nobody remembers the ids, so nothing is sent again: a command must not be executed twice.
    """

    def __init__(self, actor: str) -> None:
        self.actor = actor
        self._calls: dict[str, _Call] = {}

    def begin(self, cmd: str, args: Mapping[str, Any] | None, deadline_s: float, now: float) -> tuple[str, bytes]:
        """Note a new command; returns its id and the bytes to send."""
        command_id = new_id()
        data = encode_command(cmd, args, command_id=command_id, deadline_s=deadline_s, actor=self.actor)
        self._calls[command_id] = _Call(cmd, data, now + deadline_s + GRACE_S)
        return command_id, data

    def replied(self, data: bytes) -> Reply | None:
        """Take in a reply; None for one without an id. Raises ``BadRequest`` for what is no reply."""
        reply = unpack_map(data, MAX_REPLY_BYTES)
        command_id = reply.get("id")
        if not isinstance(command_id, str):
            return None
        result, error = _read(reply)
        call = self._calls.get(command_id)
        if call is None:
            return Reply(command_id, result, error, None)
        if result is not None and result.get("accepted") is True:
            call.accepted = True
            return Reply(command_id, result, None, None)
        return Reply(command_id, result, error, self._end(command_id, result, error))

    def finished(self, body: Body) -> Outcome | None:
        """Take in the body of a ``command.finished`` frame."""
        command_id = body.get("id")
        if not isinstance(command_id, str) or command_id not in self._calls:
            return None
        return self._end(command_id, *_read(body))

    def unanswered(self, *, accepted: bool = False) -> list[tuple[str, bytes]]:
        """Ids and bytes to send again after a resync with the same daemon, to learn of outcomes that were missed.

        With ``accepted`` only those that this daemon has taken on, which is all that is known before the first join.
        """
        return [(command_id, call.data) for command_id, call in self._calls.items() if call.accepted or not accepted]

    def daemon_restarted(self) -> list[Outcome]:
        """All that was under way is void."""
        error = Unavailable("the daemon restarted before it answered", "look at `operatorctl status`, then try again")
        return [self._end(command_id, None, error) for command_id in list(self._calls)]

    def tick(self, now: float) -> list[Outcome]:
        """Outcomes of the commands whose time is over."""
        late = [command_id for command_id, call in self._calls.items() if now >= call.give_up_at]
        return [
            self._end(command_id, None, DeadlineExceeded(f"no answer to {self._calls[command_id].cmd} in time"))
            for command_id in late
        ]

    def _end(self, command_id: str, result: Body | None, error: OperatorError | None) -> Outcome:
        return Outcome(command_id, self._calls.pop(command_id).cmd, result, error)


def _read(reply: Mapping[str, Any]) -> tuple[Body | None, OperatorError | None]:
    if reply.get("ok") is True:
        result = reply.get("result")
        return (result if isinstance(result, dict) else {}), None
    error = reply.get("error")
    return None, error_from_wire(error if isinstance(error, dict) else {})
