"""The kill switch: while its file is there, no action begins.

A file, because that works without the daemon's help: a person who cannot reach it, or does not trust it any more,
creates the file by hand, and a restart does not forget it. It is looked at right before each action begins.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from operator_protocol.errors import Conflict, Unavailable

FILE_NAME = "agent.off"
_MAX_REASON_CHARS = 300
_BY_HAND = "by hand"


class Switch:
    """On unless the file is there, or nobody can tell whether it is."""

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        self.path = path
        self._wall = wall

    @property
    def off(self) -> bool:
        """Whether nothing may be done."""
        try:
            os.lstat(self.path)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # what cannot be looked at is off
        return True

    @property
    def reason(self) -> str:
        """Who switched it off and why; empty while it is on."""
        if not self.off:
            return ""
        said = ""
        with contextlib.suppress(OSError, UnicodeDecodeError), self.path.open(encoding="utf-8") as file:
            said = file.read(_MAX_REASON_CHARS)
        return " ".join(said.split()) or _BY_HAND

    def require_on(self) -> None:
        """Raise ``Conflict`` while it is off."""
        if self.off:
            raise Conflict(
                f"the agent is off ({self.reason}): no action is proposed, approved or executed",
                f"operatorctl agent on, or remove {self.path.name} from the state directory",
            )

    def turn_off(self, by: str, why: str = "") -> None:
        """Switch it off. Raises ``Unavailable`` when the file cannot be written."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._wall()))
        line = f"by {by or 'somebody'} at {stamp}" + (f": {why}" if why else "")
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
                file.write(line[:_MAX_REASON_CHARS] + "\n")
        except OSError as error:
            if not self.off:
                raise Unavailable(
                    f"the agent cannot be switched off: {self.path}: {error.strerror}",
                    "stop the daemon: operatord stop",
                ) from error

    def turn_on(self) -> None:
        """Switch it on. Raises ``Unavailable`` when the file cannot be removed."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"the agent stays off: {self.path}: {error.strerror}", "remove it by hand") from error
