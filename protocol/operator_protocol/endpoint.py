"""Where a daemon is found: the runtime directory and the three sockets in it, or a TCP address.

The order in which the runtime directory is looked up is part of the contract (design, section 2): the option, then
``$OPERATOR_RUNTIME_DIR``, ``$XDG_RUNTIME_DIR/operatord``, ``/run/operatord`` for root, ``/tmp/operatord-<uid>``.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from operator_protocol.errors import BadRequest

MAX_SOCKET_PATH_BYTES = 107
"""``sun_path`` of ``sockaddr_un`` holds 108 bytes with the closing NUL (unix(7))."""


class Endpoint(NamedTuple):
    """The addresses of one daemon, as ZeroMQ wants them."""

    frames: str
    control: str
    ingest: str
    label: str
    """What to show a person: the runtime directory or the TCP address."""


def default_runtime_dir(environ: Mapping[str, str] | None = None) -> Path:
    """The runtime directory that daemon and clients agree on when nothing was said."""
    env = os.environ if environ is None else environ
    if chosen := env.get("OPERATOR_RUNTIME_DIR"):
        return Path(chosen)
    if xdg := env.get("XDG_RUNTIME_DIR"):
        return Path(xdg) / "operatord"
    uid = os.getuid()
    return Path("/run/operatord") if uid == 0 else Path(f"/tmp/operatord-{uid}")


def runtime_endpoint(runtime_dir: Path | str) -> Endpoint:
    """The sockets in ``runtime_dir``. Raises ``BadRequest`` when a path would not fit into a socket address."""
    directory = Path(runtime_dir).absolute()
    longest = directory / "control.sock"
    if len(os.fsencode(longest)) > MAX_SOCKET_PATH_BYTES:
        raise BadRequest(
            f"the socket path {longest} is over {MAX_SOCKET_PATH_BYTES} bytes",
            "choose a shorter directory with --runtime-dir",
        )
    return Endpoint(
        frames=f"ipc://{directory}/frames.sock",
        control=f"ipc://{directory}/control.sock",
        ingest=f"ipc://{directory}/ingest.sock",
        label=str(directory),
    )


def resolve_endpoint(value: str | None = None, environ: Mapping[str, str] | None = None) -> Endpoint:
    """The endpoint that a client was told: an option value, else ``$OPERATOR_ENDPOINT``, else the default directory."""
    env = os.environ if environ is None else environ
    chosen = value or env.get("OPERATOR_ENDPOINT") or ""
    if chosen.startswith("tcp://"):
        raise BadRequest(
            f"{chosen}: TCP endpoints need keys, which this version does not have", "use a runtime directory"
        )
    return runtime_endpoint(chosen.removeprefix("ipc://") if chosen else default_runtime_dir(env))
