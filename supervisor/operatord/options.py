"""What ``operatord start`` was told, checked, on its way from the keeper to the daemon."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from operatord.config import Config


class DaemonOptions(BaseModel):
    """Passed as JSON on the daemon's command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime_dir: Path
    state_dir: Path
    subject: str
    load: bool
    keep_cluster: bool
    config: Config
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
