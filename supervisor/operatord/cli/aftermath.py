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

    try:
        problem = down(directory)
    except OperatorError as error:
        problem = str(error)
    if problem:
        print(f"operatord: {problem}", file=sys.stderr)
    return not problem


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
