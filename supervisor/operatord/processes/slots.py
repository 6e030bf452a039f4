"""What the table keeps about one process between its events."""

import asyncio
import signal
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operator_protocol.errors import BadRequest
from operator_protocol.models import ProcessKind, ProcessPhase, ProcessState
from operator_protocol.topics import is_process_name
from operatord.processes.backoff import History
from operatord.processes.captures import LastLines
from operatord.processes.lifecycle import Patience
from operatord.processes.output import OutputCapture
from operatord.processes.reaper import ExitStatus
from operatord.processes.restarting import RestartRule
from operatord.processes.spawn import Spawned
from operatord.processes.usage import Usage
from operatord.procfs import ProcessId


@dataclass(frozen=True, slots=True)
class Forked:
    """A worker: what the fork server calls in it."""

    entry: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Execed:
    """What is exec'd: its command, and what that needs."""

    argv: list[str]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    probed: bool = False
    """Somebody says when it is ready; otherwise it is as soon as it runs."""


@dataclass(slots=True)
class Slot:
    """One name in the table, through all its incarnations. Times without ``_at`` are monotonic."""

    name: str
    kind: ProcessKind
    what: Forked | Execed | None
    """None for the fork server, which has its own way to start."""
    phase: ProcessPhase = "stopped"
    since_at: float = 0.0
    reason: str = ""
    id: ProcessId | None = None
    """The process there is, until it has been reaped."""
    spawned: Spawned | None = None
    capture: OutputCapture | None = None
    starts: int = 0
    last_end: ExitStatus | None = None
    usage: Usage | None = None
    history: History = field(default_factory=History)
    last_sign: float = 0.0
    ready_since: float | None = None
    killed_for: str = ""
    """Why the table itself killed it; told instead of the signal."""
    retry_at: float | None = None
    retry: asyncio.TimerHandle | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while there is no process."""
    starting: "asyncio.Task[None] | None" = None
    stopping: "asyncio.Task[None] | None" = None
    stop_timeout_s: float = 5.0
    stop_signal: int = signal.SIGTERM
    rule: RestartRule | None = None
    """None for what is not restarted by the table."""
    patience: Patience | None = None
    """None for what may be silent for ever."""
    last_lines: LastLines = field(default_factory=deque)
    """Of the incarnation that runs, or ran last."""

    def __post_init__(self) -> None:
        if not is_process_name(self.name):
            raise BadRequest(
                f"{self.name!r} is not a process name", "lower-case letters, digits and dashes, at most 32"
            )

    def state(self, now: float) -> ProcessState:
        """As published; ``now`` is monotonic."""
        return ProcessState(
            name=self.name,
            state=self.phase,
            kind=self.kind,
            pid=None if self.id is None else self.id.pid,
            restarts=max(0, self.starts - 1),
            exit_code=None if self.last_end is None else self.last_end.code,
            signal=None if self.last_end is None else self.last_end.signal,
            next_start_in=max(0.0, self.retry_at - now) if self.phase == "backoff" and self.retry_at else None,
            cpu_percent=None if self.usage is None else self.usage.cpu_percent,
            rss=None if self.usage is None else self.usage.rss_bytes,
            since_at=self.since_at,
            reason=self.reason,
            descriptors=None if self.usage is None else self.usage.descriptors,
            threads=None if self.usage is None else self.usage.threads,
            last_lines=list(self.last_lines) if self.phase in ("backoff", "failed") else [],
        )
