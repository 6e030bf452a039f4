"""Whose a state directory is: what a copy of one has on record is not its own.

``cp -a`` of a state directory copies the pids of servers, the names of containers and what faults owe. Whoever works
with the copy would end the servers of the original, and undo its faults. So each start notes in ``origin.json`` where
the directory is and which inode it has: a directory that was moved, and one that was put back from a backup, is the
heir of what it says; one beside which the original is still there is a copy.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from operator_protocol.errors import Conflict, OperatorError
from operator_protocol.records import from_body
from operatord import procfs
from operatord.paths import lock_holder
from operatord.processes.records import peek_living
from operatord.procfs import ProcessId

FILE_NAME = "origin.json"
_SERVERS = "servers.json"
_JOURNAL = "undo.journal"
_CONTAINERS = Path("tikv") / "project.json"
_NOT_OURS = (_SERVERS, _JOURNAL, str(_CONTAINERS))
_ASIDE = ".of-the-original"


@dataclass(frozen=True, slots=True)
class Origin:
    """The directory in which the note was written, and who wrote it."""

    path: str
    device: int
    inode: int
    runtime_dir: str
    keeper: int
    keeper_start: int
    """Clock ticks since boot."""
    boot_id: str

    @property
    def keeper_lives(self) -> bool:
        """Whether the daemon that wrote it still has its keeper."""
        return self.boot_id == procfs.boot_id() and procfs.is_alive(ProcessId(self.keeper, self.keeper_start))

    @property
    def still_there(self) -> bool:
        """Whether the directory is where it was."""
        return _inode(Path(self.path)) == (self.device, self.inode)


def note_origin(state_dir: Path, runtime_dir: Path) -> None:
    """This process is the keeper of the daemon that has ``state_dir`` from now on."""
    device, inode = _inode(state_dir) or (0, 0)
    pid = os.getpid()
    origin = Origin(
        str(state_dir.resolve()), device, inode, str(runtime_dir), pid, procfs.start_time(pid) or 0, procfs.boot_id()
    )
    (state_dir / FILE_NAME).write_text(json.dumps(asdict(origin)))


def is_copy(state_dir: Path) -> bool:
    """Whether what is on record in ``state_dir`` belongs to another directory."""
    return _original(state_dir) is not None


def require_own(state_dir: Path) -> None:
    """Refuse to work with a copy while the original lives: raises ``Conflict`` with what of it does."""
    origin = _original(state_dir)
    if origin is not None and (alive := _what_lives(origin, state_dir)):
        raise Conflict(
            f"{state_dir} is a copy of {origin.path}, {alive}",
            "use another --state-dir; or end the original first: "
            f"operatord stop --servers --runtime-dir {origin.runtime_dir} --state-dir {origin.path}",
        )


def take_over(state_dir: Path) -> Sequence[str]:
    """Call it with the lock, before anything in ``state_dir`` is acted upon; raises as ``require_own`` does.

    What a copy has on record of processes, containers and faults owed is set aside. Returns the names of those files,
    none for a directory that is no copy.
    """
    require_own(state_dir)
    if not is_copy(state_dir):
        return []
    aside = [name for name in _NOT_OURS if (state_dir / name).exists()]
    for name in aside:
        (state_dir / name).replace(state_dir / f"{name}{_ASIDE}")
    return aside


def _original(state_dir: Path) -> Origin | None:
    """The directory of which ``state_dir`` is a copy; None when it is its own."""
    try:
        origin = from_body(Origin, json.loads((state_dir / FILE_NAME).read_text()))
    except (OSError, ValueError, OperatorError):
        return None
    if _inode(state_dir) == (origin.device, origin.inode):
        return None
    # Of a directory that is gone, what takes its place is the heir; a daemon that still runs has left its name only.
    return origin if origin.still_there or _other_keeper(origin, state_dir) else None


def _other_keeper(origin: Origin, state_dir: Path) -> bool:
    return origin.keeper_lives and lock_holder(state_dir) != origin.keeper


def _what_lives(origin: Origin, state_dir: Path) -> str:
    if holder := lock_holder(Path(origin.path)) if origin.still_there else None:
        return f"with which a daemon runs (pid {holder})"
    if origin.keeper_lives:
        return f"with which a daemon runs (pid {origin.keeper})"
    if living := peek_living(state_dir / _SERVERS):
        names = ", ".join(f"{one.name} (pid {one.pid})" for one in sorted(living, key=lambda one: one.name))
        return f"whose servers still run: {names}"
    if (state_dir / _CONTAINERS).exists() and (Path(origin.path) / _CONTAINERS).exists():
        return "whose containers are still there"
    return ""


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino
