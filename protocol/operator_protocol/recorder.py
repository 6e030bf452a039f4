"""What a live client sees, into a file that replays: a checkpoint at each snapshot, then the frames as they come."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Self

from operator_protocol.errors import Conflict, Unavailable
from operator_protocol.events import Event, FrameSeen, Joined, Resynced
from operator_protocol.follow import Follower
from operator_protocol.frames import Frame, encode_frame
from operator_protocol.journal import MAGIC, encode_record
from operator_protocol.topics import matches


class Recorder:
    """Writes the events of a follower that was made for the same ``topics`` and has not joined yet.

    A ``label`` is written into the recording itself, for whoever looks at it to read on the screen.

    A file that is there is never touched: ``Conflict``. A disk that is full raises ``Unavailable``, and what was
    written until then can be read.
    """

    def __init__(self, follower: Follower, path: Path, topics: Iterable[str] | None = None, *, label: str = "") -> None:
        self.path = path
        self.frames = 0
        self.bytes = 0
        self._label = label
        self._topics = None if topics is None else tuple(topics)
        self._checkpoints = follower.keep_checkpoints()
        self._file: BinaryIO | None = None
        if path.exists():
            raise _exists(path)

    def take(self, events: Iterable[Event]) -> None:
        """Write what has happened, up to the kernel."""
        for event in events:
            if isinstance(event, FrameSeen):
                if matches(event.frame.topic, self._topics):
                    self._write(event.frame)
                    self.frames += 1
            elif isinstance(event, Joined | Resynced) and self._checkpoints:
                self._checkpoint(self._checkpoints.popleft())
        try:
            if self._file is not None:
                self._file.flush()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """End the file."""
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _checkpoint(self, frame: Frame) -> None:
        if self._label:
            frame = frame._replace(body={**frame.body, "label": self._label})
        if self._topics is not None:
            frame = frame._replace(body={**frame.body, "topics": list(self._topics)})
        self._write(frame)

    def _write(self, frame: Frame) -> None:
        try:
            if self._file is None:
                self._file = self.path.open("xb")
                self.bytes += self._file.write(MAGIC)
            self.bytes += self._file.write(encode_record(encode_frame(frame)))
        except FileExistsError as error:
            raise _exists(self.path) from error
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> Unavailable:
        hint = "what was written before can be replayed" if self.bytes else "choose another file"
        return Unavailable(f"cannot write {self.path}: {error.strerror}", hint)


def _exists(path: Path) -> Conflict:
    return Conflict(f"{path} exists already", "choose another name; a recording never overwrites")
