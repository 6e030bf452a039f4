"""A journal or a recording, opened: its entries by number and by time, and what is wrong with it."""

import os
import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Self

from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.frames import Frame, Header, decode_frame
from operator_protocol.journal import (
    CHECKPOINT,
    SUFFIX,
    Records,
    decode_checkpoint,
    journal_files,
    open_journal,
    split_record,
)
from operator_protocol.journal_index import JournalIndex, Kind, Mark, Turn
from operator_protocol.state import State

_FLAWS = {
    "empty": "is empty",
    "torn": "ends in a torn record, as a killed daemon leaves it, or one that still writes; what is before it is read",
    "damaged": "is damaged; the rest of that file is left out",
}


class Recording:
    """Entries, numbered from 0. The files stay open, so that a rotation does not take them away."""

    def __init__(self, path: Path, files: Sequence[BinaryIO]) -> None:
        self.path = path
        self.index = JournalIndex()
        self.flaws: list[str] = []
        """What is wrong with single files, a sentence each."""
        self._files = files
        for number, file in enumerate(files):
            records = Records(file)
            try:
                for position, payload in records:
                    self.index.add(number, position, payload)
            except BadRequest as error:
                if len(files) == 1:
                    raise
                self.flaws.append(error.message)
            if records.flaw:
                self.flaws.append(f"{Path(file.name).name} {_FLAWS[records.flaw]}")
        if not len(self.index):
            raise BadRequest(f"{path} holds no frames", "a daemon that has run leaves some in STATE_DIR/journal")

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a file, all files of a directory in order, or those of a daemon's state directory.

        Raises ``NotFound`` for what is not there or cannot be read, ``BadRequest`` for what is no journal or is empty.
        """
        paths = (journal_files(path) or journal_files(path / "journal")) if path.is_dir() else [path]
        if not paths:
            raise NotFound(f"{path} has no journal files", f"their names end in {SUFFIX}")
        files: list[BinaryIO] = []
        try:
            files.extend(open_journal(one) for one in paths)
            return cls(path, files)
        except OSError as error:
            _close(files)
            raise NotFound(f"cannot read {path}: {error.strerror}") from error
        except BaseException:
            _close(files)
            raise

    def __len__(self) -> int:
        return len(self.index)

    @property
    def duration_s(self) -> float:
        """Seconds from the first entry to the last."""
        return self.index.at_s[-1]

    @property
    def begins_at(self) -> float:
        """Wall clock of the first entry."""
        return self.index.wall[0]

    @property
    def ends_at(self) -> float:
        """Wall clock of the last entry."""
        return self.index.wall[-1]

    @property
    def marks(self) -> Sequence[Mark]:
        """What to point at on the time axis, in order."""
        return self.index.marks

    @property
    def label(self) -> str:
        """What it is, in the words of whoever recorded it; to be shown with everything that it shows."""
        return self.index.label

    def notes(self) -> list[str]:
        """What a reader has to know before trusting what is shown, a sentence each."""
        index = self.index
        notes = list(self.flaws)
        if index.starts_blind:
            notes.append("it begins in the middle: what was so before is not known until a frame says it")
        if index.missing:
            notes.append(f"{index.missing} frames that were published are missing in it")
        if index.unreadable:
            notes.append(f"{index.unreadable} records cannot be read by this version")
        if index.filters:
            notes.append(f"only {', '.join(sorted(index.filters))} was recorded; the rest is as of each checkpoint")
        return notes

    # entries

    def read(self, entry: int) -> Frame | None:
        """A frame or a checkpoint; None for a body that cannot be read."""
        file, index = self._files[self.index.files[entry]], self.index
        payload = os.pread(file.fileno(), index.lengths[entry], index.positions[entry])
        try:
            parts = split_record(payload)
            return decode_checkpoint(parts) if parts[0] == CHECKPOINT.encode() else decode_frame(parts)
        except BadRequest:
            return None

    def turn(self, entry: int) -> Turn | None:
        """What is special about an entry."""
        return self.index.turns.get(entry)

    def boot_of(self, entry: int) -> str:
        """The boot that an entry is of."""
        turns = self.index.turns
        return turns[max(turning for turning in turns if turning <= entry)].boot_id

    def needed(self, start: int, stop: int) -> list[int]:
        """Those entries from ``start`` to before ``stop`` that the state after them depends on, in order."""
        return self.index.needed(start, stop, self._look)

    def base(self, stop: int) -> int:
        """The last entry before ``stop`` from which the state can be built."""
        bases = self.index.bases
        return bases[max(0, bisect_right(bases, stop - 1) - 1)]

    def is_checkpoint(self, entry: int) -> bool:
        """True for what was never published."""
        return self.index.kinds[self.index.topic_ids[entry]] is Kind.CHECKPOINT

    def is_visible(self, entry: int) -> bool:
        """False for what changes nothing that anybody draws: heartbeats, captured output, checkpoints."""
        return self.index.kinds[self.index.topic_ids[entry]] not in (Kind.STATELESS, Kind.CHECKPOINT)

    def is_telling(self, entry: int) -> bool:
        """True for what a list of events shows: not figures that come on a clock."""
        telling = self.index.telling
        place = bisect_right(telling, entry)
        return place > 0 and telling[place - 1] == entry

    # time

    def at_s(self, header: Header) -> float:
        """When a frame of this recording happened, in seconds since the first entry."""
        return header.mono_ts - self.index.boots.get(header.boot_id, header.mono_ts)

    def stop_at(self, at_s: float) -> int:
        """How many entries there are until then, at least one."""
        return max(1, bisect_right(self.index.at_s, at_s))

    def wall_at(self, at_s: float) -> float:
        """The wall clock at that time, not beyond that of the next entry."""
        stop, index = self.stop_at(at_s), self.index
        wall = index.wall[stop - 1] + max(0.0, at_s - index.at_s[stop - 1])
        return min(wall, index.wall[stop]) if stop < len(index) and index.wall[stop] >= index.wall[stop - 1] else wall

    def of_clock(self, hour: int, minute: int, second: int) -> float:
        """When it was that local time of day for the first time, in seconds. Raises ``BadRequest`` if it never was."""
        try:
            begin, end = time.localtime(self.begins_at), time.localtime(self.ends_at)
        except (ValueError, OverflowError, OSError) as error:
            raise BadRequest("the recording has no times of day", "say how far into it: 90, 1m30s") from error
        for day in range(2):
            then = time.mktime((*begin[:2], begin[2] + day, hour, minute, second, 0, 0, -1))
            if int(self.begins_at) <= then <= self.ends_at:
                index = self.index
                return next(at for at, wall in zip(index.at_s, index.wall, strict=True) if wall >= then)
        span = f"{time.strftime('%H:%M:%S', begin)} to {time.strftime('%H:%M:%S', end)}"
        raise BadRequest(f"{hour:02d}:{minute:02d}:{second:02d} is not in the recording, which goes from {span}")

    def close(self) -> None:
        """Close the files."""
        _close(self._files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _look(self, entry: int) -> bool | None:
        frame = self.read(entry)
        if frame is None:
            return None
        trial = State()
        try:
            trial.apply(frame.topic, frame.body)
        except BadRequest:
            return None
        return bool(trial.nodes)


def _close(files: Iterable[BinaryIO]) -> None:
    for file in files:
        file.close()
