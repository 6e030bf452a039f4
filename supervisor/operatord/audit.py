"""Who did what: one JSON object a line, appended to ``audit.log`` in the state directory.

What changes something is always written on its own. What may be sent a thousand times a second (a ``ping``, a refused
connection that tries again) is written the first time, and the others of its kind within a minute are counted: one
line with ``repeated`` accounts for them. So nobody can push out what somebody did by asking often.
"""

import errno
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operatord.clock import Clock

FILE_NAME = "audit.log"
MAX_BYTES = 8 << 20
KEEP_FILES = 8
WINDOW_S = 60.0
MAX_KINDS = 500
"""Kinds of one event that are counted apart within one window; a thousand strangers more are one kind."""
_MAX_TEXT = 1_500
"""Characters of arguments; also what keeps their nesting below the depth that the encoder can follow."""

Record = Mapping[str, object]


@dataclass(slots=True)
class _Window:
    record: Record
    closes_at: float
    repeated: int = 0
    last_at: float = 0.0


class AuditLog:
    """Appends; rotates by size, keeps the newest files. Failing to write is said once, and again when it is over."""

    def __init__(
        self,
        path: Path,
        *,
        on_error: Callable[[str], None],
        max_bytes: int = MAX_BYTES,
        keep_files: int = KEEP_FILES,
        wall: Callable[[], float] = time.time,
        clock: Clock = time.monotonic,
    ) -> None:
        self.path = path
        self._on_error = on_error
        self._max_bytes = max_bytes
        self._keep_files = keep_files
        self._wall = wall
        self._clock = clock
        self._fd: int | None = None
        self._lost = 0
        self._windows: dict[Hashable, _Window] = {}
        self._kinds: Counter[str] = Counter()

    def write(self, record: Record) -> None:
        """Append ``record`` with the wall time."""
        self._append({"at": self._wall(), **record})

    def again(self, kind: Hashable) -> bool:
        """True if one of this kind was written within the last minute; this one is then counted."""
        window = self._windows.get(kind)
        if window is None:
            return False
        window.repeated += 1
        window.last_at = self._wall()
        return True

    def write_first(self, kind: Hashable, record: Record, *, max_kinds: int = MAX_KINDS) -> bool:
        """Append the first of a kind, count the others; True if it was appended.

        At most ``max_kinds`` of one event are told apart at a time.
        """
        if self.again(kind):
            return False
        event = str(record.get("event"))
        if self._kinds[event] >= max_kinds:
            kind = ("others", event)
            if self.again(kind):
                return False
            record = {"event": event, "reason": "others: too many at once to tell them apart"}
        self._kinds[event] += 1
        self._windows[kind] = _Window(record, self._clock() + WINDOW_S)
        self.write(record)
        return True

    def tick(self) -> None:
        """Write down what was counted in the minutes that are over; due about once a second."""
        now = self._clock()
        for kind in [kind for kind, window in self._windows.items() if window.closes_at <= now]:
            self._account(self._windows.pop(kind))

    def close(self) -> None:
        """Write down what was counted, and close."""
        for kind in list(self._windows):
            self._account(self._windows.pop(kind))
        self._let_go()

    def _account(self, window: _Window) -> None:
        self._kinds[str(window.record.get("event"))] -= 1
        if window.repeated:
            self._append({"at": window.last_at, **window.record, "repeated": window.repeated})

    def _append(self, record: Record) -> None:
        try:
            if self._lost:
                self._put({"at": self._wall(), "event": "lost", "records": self._lost})
                self._on_error(f"the audit log {self.path} is written again; {self._lost} records are lost")
                self._lost = 0
            self._put(record)
        except OSError as error:
            if not self._lost:
                self._on_error(f"the audit log {self.path} cannot be written: {error.strerror}")
            self._lost += 1

    def _put(self, record: Record) -> None:
        data = json.dumps(record, separators=(", ", ": "), default=str).encode() + b"\n"
        info = os.fstat(self._opened())
        if not info.st_nlink:
            # Somebody deleted the file; what is appended to it now would be gone with our descriptor.
            self._let_go()
        size = info.st_size if info.st_nlink else 0
        if size and size + len(data) > self._max_bytes:
            self._rotate()
        fd = self._opened()
        written = os.write(fd, data)
        if written < len(data):
            # A full disk took a part; without it the next record does not begin in the middle of a line.
            os.ftruncate(fd, os.fstat(fd).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _opened(self) -> int:
        if self._fd is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self.path, flags, 0o600)
        return self._fd

    def _let_go(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _rotate(self) -> None:
        self._let_go()
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{age}") for age in range(1, self._keep_files))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)


def plain(value: Mapping[str, Any]) -> object:
    """``value`` as JSON can hold it; text cut to a bearable length if it is too long or cannot be JSON."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return _cut(value)
    return value if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


def _cut(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return "nested too deeply to be shown"
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"
