"""Names and dependencies of declared processes, judged together: names are free, dependencies exist, no cycles."""

import re
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from operator_protocol.errors import BadRequest
from operator_protocol.topics import is_process_name

BUILT_IN = ("cluster", "monitor", "agent", "ycsb")
"""What a declared process may depend on besides its like: the subject when it is healthy, and the workers."""

_TAKEN = (*BUILT_IN, "docker", "forkserver", "operatord")
_NODE = re.compile(r"(.+-)?(valkey|tikv|pd)-?[0-9]+")
"""Node ids of the subjects are names of processes, too; so are ``slow-valkey-0`` and the like, which do what faults do
to a node."""


def check_names(names: Sequence[str]) -> None:
    """Raises ``BadRequest`` for a name that is not one, or that belongs to someone else."""
    for name in names:
        if not is_process_name(name):
            raise BadRequest(
                f"process.{name}: not a process name",
                "lower-case letters, digits and dashes, a letter first, at most 32",
            )
        if name in _TAKEN:
            raise BadRequest(f"process.{name}: the daemon has a part of that name", "choose another name")
        if _NODE.fullmatch(name):
            raise BadRequest(f"process.{name}: nodes of a cluster have names like that", "choose another name")


def check_dependencies(depends_on: Mapping[str, Sequence[str]]) -> None:
    """Raises ``BadRequest`` for a dependency that does not exist, and for a cycle, which it names."""
    known = ", ".join((*depends_on, *BUILT_IN))
    for name, wanted in depends_on.items():
        for other in wanted:
            if other not in depends_on and other not in BUILT_IN:
                raise BadRequest(f"process.{name}.depends_on: there is no {other!r}", f"there are: {known}")
    try:
        TopologicalSorter({name: list(wanted) for name, wanted in depends_on.items()}).prepare()
    except CycleError as error:
        # graphlib lists a cycle from dependency to dependent.
        cycle = list(reversed(error.args[1]))
        raise BadRequest(
            f"process.{cycle[0]}.depends_on: they wait for each other: {' -> '.join(cycle)}", "break the circle"
        ) from None
