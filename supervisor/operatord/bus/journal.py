"""Every frame on disk, append-only, in files of bounded size and number.

The format of the records is in ``operator_protocol.journal``. Each file begins with a checkpoint, so that a reader does
not need those that were dropped. Whoever appends also begins the next file, when ``full`` says so: only the broker
knows at which moment the state it remembers and the frames it has handed out are at the same point.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path

from operator_protocol.journal import MAGIC, SUFFIX, encode_record
from operatord.clock import Clock

_TRY_AGAIN_S = 10.0
"""After a failure (a disk that is full) a new file is tried this often."""


class Journal:
    """Writes records in files of ``max_bytes`` and a checkpoint each; keeps the newest files.

    Records are handed to the kernel at each ``flush`` (after each batch of frames), so a daemon that is killed loses
    at most its last batch, of which a client may have got a part. A full disk stops the journal, not the daemon:
    ``on_error`` is told, and told again when it goes on, in a new file, which begins with a checkpoint.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int,
        keep_files: int,
        on_error: Callable[[str], None],
        now: Clock = time.time,
        clock: Clock = time.monotonic,
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._keep_files = keep_files
        self._on_error = on_error
        self._clock = clock
        self._stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now()))
        self._serial = 0
        self._file: FileIO | None = None
        # Unbuffered, and gathered here: what a buffered file could not write it would try to write again at its end.
        self._pending: list[bytes] = []
        self._size = 0
        self._failed_at: float | None = None
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def path(self) -> Path | None:
        """The file that is being written."""
        return Path(str(self._file.name)) if self._file else None

    @property
    def full(self) -> bool:
        """True when it is time for the next file: this one is long enough, or the last one failed a while ago."""
        if self._failed_at is not None:
            return self._clock() - self._failed_at >= _TRY_AGAIN_S
        return self._size >= self._max_bytes

    def begin(self, checkpoint: Sequence[bytes]) -> None:
        """Begin a new file with the parts of a checkpoint, which do not count towards its size; drop the oldest."""
        self.flush()
        failed_before, self._failed_at = self._failed_at, None
        try:
            self._rotate()
            self._pending.append(encode_record(checkpoint))
            self._write()
        except OSError as error:
            self._fail(error, again=failed_before is not None)
            return
        if failed_before is not None:
            self._on_error(f"the journal in {self.directory} goes on, in a new file")

    def append(self, parts: Sequence[bytes]) -> None:
        """Add one frame."""
        if self._failed_at is None:
            record = encode_record(parts)
            self._pending.append(record)
            self._size += len(record)

    def flush(self) -> None:
        """Hand everything to the kernel."""
        if self._failed_at is None and self._pending:
            try:
                if self._file is None:
                    self._rotate()
                self._write()
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._end_file()

    def _write(self) -> None:
        if self._file is None:
            return
        data = memoryview(b"".join(self._pending))
        self._pending.clear()
        while data:
            data = data[self._file.write(data) :]

    def _rotate(self) -> None:
        self._end_file()
        # The serial never goes back, or a file of the same second as one that was dropped would sort before it.
        while (path := self.directory / f"frames-{self._stamp}-{self._serial:06d}{SUFFIX}").exists():
            self._serial += 1
        self._serial += 1
        # The clock may have been set back: the file that is being written is never among those that go. They go
        # first: on a full disk that is what makes room.
        older = sorted(old for old in self.directory.glob(f"frames-*{SUFFIX}") if old != path)
        for old in older[: max(0, len(older) + 1 - self._keep_files)]:
            old.unlink(missing_ok=True)
        self._file = FileIO(path, "x")
        self._pending.insert(0, MAGIC)
        self._size = len(MAGIC)

    def _end_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    def _fail(self, error: OSError, *, again: bool = False) -> None:
        self._failed_at = self._clock()
        self._pending.clear()
        path = self.path
        self._end_file()
        if again and path is not None:
            # It holds nothing that could be read.
            with suppress(OSError):
                path.unlink()
        if not again:
            self._on_error(f"the journal in {self.directory} stopped: {error.strerror}; it is tried again")
