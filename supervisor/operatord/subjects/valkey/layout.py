"""Where the six servers listen, where their data lies, and how each is started.

The layout is written to ``cluster.json`` before the first server starts, so that a later daemon (or ``operatord
recover``) finds the cluster that an earlier one left running.
"""

import contextlib
import json
import random
import secrets
import shutil
import socket
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from operator_protocol.errors import Unavailable
from operatord.subjects.base import Member

SHARDS = 3
SERVERS = 2 * SHARDS
SLOTS = 16_384
_FIRST_FREE = 10_000
"""Free ports are looked for from here on, in blocks that do not overlap."""

_FIRST_ISOLATED = 7_000
"""First port of servers that have hosts of their own."""

_BLOCK = 2 * SERVERS

BUS_OFFSET = 10_000
"""Valkey's own default distance between a port and its cluster bus port."""

SHUTDOWN_TIMEOUT_S = 2
"""How long a stopping primary may wait for a replica that lags (Valkey's default is 10 s, longer than our deadline)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Ports and directories of one cluster."""

    host: str
    ports: tuple[int, ...]
    bus_ports: tuple[int, ...]
    node_timeout_ms: int
    directory: str
    """Holds ``cluster.json`` and one data directory for each node."""
    instance: str = ""
    """Random; tells this cluster from the ones that were built here before and after it."""
    formed: bool = False
    """The servers became a cluster; without it there is nothing that a later daemon could adopt."""
    own_hosts: tuple[str, ...] = ()
    """Address of each server when each has a network namespace of its own; empty when all are on ``host``."""

    @property
    def isolated(self) -> bool:
        """Each server has a host of its own."""
        return bool(self.own_hosts)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where each server listens, in order."""
        return self.own_hosts or (self.host,) * len(self.ports)

    @property
    def members(self) -> list[Member]:
        """The servers in order; the first three start out as primaries, each followed by the one three further on."""
        return [
            Member(id=node_id(index), host=host, port=port)
            for index, (host, port) in enumerate(zip(self.hosts, self.ports, strict=True))
        ]

    def data_dir(self, name: str) -> Path:
        """Working directory of one server: append-only file, ``nodes.conf``."""
        return Path(self.directory) / name

    def argv(self, program: Path, name: str) -> list[str]:
        """The command line of one server. It logs to stdout, which the supervisor captures."""
        index = node_index(name)
        options: dict[str, str | int] = {
            "port": self.ports[index],
            "cluster-port": self.bus_ports[index],
            "bind": self.hosts[index],
            # Without a password it serves nobody but its own host, and there it is alone. Nobody but this machine has
            # a way to it.
            **({"protected-mode": "no"} if self.isolated else {}),
            "dir": str(self.data_dir(name)),
            "daemonize": "no",
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": self.node_timeout_ms,
            # Without the append-only file a primary that is restarted at once comes back empty, and its replica
            # then copies the emptiness.
            "appendonly": "yes",
            "save": "",
            # The default of 5 s lets a primary wait for more replicas to arrive; there is only one.
            "repl-diskless-sync-delay": 0,
            # A replica with nothing to lose reads the snapshot from the socket. Through a file it would wait for a
            # timer of one second to notice that the file is complete.
            "repl-diskless-load": "on-empty-db",
            "shutdown-timeout": SHUTDOWN_TIMEOUT_S,
        }
        words = [str(program)]
        for option, value in options.items():
            words += [f"--{option}", str(value)]
        return words

    def save(self) -> None:
        """Write ``cluster.json`` so that it is there whole or not at all."""
        path = _file(self.directory)
        draft = path.with_suffix(".json.new")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, directory: Path) -> "Layout | None":
        """The layout of the cluster that was last started in ``directory``; None without one that can be read."""
        try:
            saved = json.loads(_file(directory).read_text(encoding="utf-8"))
            layout = cls(
                host=str(saved["host"]),
                ports=tuple(int(port) for port in saved["ports"]),
                bus_ports=tuple(int(port) for port in saved["bus_ports"]),
                node_timeout_ms=int(saved["node_timeout_ms"]),
                directory=str(directory),
                instance=str(saved.get("instance", "")),
                formed=bool(saved.get("formed")),
                own_hosts=tuple(str(host) for host in saved.get("own_hosts", ())),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        complete = len(layout.ports) == len(layout.bus_ports) == SERVERS and len(layout.own_hosts) in (0, SERVERS)
        return layout if complete else None

    def forget(self) -> None:
        """Remove ``cluster.json``: no cluster of this layout is running any more."""
        _file(self.directory).unlink(missing_ok=True)

    def taken_ports(self) -> list[int]:
        """Ports of this layout that somebody holds; on hosts of their own nobody else can."""
        if self.isolated:
            return []
        return [port for port in (*self.ports, *self.bus_ports) if _first_taken(self.host, [port]) is not None]

    def has_data(self) -> bool:
        """True when every server left its cluster configuration behind."""
        return all((self.data_dir(member.id) / "nodes.conf").is_file() for member in self.members)

    def wipe(self) -> None:
        """Empty data directories for all servers. Raises ``Unavailable`` when they cannot be made."""
        try:
            for member in self.members:
                directory = self.data_dir(member.id)
                if directory.exists():
                    shutil.rmtree(directory)
                directory.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise Unavailable(
                f"cannot prepare {error.filename or self.directory}: {error.strerror}",
                "choose another directory with --state-dir",
            ) from error


def node_id(index: int) -> str:
    """Name of a server, which is also its process name."""
    return f"valkey-{index}"


def node_index(name: str) -> int:
    """Position of a server in the layout."""
    return int(name.rpartition("-")[2])


def home_group(index: int) -> str:
    """The shard that a server was made for: 0 and 3, 1 and 4, 2 and 5 belong together."""
    return f"shard-{index % SHARDS}"


def slot_range(shard: int) -> tuple[int, int]:
    """First and last slot of a shard, cut as ``valkey-cli --cluster create`` does: 5460, 10922, 16383."""
    return round(shard * SLOTS / SHARDS), round((shard + 1) * SLOTS / SHARDS) - 1


def plan(directory: Path, host: str, base_port: int, node_timeout_ms: int, own_hosts: Sequence[str] = ()) -> Layout:
    """Choose ports. Raises ``Unavailable`` when ``base_port`` was asked for and one of its ports is taken.

    Servers with ``own_hosts`` have all ports for themselves; they still get different ones, so that a port tells them
    apart wherever people read only that.
    """
    if own_hosts:
        ports = [(base_port or _FIRST_ISOLATED) + index for index in range(SERVERS)]
        ports += [port + BUS_OFFSET for port in ports]
    else:
        ports = _configured_ports(host, base_port) if base_port else _free_ports(host)
    return Layout(
        host,
        tuple(ports[:SERVERS]),
        tuple(ports[SERVERS:]),
        node_timeout_ms,
        str(directory),
        instance=secrets.token_hex(8),
        own_hosts=tuple(own_hosts),
    )


def _configured_ports(host: str, base_port: int) -> list[int]:
    ports = [base_port + index for index in range(SERVERS)]
    ports += [port + BUS_OFFSET for port in ports]
    if (taken := _first_taken(host, ports)) is not None:
        what = f"port {taken}" if taken < base_port + SERVERS else f"cluster bus port {taken}"
        raise Unavailable(
            f"{what} on {host} is taken; base_port = {base_port} needs {ports[0]}-{ports[SERVERS - 1]}"
            f" and {ports[SERVERS]}-{ports[-1]}",
            f"stop what listens there (ss -ltnp 'sport = :{taken}'), or set base_port = 0 in [subject.valkey]"
            " to use free ports",
        )
    return ports


def _free_ports(host: str) -> list[int]:
    """Twelve neighbouring ports that nobody uses, below the range from which the kernel serves outgoing connections.

    A port inside that range may become some client's local port while its server is down, and then the server cannot
    come back.
    """
    blocks = (_ephemeral_start() - _FIRST_FREE) // _BLOCK
    for _ in range(200):
        start = _FIRST_FREE + random.randrange(max(1, blocks)) * _BLOCK
        ports = list(range(start, start + _BLOCK))
        if not _is_claimed(start) and _first_taken(host, ports) is None:
            return ports
    raise Unavailable(f"found no {_BLOCK} neighbouring free ports on {host}", "set base_port in [subject.valkey]")


class PortClaim:
    """Says to other daemons of this machine that the ports of a cluster are in use even while a server is down.

    Otherwise a new cluster might take the port of a server that a fault has just killed; its undo would fail, and
    nodes of two clusters would talk to each other. The claim is the name of a socket that nobody ever writes to; it
    ends with the process at the latest.
    """

    def __init__(self, layout: Layout) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if layout.isolated:
            return
        with contextlib.suppress(OSError):  # an earlier daemon may still be on its way out; the ports decide then
            self._socket.bind(_claim_name(layout.ports[0]))

    def release(self) -> None:
        """Give the ports up."""
        self._socket.close()


def _claim_name(first_port: int) -> str:
    return f"\0operatord-valkey-ports-{first_port}"


def _is_claimed(first_port: int) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as attempt:
        try:
            attempt.bind(_claim_name(first_port))
        except OSError:
            return True
    return False


def _ephemeral_start() -> int:
    try:
        words = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
        start = int(words[0])
    except (OSError, ValueError, IndexError):
        start = 32_768
    return start if start >= 12_000 else 32_768


def _first_taken(host: str, ports: Iterable[int]) -> int | None:
    with ExitStack() as held:
        for port in ports:
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            # As Valkey does: connections of an earlier server that linger in TIME_WAIT do not count as taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return port
    return None


def _file(directory: Path | str) -> Path:
    return Path(directory) / "cluster.json"
