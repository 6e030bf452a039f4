"""Lines of the palette, each run by ``operatorctl`` itself in a process of its own.

So every command is there, with its arguments, its errors and its hints, and nothing that it does can stop the viewer.
"""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from operator_clients.format import clean
from operator_clients.viewer.theme import Tone
from operator_protocol.endpoint import Endpoint

BRIEF_LINES: Final = 2
"""What prints no more than this is told in the footer; more gets a box of its own."""
BRIEF_CHARS: Final = 140
"""The same of what stands in them: the footer has two lines, of 80 columns at least."""
_MOVES: Final = frozenset({"next", "previous", "goto"})
"""They print the words of the chapter, which stand in the first panel."""
MOST_LINES: Final = 2_000
_LINE_CHARS: Final = 4_000
_READ_BYTES: Final = 65_536
_READS_AT_ONCE: Final = 4
"""One that prints without end must not keep the keys waiting."""
_PATIENCE_S: Final = 30.0
"""For one that was told to end; ``demo`` puts everything back first."""
_LEAVE_S: Final = 5.0
"""The same when the viewer itself ends, for all of them together."""


class Errand:
    """One command line, as long as it runs and is looked at."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: int, leash: int, text: str) -> None:
        """``output`` is what it writes to; when ``leash`` is closed, as the kernel does for a dead viewer, it ends."""
        self.text = text
        self.lines: deque[str] = deque(maxlen=MOST_LINES)
        self.code: int | None = None
        """How it ended; None while it runs."""
        self.opened = False
        """True once somebody looks at its output."""
        self.taken = 0
        """Lines that it has printed, those that were forgotten included."""
        self.stopped = False
        """True once it was told to end: what it then says is of no interest."""
        self._process = process
        self._output = output
        self._leash = leash
        self._rest = b""
        self._killed_at = float("inf")

    @property
    def fd(self) -> int:
        """Readable when there is something to ``read``."""
        return self._output

    @property
    def is_brief(self) -> bool:
        """True while the footer can tell what was printed so far."""
        if self._shows_itself:
            return True
        return len(self.lines) <= BRIEF_LINES and sum(map(len, self.lines)) <= BRIEF_CHARS

    @property
    def _shows_itself(self) -> bool:
        """True for what the panels show anyway, unless it was refused."""
        return self.text.split()[0] in _MOVES and not self.code

    def read(self) -> bool:
        """Take in some of what was printed; true if there was something, or it has ended."""
        if self.code is not None:
            return False
        if time.monotonic() >= self._killed_at:
            self._process.kill()
        # Looked at first: what it wrote last is then there to be read. Something that it left may hold its output open.
        over = self._process.poll() is not None
        some = False
        for _ in range(_READS_AT_ONCE):
            data = self._read_once()
            if data:
                some = True
                self._take(data)
            elif data is None and not over:
                return some
            else:
                self._take(b"\n" if self._rest else b"")
                self._end()
                return True
        return some

    def stop(self) -> None:
        """Tell it to end if it runs, and kill it if it does not; what it asked the daemon for goes on there."""
        if self.code is None and not self.stopped:
            self.stopped = True
            self._killed_at = time.monotonic() + _PATIENCE_S
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """End it now."""
        if self.code is None:
            self._process.kill()
            self._end()

    def brief(self) -> tuple[str, Tone] | None:
        """What came of it in one line; None while it runs, and where a line is not enough."""
        if self.code is None or self.opened or self.stopped or not self.is_brief:
            return None
        lines = list(self.lines)[: 1 if self._shows_itself else None]
        said = " — ".join(one.removeprefix("operatorctl: ").strip() for one in lines)
        if self.code == 0:
            return (said or f"done: {self.text}"), "good"
        return (said or f"{self.text}: ended with exit code {self.code}"), "bad"

    def _end(self) -> None:
        if self.code is None:
            self.code = self._process.wait()
            os.close(self._output)
            os.close(self._leash)

    def _read_once(self) -> bytes | None:
        try:
            return os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return None

    def _take(self, data: bytes) -> None:
        *whole, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LINE_CHARS:]
        self.taken += len(whole)
        self.lines.extend(clean(one[:_LINE_CHARS].decode("utf-8", "replace").expandtabs()) for one in whole)


class Errands:
    """Those that run, and those that have something to say."""

    def __init__(self, endpoint: Endpoint, key_file: str | None) -> None:
        self._options = ["--endpoint", endpoint.label, *(("--key", key_file) if key_file else ())]
        self._errands: list[Errand] = []

    def run(self, words: Sequence[str], text: str) -> None:
        """Begin one. Raises ``OSError``, and ``UnicodeEncodeError`` for what the locale cannot pass on."""
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            reader, writer = os.pipe()
            ours.callback(os.close, reader)
            theirs.callback(os.close, writer)
            leash_end, leash = os.pipe()
            ours.callback(os.close, leash)
            theirs.callback(os.close, leash_end)
            os.set_blocking(reader, False)
            process = subprocess.Popen(
                # -P: nothing is imported from the directory that the viewer happens to be in.
                [
                    *(sys.executable, "-P", "-m", "operator_clients.viewer.leash", str(leash_end)),
                    *(words[0], *self._options, *words[1:]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                pass_fds=(leash_end,),
                env=os.environ | {"NO_COLOR": "1"},
                # Ctrl+C in this terminal is for the viewer; operatorctl would call a countdown off.
                start_new_session=True,
            )
            ours.pop_all()
        self._errands.append(Errand(process, reader, leash, text))

    def fds(self) -> list[int]:
        """Descriptors that become readable when there is something to ``poll``."""
        return [one.fd for one in self._errands if one.code is None]

    def poll(self) -> Iterable[Errand]:
        """Those that printed something or ended since the last time."""
        told = [one for one in self._errands if one.read()]
        self._errands = [one for one in self._errands if one.code is None or self._unseen(one)]
        return told

    def pending(self) -> tuple[str, ...]:
        """Those that run and that nobody looks at."""
        return tuple(one.text for one in self._errands if one.code is None and not one.opened)

    def long_winded(self) -> Errand | None:
        """One whose output needs a box; it is marked as looked at."""
        for one in self._errands:
            if self._unseen(one):
                one.opened = True
                return one
        return None

    def stop_last(self) -> str:
        """End the one that was begun last, and say which; empty if none runs unseen."""
        for one in reversed(self._errands):
            if one.code is None and not one.opened and not one.stopped:
                one.stop()
                return one.text
        return ""

    def close(self) -> None:
        """End them all, and wait for that."""
        for one in self._errands:
            one.stop()
        until = time.monotonic() + _LEAVE_S
        while (fds := self.fds()) and (left_s := until - time.monotonic()) > 0:
            # What they still print is taken from them, or they would wait for that.
            select.select(fds, [], [], left_s)
            self.poll()
        for one in self._errands:
            one.kill()
        self._errands.clear()

    @staticmethod
    def _unseen(one: Errand) -> bool:
        return not one.opened and not one.stopped and not one.is_brief
