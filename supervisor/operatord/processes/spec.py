"""What is known of a process before it runs: its command, who it runs as, when it is started again, how it is stopped.

For processes that are exec'd and kept running by policy (``ProcessTable.add_process``): those that users declare, and
helpers of the daemon. Workers are forked and have a policy of the house; servers belong to their subject.
"""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from operatord.processes.backoff import BackoffPolicy

Restart = Literal["always", "on-failure", "never"]
Readiness = Literal["started", "probed"]

EX_CONFIG = os.EX_CONFIG
"""78, of a program whose configuration is wrong (``sysexits.h``): to start it again would change nothing."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process that is exec'd, and started again by policy."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the daemon's own environment."""
    cwd: Path | None = None
    user: str | None = None
    """Name or number of the user to run as; None is the daemon's own. Another one needs root."""
    restart: Restart = "on-failure"
    """``on-failure``: an exit with one of ``success_codes`` is an end, everything else is a failure."""
    success_codes: tuple[int, ...] = (0,)
    no_restart_codes: tuple[int, ...] = ()
    """With these it is not started again, whatever ``restart`` says: it is ``failed``."""
    stop_signal: int = signal.SIGTERM
    stop_timeout_s: float = 5.0
    """From ``stop_signal`` to SIGKILL."""
    ready: Readiness = "started"
    """``probed``: someone calls ``ProcessTable.mark_ready`` within ``start_timeout_s``, or it is killed and retried."""
    start_timeout_s: float = 30.0
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
