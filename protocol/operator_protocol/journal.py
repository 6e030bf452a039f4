"""The journal's records: every frame of a daemon, in the order of its bus, and what was true where a file begins.

A file starts with ``MAGIC``. Each record is ``length | crc32 | payload`` (two little-endian 32-bit numbers, then
``length`` bytes), the payload the msgpack array ``[topic, header, body]`` of three binaries, as they were published. A
daemon that was killed may leave a torn record at the end of a file; reading stops there, and ``Records.flaw`` says so.

One kind of record was never published: a *checkpoint*, under the topic ``journal.checkpoint``. Its body is what the
command ``snapshot`` would have answered at that moment, without the captured output of processes; its header has the
``seq`` of the last frame that is included. Each file of the daemon's journal and each recording begins with one, so
that a reader knows what is true without the files that rotation has dropped.

A recording that is given away may be packed with gzip; it is unpacked when it is opened.
"""

import io
import os
import stat
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgpack

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import MAX_REPLY_BYTES, unpack, unpack_map
from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.frames import Frame, Header, decode_frame, header_from_wire

MAGIC = b"OPJ1\n"
_PACKED = b"\x1f\x8b"
_MAX_UNPACKED_BYTES = 1 << 30
"""A small file may claim to hold any amount."""
SUFFIX = ".opj"
CHECKPOINT = "journal.checkpoint"
_PREFIX = struct.Struct("<II")
_MAX_RECORD_BYTES = MAX_REPLY_BYTES + 4096
"""A checkpoint is as large as the reply to ``snapshot`` may be; a length above that is not one of ours."""


def encode_record(parts: Sequence[bytes]) -> bytes:
    """One record of the three parts of a frame."""
    payload: bytes = msgpack.packb(list(parts), use_bin_type=True)
    return _PREFIX.pack(len(payload), zlib.crc32(payload)) + payload


def split_record(payload: bytes) -> list[bytes]:
    """The three parts in the payload of a record. Raises ``BadRequest``."""
    try:
        parts = msgpack.unpackb(payload, raw=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BadRequest(f"a record that is no frame: {error}") from error
    if not isinstance(parts, list) or len(parts) != 3 or not all(isinstance(part, bytes) for part in parts):
        raise BadRequest("a record has three binaries")
    return parts


def checkpoint(snapshot: Mapping[str, Any], at: Header, keep: Callable[[str], bool] | None = None) -> Frame:
    """The checkpoint that holds ``snapshot``, the result of the command of that name, taken at the time of ``at``.

    ``keep`` says which topics of its tails to keep, of those that are not captured output.
    """
    boot_id, seq = str(snapshot["boot_id"]), int(snapshot["seq"])
    tails = [tail for tail in snapshot.get("tails") or () if not is_log(tail[0]) and (keep is None or keep(tail[0]))]
    header = Header(PROTOCOL_VERSION, boot_id, seq, 0, at.wall_ts, at.mono_ts, at.source)
    return Frame(CHECKPOINT, header, {**snapshot, "tails": tails})


def decode_checkpoint(parts: Sequence[bytes]) -> Frame:
    """The checkpoint in the parts of a record; larger than a frame may be. Raises ``BadRequest``."""
    return Frame(CHECKPOINT, header_from_wire(unpack(parts[1])), unpack_map(parts[2], MAX_REPLY_BYTES))


def is_log(topic: str) -> bool:
    """True for the captured output of a process."""
    return topic.startswith("process.") and topic.endswith(".log")


class Records:
    """The records of one open file, from its beginning; iterate once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.flaw = ""
        """Why reading stopped before the end of the file, once it has; empty for a file that is whole."""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Position and payload of each record. Raises ``BadRequest`` if the file is not a journal."""
        file, position = self._file, len(MAGIC)
        magic = file.read(position)
        if magic != MAGIC:
            if not MAGIC.startswith(magic):
                raise BadRequest(f"{file.name} is not a journal of operatord")
            self.flaw = "empty" if not magic else "torn"
            return
        while prefix := file.read(_PREFIX.size):
            length, checksum = _PREFIX.unpack(prefix) if len(prefix) == _PREFIX.size else (0, 0)
            payload = file.read(length) if length <= _MAX_RECORD_BYTES else b""
            if not payload or zlib.crc32(payload) != checksum:
                # What a killed daemon left ends the file; anything else in the middle of it is damage.
                torn = len(payload) < length <= _MAX_RECORD_BYTES or len(prefix) < _PREFIX.size
                self.flaw = "torn" if torn else "damaged"
                return
            yield position + _PREFIX.size, payload
            position += _PREFIX.size + length


def open_journal(path: Path) -> BinaryIO:
    """Open one file for reading, one that is packed with gzip as what is in it.

    Raises ``NotFound``, and ``BadRequest`` for what cannot be unpacked.
    """
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 (Path.open has no opener)
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotFound(f"cannot read {path}: it is no regular file")
    return _unpacked(file) if file.peek(len(_PACKED)).startswith(_PACKED) else file


def _unpacked(packed: io.BufferedReader) -> BinaryIO:
    """What is in ``packed``: a file that is gone with its descriptor, and goes by the same name."""
    import gzip  # few files need it

    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller reads it)
    with packed:
        try:
            with gzip.GzipFile(fileobj=packed) as source:
                # What is something else is not unpacked to its end before that is said.
                if not MAGIC.startswith(source.peek(len(MAGIC))[: len(MAGIC)]):
                    raise BadRequest(f"{packed.name} is not a journal of operatord")
                while part := source.read(1 << 20):
                    file.write(part)
                    if file.tell() > _MAX_UNPACKED_BYTES:
                        raise BadRequest(f"{packed.name} holds more than {_MAX_UNPACKED_BYTES >> 30} GiB")
        except (OSError, EOFError, zlib.error) as error:
            file.close()
            raise BadRequest(f"{packed.name} is damaged: {error}") from error
        except BaseException:
            file.close()
            raise
    file.seek(0)
    file.raw.name = packed.name  # type: ignore[attr-defined]
    return file


def _without_waiting(path: str, flags: int) -> int:
    # A pipe of that name would hold us up before it can be refused.
    return os.open(path, flags | os.O_NONBLOCK)


def journal_files(directory: Path) -> list[Path]:
    """The journal files in ``directory``, oldest first: their names sort by time and serial number."""
    return sorted(directory.glob(f"*{SUFFIX}"))


def read_frames(path: Path) -> Iterator[Frame]:
    """The frames of one journal file, up to its end or to the first torn record.

    Checkpoints are passed over, and so is a body that nobody can read: it was forwarded unread as well.
    Raises ``NotFound`` if there is no such file, ``BadRequest`` if it is not a journal.
    """
    with open_journal(path) as file:
        for _, payload in Records(file):
            frame = _published(payload)
            if frame is not None:
                yield frame


def read_journal(directory: Path) -> Iterator[Frame]:
    """The frames of all journal files in ``directory``, oldest file first."""
    for path in journal_files(directory):
        yield from read_frames(path)


def _published(payload: bytes) -> Frame | None:
    try:
        parts = split_record(payload)
        return None if parts[0] == CHECKPOINT.encode() else decode_frame(parts)
    except BadRequest:
        return None
