"""What ``operatord start`` was told, checked, on its way from the keeper to the daemon.

It goes by a file in memory that the daemon inherits, never by the command line: the environment of declared processes
is part of it, which may hold secrets, and anyone on the host can read command lines.
"""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from operatord.config import Config
from operatord.demo.plan import StoryPlan


class DaemonOptions(BaseModel):
    """Handed down as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime_dir: Path
    state_dir: Path
    subject: str
    load: bool
    keep_cluster: bool
    isolate: bool = False
    """A host of its own for each server that is started anew."""
    config: Config
    story: StoryPlan | None = None
    """Another one than the built-in."""
    ready_fd: int | None = None
    """Where ``--detach`` waits: progress lines, then ``ready`` or ``error: ...``."""

    @property
    def servers_file(self) -> Path:
        """Which servers of the subject run: the record that outlives a killed daemon."""
        return self.state_dir / "servers.json"

    @property
    def undo_journal(self) -> Path:
        """What faults are owed."""
        return self.state_dir / "undo.journal"

    def to_fd(self) -> int:
        """A descriptor of a file in memory, for children that inherit it; each of them may read it once or more."""
        fd = os.memfd_create("operatord-options", os.MFD_CLOEXEC)
        left = memoryview(self.model_dump_json().encode())
        while left:
            left = left[os.write(fd, left) :]
        return fd

    @classmethod
    def from_fd(cls, fd: int) -> Self:
        """Read what ``to_fd`` wrote, and close this end."""
        try:
            return cls.model_validate_json(os.pread(fd, os.fstat(fd).st_size, 0))
        finally:
            os.close(fd)
