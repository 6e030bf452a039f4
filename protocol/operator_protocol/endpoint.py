"""Where a daemon is found: the runtime directory and the three sockets in it, or a TCP address.

The order in which the runtime directory is looked up is part of the contract (design, section 2): the option, then
``$OPERATOR_RUNTIME_DIR``, ``$XDG_RUNTIME_DIR/operatord``, ``/run/operatord`` for root, ``/tmp/operatord-<uid>``.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from operator_protocol.errors import BadRequest, DaemonUnreachable

if TYPE_CHECKING:
    from operator_protocol.keyfile import CurveKeys

MAX_SOCKET_PATH_BYTES = 107
"""``sun_path`` of ``sockaddr_un`` holds 108 bytes with the closing NUL (unix(7))."""
ANY_HOSTS = ("*", "0.0.0.0", "[::]")
"""What a daemon listens at when it listens everywhere; no client can connect to that from another host."""
_HOST = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9._%-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]")


class Endpoint(NamedTuple):
    """The addresses of one daemon, as ZeroMQ wants them."""

    frames: str
    control: str
    ingest: str
    label: str
    """What to show a person: the runtime directory or the TCP address."""
    curve: "CurveKeys | None" = None
    """What a client proves itself with over TCP."""


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


def parse_tcp(address: str) -> tuple[str, int]:
    """Host and port of ``tcp://HOST:PORT``, the port of frames; that of control is one above.

    An IPv6 host stands in brackets. Raises ``BadRequest``.
    """
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    if not address.startswith("tcp://") or not _HOST.fullmatch(host):
        raise BadRequest(f"{address!r} is not an address like tcp://127.0.0.1:7411")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_535):
        raise BadRequest(f"{address!r} needs a port from 1 to 65534: the one above it is used as well")
    return host, int(port)


def tcp_endpoint(address: str, curve: "CurveKeys | None" = None) -> Endpoint:
    """The sockets of a daemon that listens at ``tcp://HOST:PORT``. Raises ``BadRequest``."""
    host, port = parse_tcp(address)
    label = f"tcp://{host}:{port}"
    return Endpoint(frames=label, control=f"tcp://{host}:{port + 1}", ingest="", label=label, curve=curve)


def resolve_endpoint(
    value: str | None = None, environ: Mapping[str, str] | None = None, *, key: str | None = None
) -> Endpoint:
    """The endpoint that a client was told: an option value, else ``$OPERATOR_ENDPOINT``, else the default directory.

    ``key`` names the key file that TCP needs, else ``$OPERATOR_KEY`` does. Raises ``BadRequest`` for what cannot be an
    endpoint or a key file, ``DaemonUnreachable`` for TCP without a key: no daemon answers to that.
    """
    env = os.environ if environ is None else environ
    chosen = value or env.get("OPERATOR_ENDPOINT") or ""
    if chosen.startswith("tcp://"):
        endpoint = tcp_endpoint(chosen)
        if parse_tcp(chosen)[0] == "*":
            raise BadRequest(f"{chosen!r} is where a daemon listens, not where it is found", "name its host or address")
        file = key or env.get("OPERATOR_KEY")
        if not file:
            raise DaemonUnreachable(
                f"no daemon answers at {endpoint.label} without a key",
                "name a key file with --key or $OPERATOR_KEY; on that host, `operatord keys new NAME` makes one",
            )
        from operator_protocol.keyfile import read_key_file  # only TCP needs it

        return endpoint._replace(curve=read_key_file(file))
    if "://" in chosen and not chosen.startswith("ipc://"):
        raise BadRequest(f"{chosen!r} is no endpoint", "it is a daemon's runtime directory, or tcp://HOST:PORT")
    if key:
        raise BadRequest("--key is for endpoints on TCP", "add --endpoint tcp://HOST:PORT, or leave --key out")
    return runtime_endpoint(chosen.removeprefix("ipc://") if chosen else default_runtime_dir(env))
