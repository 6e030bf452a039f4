"""The journal's records and how to read them: every frame of a daemon, in the order of its bus.

A file starts with ``MAGIC``. Each record is ``length | crc32 | payload`` (two little-endian 32-bit numbers, then
``length`` bytes), the payload the msgpack array ``[topic, header, body]`` of three binaries, as they were published. A
daemon that was killed may leave a torn record at the end of a file; reading stops there and says so.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgpack

from operator_protocol.codec import MAX_MESSAGE_BYTES
from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.frames import Frame, decode_frame

MAGIC = b"OPJ1\n"
SUFFIX = ".opj"
_PREFIX = struct.Struct("<II")
_MAX_RECORD_BYTES = MAX_MESSAGE_BYTES + 4096


def encode_record(parts: Sequence[bytes]) -> bytes:
    """One record of the three parts of a frame."""
    payload: bytes = msgpack.packb(list(parts), use_bin_type=True)
    return _PREFIX.pack(len(payload), zlib.crc32(payload)) + payload


def read_frames(path: Path) -> Iterator[Frame]:
    """The frames of one journal file, up to its end or to the first torn record.

    Raises ``NotFound`` if there is no such file, ``BadRequest`` if it is not a journal.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from error
    with file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BadRequest(f"{path} is not a journal of operatord")
        while prefix := file.read(_PREFIX.size):
            if len(prefix) < _PREFIX.size:
                return
            length, checksum = _PREFIX.unpack(prefix)
            payload = file.read(length) if length <= _MAX_RECORD_BYTES else b""
            if len(payload) < length or zlib.crc32(payload) != checksum:
                return
            yield decode_frame(msgpack.unpackb(payload, raw=False))


def read_journal(directory: Path) -> Iterator[Frame]:
    """The frames of all journal files in ``directory``, oldest file first."""
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        yield from read_frames(path)
