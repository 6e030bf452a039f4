"""The one place where bytes become values: msgpack with UTF-8 strings and binary kept apart."""

from typing import Any, TypeAlias

import msgpack

from operator_protocol.errors import BadRequest

Body: TypeAlias = dict[str, Any]
"""A msgpack map with string keys: the body of a frame, of a command or of a reply."""

MAX_MESSAGE_BYTES = 1 << 20
"""A frame or a command above 1 MiB is refused before it is read (design, section 4)."""

MAX_REPLY_BYTES = 1 << 26
"""A reply may carry a whole snapshot; above 64 MiB something is wrong."""

MAX_DEPTH = 32
"""Levels of maps and arrays in what a command carries, and in what the daemon keeps of a frame.

msgpack itself gives up at 1,024, Python's ``repr`` before that, and a snapshot wraps what it holds in a few more.
"""

_MAX_DEPTH_ITEMS = 1 << 17


def pack(value: object) -> bytes:
    """Encode ``value`` as msgpack. Raises ``TypeError`` for what the wire cannot carry."""
    data: bytes = msgpack.packb(value, use_bin_type=True)
    return data


def unpack(data: bytes | memoryview, max_bytes: int = MAX_MESSAGE_BYTES) -> Any:
    """Decode one msgpack value.

    Raises ``BadRequest`` when the bytes are too many, torn, not UTF-8 where text is due, or nested beyond reason.
    """
    if len(data) > max_bytes:
        raise BadRequest(f"message of {len(data)} bytes is larger than {max_bytes}")
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=False,
            max_array_len=_MAX_DEPTH_ITEMS,
            max_map_len=_MAX_DEPTH_ITEMS,
        )
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise BadRequest(f"not a msgpack value: {error}") from error


def unpack_map(data: bytes | memoryview, max_bytes: int = MAX_MESSAGE_BYTES) -> Body:
    """Decode one msgpack map with string keys; anything else is a ``BadRequest``."""
    value = unpack(data, max_bytes)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise BadRequest("expected a map with string keys")
    return value


def is_shallow(value: object, levels: int = MAX_DEPTH) -> bool:
    """True if ``value`` has at most so many levels of maps and arrays."""
    level = [value]
    for _ in range(levels + 1):
        nested = [one for one in level if isinstance(one, dict | list)]
        if not nested:
            return True
        level = [child for one in nested for child in (one.values() if isinstance(one, dict) else one)]
    return False
