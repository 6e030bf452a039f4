"""From the parts of a message on ``control`` to a command, or to the reason why it is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import MAX_DEPTH, Body, is_shallow, unpack_map
from operator_protocol.errors import BadRequest, OperatorError, VersionMismatch
from operatord.bus.intake import why_unreadable

MAX_ID_CHARS = 128
MAX_CMD_CHARS = 64
MAX_ACTOR_CHARS = 200
DEFAULT_DEADLINE_S = 10.0
MAX_DEADLINE_S = 86_400.0
_MAX_HOPS = 8
_MAX_HOP_BYTES = 255
"""The longest identity that ZeroMQ knows."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A well-formed command; whether there is one of that name, and what its arguments mean, is yet to be seen."""

    id: str
    cmd: str
    args: Mapping[str, Any]
    deadline_s: float
    declared: str
    """Who the sender says it is."""


class NoCommand(Exception):
    """A message that is no command: the reason to count it under, the error to answer, and the id if it has one."""

    def __init__(self, reason: str, error: OperatorError, command_id: str | None = None) -> None:
        super().__init__(error.message)
        self.reason = reason
        self.error = error
        self.command_id = command_id


def check_envelope(envelope: Sequence[bytes]) -> None:
    """The parts before the command go back with each reply; what is no envelope is not worth that."""
    if not 1 <= len(envelope) <= _MAX_HOPS or any(len(hop) > _MAX_HOP_BYTES for hop in envelope):
        raise NoCommand("torn", BadRequest("a command is one part after an empty one"))


def parse(data: bytes) -> Incoming:
    """The command in ``data``. Raises ``NoCommand``."""
    try:
        body = unpack_map(data)
    except BadRequest as error:
        raise NoCommand(why_unreadable(data), error) from error
    command_id = body.get("id")
    if not isinstance(command_id, str) or not 0 < len(command_id) <= MAX_ID_CHARS:
        raise NoCommand("bad_field", BadRequest(f"a command needs an id: text of at most {MAX_ID_CHARS} characters"))
    if body.get("v") != PROTOCOL_VERSION:
        version = body.get("v") if isinstance(body.get("v"), int) else "unknown"
        mismatch = VersionMismatch(f"command of protocol version {version}, this daemon speaks {PROTOCOL_VERSION}")
        raise NoCommand("version_mismatch", mismatch, command_id)
    try:
        return _fields(command_id, body)
    except BadRequest as error:
        raise NoCommand("bad_field", error, command_id) from error


def _fields(command_id: str, body: Body) -> Incoming:
    cmd, actor = body.get("cmd"), body.get("actor", "")
    args, deadline_s = body.get("args", {}), body.get("deadline", DEFAULT_DEADLINE_S)
    if not isinstance(cmd, str) or not 0 < len(cmd) <= MAX_CMD_CHARS:
        raise BadRequest(f"cmd of a command is text of at most {MAX_CMD_CHARS} characters")
    if not isinstance(actor, str):
        raise BadRequest("actor of a command is text")
    if not isinstance(args, dict) or not all(isinstance(key, str) for key in args):
        raise BadRequest("args of a command is a map with string keys")
    if not is_shallow(args):
        raise BadRequest(f"args of a command are nested over {MAX_DEPTH} levels deep")
    if isinstance(deadline_s, bool) or not isinstance(deadline_s, int | float) or not 0 < deadline_s <= MAX_DEADLINE_S:
        raise BadRequest(f"deadline of a command is a number of seconds up to {MAX_DEADLINE_S:g}")
    return Incoming(command_id, cmd, args, float(deadline_s), actor[:MAX_ACTOR_CHARS])
