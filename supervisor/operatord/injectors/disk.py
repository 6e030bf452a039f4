"""``disk``: a file in the server's own data directory takes space away from it and from its filesystem.

The space is reserved (``posix_fallocate``), in steps: where a filesystem cannot reserve, the C library writes to every
block instead, and that takes as long as it takes. Each step looks again at what is free, since others write there, too.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from operator_protocol.errors import Unavailable
from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord.injectors.base import Memo, Scene
from operatord.injectors.in_group import number
from operatord.injectors.limits import ResourceLimits, Room, check_disk, check_memory
from operatord.injectors.offload import offload
from operatord.injectors.room import lives_in_memory, room_in_memory, room_on_disk
from operatord.sizes import format_size

DISK = "disk"
PREFIX = "operatord-fill-"

_STEP_BYTES = 32 * 1024**2

_SIZE = FaultParam("size", "what the file takes", 1024**3, "bytes", minimum=1)


class DiskFault:
    """``Injector`` of ``disk``. ``room`` tells what there is on the filesystem of a directory."""

    def __init__(self, limits: ResourceLimits, room: Callable[[Path], Room] = room_on_disk) -> None:
        self._limits = limits
        self._room = room

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            DISK,
            "a file in the server's data directory takes disk space away, as a log or a snapshot that grows would; a"
            " tenth of the filesystem stays free",
            "removing the file",
            [_SIZE],
            needs="free disk where the servers keep their data",
        )

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Raises ``Unavailable`` when that is more than may be taken."""
        path = scene.target.directory / f"{PREFIX}{fault.id}"
        await offload(lambda: self._check(int(number(fault, _SIZE)), scene))
        return {"file": str(path)}

    async def inject(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Returns when the file has its full size."""
        path, size, stop = Path(str(memo["file"])), int(number(fault, _SIZE)), threading.Event()
        await offload(lambda: self._fill(path, size, scene, stop), stop)

    async def undo(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """A file that is gone is success: a cluster that is built anew empties its directories."""
        await offload(lambda: _remove(Path(str(memo["file"]))))

    async def leftovers(self, fault: Fault, scene: Scene, memo: Memo) -> str:
        """The file, if it is still there."""
        return _left(Path(str(memo["file"])))

    def _check(self, more: int, scene: Scene) -> None:
        """``more`` bytes on top of what fill files hold already, this one included."""
        held, directory = _held(scene), scene.target.directory
        try:
            check_disk(more, self._room(directory), held, self._limits)
            if lives_in_memory(directory):
                check_memory(more, room_in_memory(), held, self._limits)
        except OSError as error:
            raise Unavailable(f"cannot look at the filesystem of {directory}: {error.strerror}") from error

    def _fill(self, path: Path, size: int, scene: Scene, stop: threading.Event) -> None:
        done = 0
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                while done < size and not stop.is_set():
                    self._check(size - done, scene)
                    step = min(_STEP_BYTES, size - done)
                    os.posix_fallocate(fd, done, step)
                    done += step
            finally:
                os.close(fd)
        except OSError as error:
            raise Unavailable(f"cannot fill {path}: {error.strerror}") from error


def _held(scene: Scene) -> int:
    """Bytes in the fill files of all servers of the subject."""
    return sum(_size(path) for one in (scene.target, *scene.others) for path in one.directory.glob(f"{PREFIX}*"))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _left(path: Path) -> str:
    there = os.path.lexists(path)
    return f"the file {path} ({format_size(_size(path))}) is still there" if there else ""


def _remove(path: Path) -> None:
    if not path.name.startswith(PREFIX):
        raise Unavailable(f"{path} is no file of ours")
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return
    except OSError as error:
        raise Unavailable(f"cannot remove {path}: {error.strerror}") from error
