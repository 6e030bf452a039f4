"""Every frame on disk, append-only, in files of bounded size and number.

The format of the records is in ``operator_protocol.journal``. Each file begins with a checkpoint, so that a reader does
not need those that were dropped. Whoever appends also begins the next file, when ``full`` says so: only the broker
knows at which moment the state it remembers and the frames it has handed out are at the same point.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from operator_protocol.journal import MAGIC, SUFFIX, encode_record


class Journal:
    """Writes records in files of ``max_bytes`` and a checkpoint each; keeps the newest files.

    Records are handed to the kernel at each ``flush`` (after each batch of frames), so a daemon that is killed loses
    at most what it had not yet published. A full disk stops the journal, not the daemon: ``on_error`` is told once.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int,
        keep_files: int,
        on_error: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._keep_files = keep_files
        self._on_error = on_error
        self._stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now()))
        self._serial = 0
        self._file: BinaryIO | None = None
        self._size = 0
        self._failed = False
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def path(self) -> Path | None:
        """The file that is being written."""
        return Path(self._file.name) if self._file else None

    @property
    def full(self) -> bool:
        """True when it is time for the next file."""
        return self._size >= self._max_bytes and not self._failed

    def begin(self, checkpoint: Sequence[bytes]) -> None:
        """Begin a new file with the parts of a checkpoint, which do not count towards its size; drop the oldest."""
        if self._failed:
            return
        try:
            self._rotate()
            if self._file is not None:
                self._file.write(encode_record(checkpoint))
        except OSError as error:
            self._fail(error)

    def append(self, parts: Sequence[bytes]) -> None:
        """Add one frame."""
        if self._failed:
            return
        record = encode_record(parts)
        try:
            if self._file is None:
                self._rotate()
            if self._file is not None:
                self._size += self._file.write(record)
        except OSError as error:
            self._fail(error)

    def flush(self) -> None:
        """Hand everything to the kernel."""
        if self._file is not None and not self._failed:
            try:
                self._file.flush()
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._fail(error)
            self._file = None

    def _rotate(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        # The serial never goes back, or a file of the same second as one that was dropped would sort before it.
        while (path := self.directory / f"frames-{self._stamp}-{self._serial:06d}{SUFFIX}").exists():
            self._serial += 1
        self._serial += 1
        self._file = path.open("xb")
        self._size = self._file.write(MAGIC)
        # The clock may have been set back: the file that is being written is never among those that go.
        older = sorted(old for old in self.directory.glob(f"frames-*{SUFFIX}") if old != path)
        for old in older[: max(0, len(older) + 1 - self._keep_files)]:
            old.unlink(missing_ok=True)

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self._on_error(f"the journal in {self.directory} stopped: {error.strerror}")
