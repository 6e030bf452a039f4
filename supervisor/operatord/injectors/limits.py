"""How much memory and disk a fault may take: absolute bounds on the host, which ``--force`` does not move.

Pure functions of what is there; who calls them measures. A refusal says how much would be allowed.
"""

from dataclasses import dataclass

from operator_protocol.errors import Unavailable
from operatord.sizes import format_size

MEMORY_FLOOR_SHARE = 0.10
"""Of the memory of the host (or of the cgroup that bounds us) this much must stay available."""

DISK_FLOOR_SHARE = 0.10
"""Of the filesystem this much must stay free."""


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """The part of ``[faults]`` that bounds what faults may take."""

    max_memory_share: float = 0.25
    """Of the memory, by all memory faults of this host together."""
    max_disk_bytes: int = 4 * 1024**3
    """By all disk faults of this subject together."""


@dataclass(frozen=True, slots=True)
class Room:
    """What there is of a resource, in bytes."""

    total: int
    available: int


def memory_floor(room: Room) -> int:
    """Bytes that must stay available."""
    return int(room.total * MEMORY_FLOOR_SHARE)


def memory_allowed(room: Room, held: int, limits: ResourceLimits) -> int:
    """How many bytes one more memory fault may take, beside the ``held`` bytes of those that are active."""
    by_share = int(room.total * limits.max_memory_share) - held
    return max(0, min(by_share, room.available - memory_floor(room)))


def disk_allowed(room: Room, held: int, limits: ResourceLimits) -> int:
    """How many bytes one more disk fault may take, beside the ``held`` bytes of those that are active."""
    return max(0, min(limits.max_disk_bytes - held, room.available - int(room.total * DISK_FLOOR_SHARE)))


def check_memory(size: int, room: Room, held: int, limits: ResourceLimits) -> None:
    """Raise ``Unavailable`` when ``size`` bytes are more than ``memory_allowed``."""
    allowed = memory_allowed(room, held, limits)
    if size > allowed:
        raise Unavailable(
            f"{format_size(size)} of memory are too much: {_at_most(allowed)}, with {format_size(room.available)} of"
            f" {format_size(room.total)} available, {format_size(held)} held by other memory faults,"
            f" at most {limits.max_memory_share:.0%} for all of them, and {MEMORY_FLOOR_SHARE:.0%} that stay available",
            _less(allowed, "max_memory_share"),
        )


def check_disk(size: int, room: Room, held: int, limits: ResourceLimits) -> None:
    """Raise ``Unavailable`` when ``size`` bytes are more than ``disk_allowed``."""
    allowed = disk_allowed(room, held, limits)
    if size > allowed:
        raise Unavailable(
            f"{format_size(size)} of disk are too much: {_at_most(allowed)}, with {format_size(room.available)} of"
            f" {format_size(room.total)} free, {format_size(held)} held by other disk faults,"
            f" at most {format_size(limits.max_disk_bytes)} for all of them, and {DISK_FLOOR_SHARE:.0%} that stay free",
            _less(allowed, "max_disk_bytes"),
        )


def _at_most(allowed: int) -> str:
    return f"at most {format_size(allowed)} would be allowed" if allowed else "nothing would be allowed"


def _less(allowed: int, key: str) -> str:
    return f"ask for less with --set size={allowed}" if allowed else f"recover other faults, or see {key} in [faults]"
