"""Where the web console of a daemon on this host is, for who may read the daemon's runtime directory.

The file has the control token in the fragment of the address. What is shown goes without: a viewer is looked at by more
people than the one who presses its keys, often on a wall.
"""

import json
from pathlib import Path
from typing import NamedTuple

from operator_protocol.endpoint import Endpoint

FILE = "console.json"


class ConsoleAddress(NamedTuple):
    """What may be seen by everybody."""

    url: str = ""
    """Without the token; empty where there is no console, and for daemons elsewhere."""
    file: str = ""
    """The one that has the address with the token; only the owner of the daemon can read it."""


NO_CONSOLE = ConsoleAddress()


def console_address(endpoint: Endpoint) -> ConsoleAddress:
    """The address to show, and where the whole one is."""
    if endpoint.curve is not None or endpoint.label.startswith("tcp://"):
        return NO_CONSOLE
    file = Path(endpoint.label) / FILE
    try:
        url = json.loads(file.read_text())["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return NO_CONSOLE
    if not (isinstance(url, str) and url.isascii() and url.isprintable()):
        return NO_CONSOLE
    return ConsoleAddress(url.partition("#")[0], str(file))
