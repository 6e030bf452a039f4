"""``disk``: ballast on a store's own volume, where that volume has a size of its own; refused where it has none.

A named volume is by default a directory of the host's disk: filling it would take the space from everybody there, and
the share of the store would be a matter of what else is on that disk.
"""

from collections.abc import Mapping, Sequence

from operator_protocol.errors import Unavailable
from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord.injectors.limits import Room, check_disk
from operatord.injectors.network.common import number
from operatord.subjects.base import Observation
from operatord.subjects.tikv.engine import Volume
from operatord.subjects.tikv.faults.base import STORES, Means, Memo, require_running, require_store

DISK = "disk"
_DATA = "/data"
_PREFIX = "operatord-fill-"
_SIZE = FaultParam("size", "what the file takes", 1024**3, "bytes", minimum=1)
_NO_QUOTA = "the volumes have no quota of their own, so it would fill the disk of this host and not the store's"
_WITH_QUOTA = "give them a size in a compose file of your own (driver_opts: size, or tmpfs with o: size=...)"


class Disk:
    """A file of ballast. What is asked for is checked right before it is taken, against the volume as it is then."""

    contained = True
    roles = STORES
    lags = False

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            DISK,
            "a file of ballast beside the store's data takes space away on its volume; a tenth of it stays free",
            "removing the file",
            [_SIZE],
            needs="volumes with a size of their own, and an image with df and fallocate for helpers (helper_image)",
        )

    async def prepare(self, fault: Fault, means: Means) -> dict[str, Scalar]:
        """Raises ``Unavailable`` for a volume without bounds, and for more than may be taken of it."""
        require_store(fault, "only a store's data has a volume to fill")
        await require_running(fault.target, means)
        volume = next((one for one in await means.containers.volumes(fault.target) if one.at == _DATA), None)
        if volume is None or not _is_bounded(volume):
            raise Unavailable(f"disk cannot be injected here: {_NO_QUOTA}", _WITH_QUOTA)
        await self._check(fault, means)
        return {"file": f"{_DATA}/{_PREFIX}{fault.id}", "volume": volume.name}

    async def inject(self, fault: Fault, means: Means, memo: Memo) -> None:
        """The space is reserved, which takes no time."""
        await self._check(fault, means)
        await _must(fault, means, ["fallocate", "-l", str(round(number(fault, _SIZE))), str(memo["file"])])

    async def undo(self, fault: Fault, means: Means, memo: Memo) -> None:
        """A file that is gone is success; whether the store runs does not matter to the volume."""
        await means.containers.helpers(remove=True)
        await _must(fault, means, ["rm", "-f", str(memo["file"])])
        await means.containers.bring_back(fault.target)

    async def leftovers(self, fault: Fault, means: Means, memo: Memo) -> str:
        """The file, if it is there."""
        done = await means.containers.beside(fault.target, means.helper_image, ["ls", str(memo["file"])], "volumes")
        return f"the file {memo['file']} of {fault.target} is still there" if done.code == 0 else ""

    def holds(self, fault: Fault, memo: Memo, seen: Observation) -> str | None:
        """No look at the cluster can tell whose file it is that takes the space."""
        return None

    async def _check(self, fault: Fault, means: Means) -> None:
        said = await _must(fault, means, ["df", "-Pk", _DATA])
        check_disk(round(number(fault, _SIZE)), _room(said), 0, means.limits)


def _is_bounded(volume: Volume) -> bool:
    """Whether the volume is a filesystem of its own, or has a quota: by the options of Docker's local driver."""
    options: Mapping[str, str] = volume.options
    if options.get("size"):
        return True
    mounted = [word.partition("=") for word in options.get("o", "").split(",")]
    if options.get("type") == "tmpfs":
        return any(name == "size" and size not in ("", "0") for name, _, size in mounted)
    return options.get("device", "").startswith("/dev/")


def _room(said: str) -> Room:
    """From the answer of ``df -Pk`` (POSIX): total and available, in KiB."""
    try:
        words = said.splitlines()[1].split()
        return Room(int(words[1]) * 1024, int(words[3]) * 1024)
    except (IndexError, ValueError) as error:
        raise Unavailable(f"df answered with something else than its table: {said[:80]!r}") from error


async def _must(fault: Fault, means: Means, command: Sequence[str]) -> str:
    done = await means.containers.beside(fault.target, means.helper_image, command, "volumes")
    if done.code != 0:
        raise Unavailable(f"disk {fault.target}: {command[0]} failed: {done.complaint}")
    return done.output
