"""A frame: ``topic | header | body``, the unit of everything that is published, journalled and replayed."""

from collections.abc import Sequence
from typing import NamedTuple

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import Body, pack, unpack, unpack_map
from operator_protocol.errors import BadRequest


class Header(NamedTuple):
    """What the broker stamps on a frame; a msgpack array in this order."""

    version: int
    boot_id: str
    """Random, new at each start of the daemon."""
    seq: int
    """Counts every frame of one boot, from 1."""
    topic_seq: int
    """Counts the frames of this topic, from 1, so that a filtered subscriber sees gaps too."""
    wall_ts: float
    """Seconds since the epoch; only to show."""
    mono_ts: float
    """Seconds on the daemon's monotonic clock; for intervals."""
    source: str
    """Name of the process that made the body."""


MAX_TOLD_LATE_S = 5.0
"""What a frame says to have been earlier than this before it is another clock's time."""


def told_late_s(wall_ts: float, at: float | None) -> float:
    """How many seconds before its frame, of ``wall_ts``, something was at ``at``; both wall clock.

    An injection is told of a little after it, and what it caused may have been seen in between. 0.0 where nobody knows,
    or where the clock was set meanwhile.
    """
    late_s = 0.0 if at is None else wall_ts - at
    return late_s if 0.0 <= late_s <= MAX_TOLD_LATE_S else 0.0


class Frame(NamedTuple):
    """One decoded frame."""

    topic: str
    header: Header
    body: Body


def header_from_wire(value: object) -> Header:
    """Check and build a header from its decoded array. A longer array of the same version is a newer minor version."""
    if not isinstance(value, list | tuple) or len(value) < 7:
        raise BadRequest("a frame's header is an array of at least seven members")
    version, boot_id, seq, topic_seq, wall_ts, mono_ts, source = value[:7]
    if version != PROTOCOL_VERSION:
        raise BadRequest(f"frame of protocol version {version!r}, this side speaks {PROTOCOL_VERSION}")
    if not (
        isinstance(boot_id, str)
        and isinstance(seq, int)
        and isinstance(topic_seq, int)
        and isinstance(wall_ts, int | float)
        and isinstance(mono_ts, int | float)
        and isinstance(source, str)
    ):
        raise BadRequest("a frame's header has members of the wrong type")
    return Header(version, boot_id, seq, topic_seq, float(wall_ts), float(mono_ts), source)


def decode_frame(parts: Sequence[bytes]) -> Frame:
    """Decode the three parts of a frame. Raises ``BadRequest`` for anything else."""
    if len(parts) != 3:
        raise BadRequest(f"a frame has three parts, this has {len(parts)}")
    try:
        topic = parts[0].decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("a frame's topic is not UTF-8") from error
    return Frame(topic, header_from_wire(unpack(parts[1])), unpack_map(parts[2]))


def decode_any_frame(parts: Sequence[bytes]) -> Frame:
    """The same, but a body that cannot be read is empty: the frame counts, or the next one would look like a gap."""
    try:
        return decode_frame(parts)
    except BadRequest:
        return decode_frame([*parts[:2], b"\x80"])


def encode_frame(frame: Frame) -> list[bytes]:
    """The three parts of ``frame``."""
    return [frame.topic.encode(), pack(list(frame.header)), pack(frame.body)]
