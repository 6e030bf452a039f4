"""What became of commands, by id: a command that is sent again is not executed again.

Kept are those that run, however many commands came after them, and the last ones that ended, bounded by number and by
size. Commands that only read are not kept: to run one again does no harm, and its answer may be a whole snapshot.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

REMEMBERED = 10_000
_REMEMBERED_BYTES = 32 << 20
_MAX_WAITING = 64
"""Senders of the same id that are answered when a short command ends."""


class Key(NamedTuple):
    """An outcome belongs to who asked: the ids of others are no secret, they are in ``command.finished``."""

    owner: str
    id: str


@dataclass(slots=True)
class Entry:
    """One command. ``reply`` is None while it runs; a long one has been answered ``accepted`` by then."""

    long: bool
    waiting: list[list[bytes]] = field(default_factory=list)
    """Envelopes of those who get the reply when it is there."""
    reply: bytes | None = None

    def wait(self, envelope: list[bytes]) -> bool:
        """Have one more sender answered at the end; False if that would be one too many."""
        if len(self.waiting) >= _MAX_WAITING:
            return False
        self.waiting.append(envelope)
        return True


class Outcomes:
    """The commands of all clients that change something."""

    def __init__(self, *, number: int = REMEMBERED, size_bytes: int = _REMEMBERED_BYTES) -> None:
        self._running: dict[Key, Entry] = {}
        self._ended: OrderedDict[Key, Entry] = OrderedDict()
        self._max_number = number
        self._max_bytes = size_bytes
        self._bytes = 0

    def find(self, key: Key) -> Entry | None:
        """The command, if it runs or is still remembered."""
        return self._running.get(key) or self._ended.get(key)

    def begin(self, key: Key, entry: Entry) -> None:
        """It is about to run."""
        self._running[key] = entry

    def end(self, key: Key, reply: bytes) -> None:
        """It ended; the oldest that did before are forgotten."""
        entry = self._running.pop(key)
        entry.reply = reply
        self._ended[key] = entry
        self._bytes += len(reply)
        while len(self._ended) > self._max_number or self._bytes > self._max_bytes:
            _, oldest = self._ended.popitem(last=False)
            self._bytes -= len(oldest.reply or b"")
