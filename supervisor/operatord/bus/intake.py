"""What comes in from outside: counted, and what is refused said in the log, but never as fast as it comes."""

import time
from collections import Counter
from collections.abc import Callable

from operator_protocol.codec import MAX_MESSAGE_BYTES, unpack
from operator_protocol.errors import BadRequest
from operatord.clock import Clock

_LINES_PER_S = 2.0
_BURST_LINES = 20.0


class Intake:
    """The tally of one socket: each message that arrived is ``accepted``, ``repeated``, or in ``refusals`` by reason.

    A refusal is one line in the log, with its sender. Garbage must not become a flood of lines (they are frames as
    well), so lines pass a token bucket, and the next one that does says how many did not.
    """

    def __init__(self, where: str, log: Callable[[str], None], clock: Clock = time.monotonic) -> None:
        self.accepted = 0
        self.repeated = 0
        """Commands that had been sent before."""
        self.refusals: Counter[str] = Counter()
        self._where = where
        self._log = log
        self._clock = clock
        self._lines = _BURST_LINES
        self._filled_at = clock()
        self._unsaid = 0

    @property
    def received(self) -> int:
        """All messages that arrived."""
        return self.accepted + self.repeated + self.refusals.total()

    def refuse(self, reason: str, sender: str, detail: str) -> None:
        """Count one message that was not taken."""
        self.refusals[reason] += 1
        now = self._clock()
        self._lines = min(_BURST_LINES, self._lines + (now - self._filled_at) * _LINES_PER_S)
        self._filled_at = now
        if self._lines < 1:
            self._unsaid += 1
            return
        self._lines -= 1
        more = f" ({self._unsaid} more refused before)" if self._unsaid else ""
        self._unsaid = 0
        self._log(f"{self._where}: refused a message from {sender}: {detail}{more}")

    def counts(self) -> dict[str, object]:
        """``{accepted, repeated, refused: {reason: count}}``."""
        return {"accepted": self.accepted, "repeated": self.repeated, "refused": dict(self.refusals)}


def why_unreadable(data: bytes) -> str:
    """The reason under which bytes are counted that ``unpack_map`` refused."""
    if len(data) > MAX_MESSAGE_BYTES:
        return "oversized"
    try:
        unpack(data)
    except BadRequest:
        return "torn"
    return "not_a_map"


def peer_name(identity: bytes) -> str:
    """A sender's ZeroMQ identity for the log: the text that it chose, or the bytes that ZeroMQ gave it."""
    try:
        text = identity.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    return repr(text[:64]) if text.isprintable() and text else f"peer {identity[:32].hex()}"
