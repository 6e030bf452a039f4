"""What is owed, on disk before it is done.

Faults that outlive the tool that made them are the common complaint about such tools; they come from undo lists kept
in memory. So the intent is written and fsync'd, file and directory, before anything is injected, and struck out only
after the undo was verified. Replaying the file gives what is owed, whatever instant the daemon was killed at.

The file is append-only. A line is one JSON object, ``{"crc": N, "record": {...}}``, with the CRC-32 of the record's
own JSON. Records: ``intent`` (the fault, what its undo needs, which cluster it was meant for), ``injected``,
``struck``. The end of the file may be torn by a crash: an intent cut short was never acted on, since injection waits
for the fsync. Anything unreadable before the end is damage: the file is then kept aside under
``NAME.corrupt-<UTC time>``, said so in ``notices``, and what could be read is carried over.
"""

import contextlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from operator_protocol.errors import OperatorError, Unavailable
from operator_protocol.models import Fault, Scalar
from operator_protocol.records import from_body, to_body
from operatord.clock import Clock

_OWING = frozenset(("intent", "injected"))
"""Records that carry what is owed. One that a newer version wrote, of a name unknown here, is passed over."""


@dataclass(frozen=True, slots=True)
class Owed:
    """One fault that has to be undone, with all that the undo needs from outside the target."""

    fault: Fault
    memo: Mapping[str, Scalar] = field(default_factory=dict)
    """What ``SubjectControl.prepare`` said, before the injection."""
    instance: str = ""
    """Which cluster it was meant for: it changes when the cluster is built anew, not when it is adopted."""
    was_healthy: bool = True
    """False when the fault was forced on a cluster that was not healthy: its undo cannot wait for health then."""


@dataclass(frozen=True, slots=True)
class _Record:
    event: str
    id: str
    at: float
    owed: Owed | None = None
    by: str = ""


class UndoJournal:
    """The undo journal of one state directory. One process at a time may hold it (the directory is locked)."""

    def __init__(self, path: Path, *, wall: Clock = time.time, fsync: Callable[[int], None] = os.fsync) -> None:
        """Open and replay ``path``, creating it if need be. Raises ``Unavailable`` if it cannot be read or written."""
        self.path = path
        self.notices: list[str] = []
        """What a person should be told about the file, one line each."""
        self._wall = wall
        self._fsync = fsync
        self._torn = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._owed = self._load()
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._sync_directory()
        except OSError as error:
            raise Unavailable(
                f"the undo journal {path} cannot be opened: {error.strerror}", "choose another --state-dir"
            ) from error

    def owed(self) -> list[Owed]:
        """What has to be undone, oldest first."""
        return list(self._owed.values())

    def intend(self, owed: Owed) -> None:
        """Remember, on disk, that ``owed`` is about to be injected. Raises ``Unavailable`` when that cannot be done."""
        self._append(_Record("intent", owed.fault.id, self._wall(), owed), directory=True)
        self._owed[owed.fault.id] = owed

    def injected(self, fault: Fault) -> None:
        """Remember that the injection of ``fault`` is done, as ``fault`` says it."""
        owed = replace(self._owed[fault.id], fault=fault)
        self._append(_Record("injected", fault.id, self._wall(), owed))
        self._owed[fault.id] = owed

    def strike(self, fault_id: str, by: str) -> None:
        """Forget a fault whose undo was verified. Striking what is not there is nothing."""
        if fault_id not in self._owed:
            return
        self._append(_Record("struck", fault_id, self._wall(), by=by))
        del self._owed[fault_id]

    def close(self) -> None:
        """Give the file back; what is owed stays owed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append(self, record: _Record, *, directory: bool = False) -> None:
        # A line that a failed write left half done must not swallow the next one.
        data = (b"\n" if self._torn else b"") + _encode(record)
        try:
            before = os.fstat(self._fd).st_size
            try:
                _write_all(self._fd, data)
                self._fsync(self._fd)
                if directory:
                    self._sync_directory()
            except OSError:
                self._torn = True
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, before)
                    self._torn = False
                raise
        except OSError as error:
            raise Unavailable(
                f"the undo journal {self.path} cannot be written: {error.strerror}",
                "make room or choose another --state-dir; nothing is injected that could not be undone",
            ) from error
        self._torn = False

    def _load(self) -> dict[str, Owed]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        records, unreadable, torn = _decode(data)
        owed = _replay(records)
        compact = b"".join(_encode(record) for record in _as_records(owed, self._wall()))
        if unreadable:
            kept = self._keep_aside()
            self.notices.append(
                f"the undo journal {self.path} was damaged ({unreadable} unreadable lines): kept as {kept.name}, "
                f"{len(owed)} faults that are owed were carried over"
            )
        elif torn:
            self.notices.append(f"the undo journal {self.path} was cut short while it was written; it is whole again")
        if unreadable or torn or len(records) != len(owed):
            self._replace(compact)
        return owed

    def _keep_aside(self) -> Path:
        """Give the damaged file a second name; the first is replaced later, in one step, so that none ever lacks."""
        stamp = datetime.fromtimestamp(self._wall(), UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in range(1000):
            aside = self.path.with_name(f"{self.path.name}.corrupt-{stamp}{f'-{number}' if number else ''}")
            try:
                os.link(self.path, aside)
            except FileExistsError:
                continue
            except OSError:  # a file system without hard links
                shutil.copy2(self.path, aside)
            return aside
        raise FileExistsError(17, "too many damaged journals of the same second")

    def _replace(self, data: bytes) -> None:
        new = self.path.with_name(f"{self.path.name}.new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, data)
            self._fsync(fd)
        finally:
            os.close(fd)
        new.replace(self.path)
        self._sync_directory()

    def _sync_directory(self) -> None:
        fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._fsync(fd)
        finally:
            os.close(fd)


def read_owed(path: Path) -> list[Owed]:
    """What the journal at ``path`` says is owed, without touching it. No file: nothing; unreadable: ``Unavailable``."""
    try:
        records, _, _ = _decode(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unavailable(f"the undo journal {path} cannot be read: {error.strerror}") from error
    return list(_replay(records).values())


def _replay(records: list[_Record]) -> dict[str, Owed]:
    owed: dict[str, Owed] = {}
    for record in records:
        if record.event == "struck":
            owed.pop(record.id, None)
        elif record.owed is not None and record.event in _OWING:
            owed[record.id] = record.owed
    return owed


def _as_records(owed: Mapping[str, Owed], at: float) -> list[_Record]:
    return [
        _Record("intent" if one.fault.injected_at is None else "injected", one.fault.id, at, one)
        for one in owed.values()
    ]


def _encode(record: _Record) -> bytes:
    body = json.dumps(to_body(record), separators=(",", ":"), sort_keys=True)
    return f'{{"crc":{zlib.crc32(body.encode())},"record":{body}}}\n'.encode()


def _decode(data: bytes) -> tuple[list[_Record], int, bool]:
    """The records of ``data``, how many lines before the last are unreadable, and whether the end is torn."""
    *lines, tail = data.split(b"\n")
    records: list[_Record] = []
    unreadable = 0
    for line in lines:
        if not line:
            continue
        record = _decode_line(line)
        if record is None:
            unreadable += 1
        else:
            records.append(record)
    if not tail:
        return records, unreadable, False
    last = _decode_line(tail)
    if last is not None:
        # Only the newline is missing: the record is whole, so it counts; the file still needs its newline.
        records.append(last)
    return records, unreadable, True


def _decode_line(line: bytes) -> _Record | None:
    try:
        value = json.loads(line)
        body = value["record"]
        if zlib.crc32(json.dumps(body, separators=(",", ":"), sort_keys=True).encode()) != value["crc"]:
            return None
        record = from_body(_Record, body)
    except (ValueError, TypeError, KeyError, OperatorError, RecursionError):
        return None
    return None if record.event in _OWING and record.owed is None else record


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
