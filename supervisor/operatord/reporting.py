"""What the daemon says to the terminal it was started from, or to the one that waits for ``--detach``."""

import contextlib
import json
import os
import sys

from operator_protocol.errors import OperatorError
from operatord.launching import AGAIN


class Reporter:
    """Lines to stderr; progress and the final word to the waiting parent as JSON lines.

    stderr may be gone at any time (a closed terminal), which must not hurt the daemon.
    """

    def __init__(self, ready_fd: int | None) -> None:
        self._ready_fd = ready_fd
        if ready_fd is not None:
            os.set_inheritable(ready_fd, False)

    def line(self, text: str) -> None:
        """One line for a person."""
        with contextlib.suppress(OSError, ValueError):
            print(f"operatord: {text}", file=sys.stderr, flush=True)
        self._tell({"progress": text})

    def ready(self, text: str) -> None:
        """Everything is up."""
        self.line(text)
        self._tell({"ready": text})
        self._hang_up()

    def without_cluster(self, error: OperatorError) -> None:
        """The daemon is up and stays up, but its subject could not be started; the log has said so."""
        if self._ready_fd is None:
            # Whoever waits at the other end knows better how long this daemon is to live.
            self.line(f"once that is mended: {AGAIN}")
        self._tell({"error": error.to_wire(), "stays": True})
        self._hang_up()

    def refused(self, error: OperatorError) -> None:
        """It was not even begun; the caller says so to a person."""
        self._tell({"error": error.to_wire()})
        self._hang_up()

    def failed(self, error: OperatorError) -> None:
        """The start failed, or the run ended with an error."""
        with contextlib.suppress(OSError, ValueError):
            hint = f"\noperatord: {error.hint}" if error.hint else ""
            print(f"operatord: {error.message}{hint}", file=sys.stderr, flush=True)
        self._tell({"error": error.to_wire()})
        self._hang_up()

    def _tell(self, message: dict[str, object]) -> None:
        if self._ready_fd is not None:
            try:
                os.write(self._ready_fd, json.dumps(message).encode() + b"\n")
            except OSError:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._ready_fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._ready_fd)
            self._ready_fd = None
