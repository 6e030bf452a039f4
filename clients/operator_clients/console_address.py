"""Where the web console of a daemon on this host is, for who may read the daemon's runtime directory."""

import json
from pathlib import Path

from operator_protocol.endpoint import Endpoint

FILE = "console.json"


def console_address(endpoint: Endpoint) -> str:
    """Its URL with the control token in the fragment; empty where there is none, and for daemons elsewhere."""
    if endpoint.curve is not None or endpoint.label.startswith("tcp://"):
        return ""
    try:
        url = json.loads((Path(endpoint.label) / FILE).read_text())["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return url if isinstance(url, str) and url.isascii() and url.isprintable() else ""
