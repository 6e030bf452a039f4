"""The network of a cluster that is gone, taken away by whoever finds it: the keeper, or ``operatord recover``.

For processes without a daemon. It looks before it loads anything that could run a command: most of the time there is
nothing to do.
"""

import sys
from pathlib import Path

from operator_protocol.errors import OperatorError
from operatord.isolation.names import Names


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
