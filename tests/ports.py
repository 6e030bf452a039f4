"""Free ports for programs that must be told theirs.

They are below those that the kernel gives away by itself, and below those that a daemon chooses for its cluster, so
nobody is given one between the moment that it is found free and the moment that it is taken; and each worker of a run
of the tests looks in a range of its own.
"""

import contextlib
import itertools
import os
import random
import socket
from collections.abc import Iterator

_FIRST, _RANGE, _WORKERS = 3_000, 480, 8


def _candidates() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    # Another run of the tests may be going on beside this one.
    begin = random.randrange(_RANGE)
    return (_FIRST + worker * _RANGE + (begin + offset) % _RANGE for offset in itertools.count())


_next = _candidates()


def free_ports(count: int) -> list[int]:
    """So many of them; a cluster bus 10,000 above is a port, too."""
    found: list[int] = []
    for port in itertools.islice(_next, _RANGE):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    if len(found) < count:
        raise AssertionError(f"no {count} ports are free")
    return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def free_pair() -> int:
    """The lower one of two neighbours."""
    for _ in range(_RANGE):
        lower = free_port()
        if _is_free(lower + 1):
            next(_next)
            return lower
    raise AssertionError("no two neighbouring ports are free")


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False
