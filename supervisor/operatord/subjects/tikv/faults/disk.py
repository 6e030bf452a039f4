"""``disk``: filling a store's disk, which is refused where nothing bounds it but the disk of the host."""

from operator_protocol.errors import Unavailable
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.subjects.base import Observation
from operatord.subjects.tikv.faults.base import STORES, Means, Memo

DISK = "disk"
_MISSING = "the volumes have no quota of their own, so it would fill the disk of this host and not the store's"


class Disk:
    """In the catalogue, so that asking for it gets the reason."""

    contained = True
    roles = STORES

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            DISK,
            "a file of ballast beside the store's data",
            "removing the file",
            needs="a volume with a quota",
            missing=_MISSING,
        )

    async def prepare(self, fault: Fault, means: Means) -> dict[str, Scalar]:
        """Refused."""
        raise Unavailable(f"disk cannot be injected here: {_MISSING}")

    async def inject(self, fault: Fault, means: Means, memo: Memo) -> None:
        """Refused."""
        raise Unavailable(f"disk cannot be injected here: {_MISSING}")

    async def undo(self, fault: Fault, means: Means, memo: Memo) -> None:
        """There never is anything."""

    async def leftovers(self, fault: Fault, means: Means, memo: Memo) -> str:
        """There never is anything."""
        return ""

    def holds(self, fault: Fault, memo: Memo, seen: Observation) -> str | None:
        """There never is anything."""
        return ""
