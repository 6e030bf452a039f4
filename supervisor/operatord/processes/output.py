"""What children print: read on the event loop, line by line, and never more than people can use.

A child must not block because someone reads slowly, so its pipes are always emptied, and what is too much is dropped
and counted. Lines wait in a short queue that lets a token bucket pass; when the queue overflows its oldest line goes.
So the order is kept, and the last lines of a burst, or of a life, always come through: at the end of the output the
queue is delivered whatever the bucket says.
"""

import asyncio
import codecs
import fcntl
import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from operatord.clock import Clock
from operatord.throttle import Line, LineThrottle, OutputPolicy

LogSink = Callable[[str, str, str, int], None]
"""Called with process name, stream (``stdout`` or ``stderr``), line, and how many lines were dropped before it."""

MAX_LINE_BYTES = 64 * 1024
"""Longer lines are cut (design, section 3)."""

_PIPE_BYTES = 1 << 20
"""Room for what a child prints while the daemon is busy; the default of 64 KiB lasts for a few hundred lines."""
_READ_BYTES = 64 * 1024
"""Read at a time: other descriptors get their turn in between."""
_READS_AT_DRAIN = _PIPE_BYTES // _READ_BYTES + 1
"""Empties a full pipe, and ends although someone may still write to it."""


class LineSplitter:
    """Bytes to lines, for one stream. A line that is too long is cut, and the rest of it is not kept in memory."""

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_bytes
        self._partial = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Iterable[str]:
        """The lines that ``data`` completes, in order. A line is cut, and given, as soon as it is too long."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            yield from self._add(piece)
            if not self._skipping:
                yield self._take()
            self._skipping = False
        yield from self._add(rest)

    def finish(self) -> Iterable[str]:
        """What came after the last newline, if anything did."""
        if self._partial:
            yield self._take()

    def _add(self, piece: bytes) -> Iterable[str]:
        if self._skipping:
            return
        self._partial += piece[: self._max - len(self._partial) + 1]
        if len(self._partial) > self._max:
            del self._partial[self._max :]
            self._skipping = True
            yield self._take(cut=True)

    def _take(self, *, cut: bool = False) -> str:
        # An incomplete character at the end of a cut line is our doing and left out; anywhere else it is shown.
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(self._partial), not cut)
        self._partial.clear()
        return text.removesuffix("\r")


def thin(data: bytes, first: int, last: int) -> tuple[bytes, int, bytes]:
    """Keep the ``first`` and ``last`` lines of ``data`` and count those between: ``(head, skipped, tail)``.

    What a child prints in a flood is dropped anyway; dropping it before it is cut into lines keeps the loop free.
    """
    if data.count(b"\n") <= first + last:
        return data, 0, b""
    *head, rest = data.split(b"\n", first)
    middle, *tail = rest.rsplit(b"\n", last + 1)
    return b"".join(line + b"\n" for line in head), middle.count(b"\n") + 1, b"\n".join(tail)


class OutputCapture:
    """Reads the pipes of one process on the running loop until their ends; owns the descriptors."""

    def __init__(self, name: str, streams: dict[str, int], sink: LogSink, policy: OutputPolicy, clock: Clock) -> None:
        self._name = name
        self._sink = sink
        self._policy = policy
        self._loop = asyncio.get_running_loop()
        self._throttle = LineThrottle(policy, clock)
        self._fds = dict(streams)
        self._splitters = {stream: LineSplitter() for stream in streams}
        self._timer: asyncio.TimerHandle | None = None
        for stream, fd in streams.items():
            os.set_blocking(fd, False)
            with suppress(OSError):  # above the user's quota for pipes: the default size has to do
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._loop.add_reader(fd, self._readable, stream)

    @property
    def closed(self) -> bool:
        """True once both streams have ended, or ``close`` was called."""
        return not self._fds

    def drain(self) -> None:
        """The process has ended: deliver what it left in its pipes, now.

        The pipes stay open for whoever else writes to them, up to their end or ``close``.
        """
        for stream in list(self._fds):
            for _ in range(_READS_AT_DRAIN):
                if not self._read(stream):
                    break
        for stream, splitter in self._splitters.items():
            for text in splitter.finish():
                self._deliver(self._throttle.offer(stream, text))
        self._deliver(self._throttle.finish())

    def close(self) -> None:
        """Deliver what is there and let go of the pipes."""
        if self._fds:
            self.drain()
        for stream in list(self._fds):
            self._end(stream)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _readable(self, stream: str) -> None:
        self._read(stream)
        self._arm()

    def _read(self, stream: str) -> bool:
        """Read once; False when there is nothing more for now, or ever."""
        fd = self._fds.get(stream)
        if fd is None:
            return False
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._end(stream)
            return False
        head, skipped, tail = thin(data, self._throttle.room + 1, self._policy.queue_lines + 1)
        for text in self._splitters[stream].feed(head):
            self._deliver(self._throttle.offer(stream, text))
        if skipped:
            self._throttle.skip(skipped)
            for text in self._splitters[stream].feed(tail):
                self._deliver(self._throttle.offer(stream, text))
        return True

    def _end(self, stream: str) -> None:
        fd = self._fds.pop(stream)
        self._loop.remove_reader(fd)
        os.close(fd)
        for text in self._splitters[stream].finish():
            self._deliver(self._throttle.offer(stream, text))
        if not self._fds:
            self._deliver(self._throttle.finish())

    def _arm(self) -> None:
        wait_s = self._throttle.wait_s
        if wait_s is not None and self._timer is None:
            self._timer = self._loop.call_later(wait_s, self._release)

    def _release(self) -> None:
        self._timer = None
        self._deliver(self._throttle.release())
        self._arm()

    def _deliver(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._sink(self._name, line.stream, line.text, line.dropped)
