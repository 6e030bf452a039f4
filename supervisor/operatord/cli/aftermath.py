"""The network or the containers of a cluster that is gone, taken away by whoever finds them: the keeper, or a command.

For processes without a daemon. It looks before it loads anything that could run a command: most of the time there is
nothing to do.
"""

import sys
from pathlib import Path

from operator_protocol.errors import OperatorError
from operatord.isolation.names import Names


def remove_containers(state_dir: Path) -> bool:
    """Take down the containers that were started from ``state_dir``; True if there were any. Says so if it cannot."""
    directory = state_dir / "tikv"
    if not (directory / "project.json").exists():
        return False
    from operatord.subjects.tikv.load import down
    from operatord.subjects.tikv.project import load
    from operatord.workers.docker import helpers

    try:
        if (project := load(directory)) is not None:
            # One that was created and never ran would hold on to a volume.
            helpers.remove(["docker"], project.name)
        problem = down(directory)
    except OperatorError as error:
        problem = str(error)
    if problem:
        print(f"operatord: {problem}", file=sys.stderr)
    return not problem


def end_load(state_dir: Path) -> None:
    """Take away the containers of a load whose daemon is gone; those of its cluster stay. Says so if it cannot."""
    directory = state_dir / "tikv"
    if not (directory / "project.json").exists():
        return
    from operatord.subjects.tikv import load

    try:
        problem = load.end_load(directory)
    except OperatorError as error:
        problem = str(error)
    if problem:
        print(f"operatord: {problem}", file=sys.stderr)


def remove_network(state_dir: Path) -> bool:
    """Remove what of the network of ``state_dir`` is there; True if there was any. Says so, on stderr, if it cannot."""
    if not Names.of(state_dir).anything_there():
        return False
    import asyncio

    from operatord.isolation.network import IsolatedNetwork
    from operatord.processes.commands import ChildCommands

    try:
        asyncio.run(IsolatedNetwork(state_dir, ChildCommands()).remove())
    except OperatorError as error:
        print(f"operatord: {error}", file=sys.stderr)
        return False
    return True
