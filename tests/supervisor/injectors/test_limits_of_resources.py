"""What a fault may take of memory and disk, and how more than that is refused."""

import pytest

from operator_protocol.errors import Unavailable
from operatord.config import Config
from operatord.injectors.limits import (
    ResourceLimits,
    Room,
    check_disk,
    check_memory,
    disk_allowed,
    memory_allowed,
)

GIB = 1024**3
LIMITS = ResourceLimits(max_memory_share=0.25, max_disk_bytes=4 * GIB)


@pytest.mark.parametrize(
    ("room", "held", "allowed"),
    [
        (Room(16 * GIB, 12 * GIB), 0, 4 * GIB),
        (Room(16 * GIB, 12 * GIB), 3 * GIB, GIB),
        (Room(16 * GIB, 12 * GIB), 5 * GIB, 0),
        (Room(10 * GIB, 2 * GIB), 0, GIB),
        (Room(10 * GIB, GIB // 2), 0, 0),
    ],
    ids=["the share", "the share less what others hold", "nothing beyond the share", "the floor", "below the floor"],
)
def test_memory_is_bounded_by_a_share_for_all_and_a_floor_for_the_host(room: Room, held: int, allowed: int) -> None:
    assert memory_allowed(room, held, LIMITS) == allowed
    check_memory(allowed, room, held, LIMITS)
    with pytest.raises(Unavailable):
        check_memory(allowed + 1, room, held, LIMITS)


@pytest.mark.parametrize(
    ("room", "held", "allowed"),
    [
        (Room(100 * GIB, 50 * GIB), 0, 4 * GIB),
        (Room(100 * GIB, 50 * GIB), 3 * GIB, GIB),
        (Room(100 * GIB, 12 * GIB), 0, 2 * GIB),
        (Room(100 * GIB, 9 * GIB), 0, 0),
    ],
    ids=["the cap", "the cap less what others hold", "a tenth stays free", "less than a tenth is free already"],
)
def test_disk_is_bounded_by_a_cap_for_all_and_a_tenth_that_stays_free(room: Room, held: int, allowed: int) -> None:
    assert disk_allowed(room, held, LIMITS) == allowed
    check_disk(allowed, room, held, LIMITS)
    with pytest.raises(Unavailable):
        check_disk(allowed + 1, room, held, LIMITS)


def test_a_refusal_says_how_much_would_be_allowed_and_why() -> None:
    with pytest.raises(Unavailable) as memory:
        check_memory(8 * GIB, Room(16 * GIB, 12 * GIB), GIB, LIMITS)
    assert memory.value.message == (
        "8 GiB of memory are too much: at most 3 GiB would be allowed, with 12 GiB of 16 GiB available, 1 GiB held by"
        " other memory faults, at most 25% for all of them, and 10% that stay available"
    )
    assert memory.value.hint == f"ask for less with --set size={3 * GIB}"
    with pytest.raises(Unavailable) as disk:
        check_disk(8 * GIB, Room(100 * GIB, GIB), 0, LIMITS)
    assert "nothing would be allowed, with 1 GiB of 100 GiB free" in disk.value.message
    assert "max_disk_bytes" in disk.value.hint


def test_the_bounds_of_the_configuration_are_those_without_one() -> None:
    faults = Config().faults
    assert ResourceLimits(faults.max_memory_share, faults.max_disk_bytes) == ResourceLimits()
