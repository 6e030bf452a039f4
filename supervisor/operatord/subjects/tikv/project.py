"""The containers of one daemon: a compose project with a name, a network and ports that nobody else has.

Written to ``project.json`` in the state directory before anything is created, and removed when all of it is gone: what
the file names is ours to take down, and nothing else is.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import random
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from operator_protocol.errors import NotFound, Unavailable
from operatord.isolation.addresses import Subnet, free_subnet
from operatord.subjects.base import Member
from operatord.subjects.tikv.options import Options

PDS = ("pd0", "pd1", "pd2")
STORES = ("tikv0", "tikv1", "tikv2")
NODES = (*PDS, *STORES)
MONITORING = ("prometheus", "grafana")
SERVICES = (*NODES, *MONITORING)
"""What is brought up at the start; the load comes later."""
LOAD, LOADER = "ycsb", "ycsb-load"
PROFILE = "load"
HOST = "127.0.0.1"
FILE = "project.json"
LOADED = "loaded"
"""A file beside it: the instance whose records are there."""
DIRECTORY = "tikv"
"""In the state directory."""

_PORTS = (
    *(f"OPERATOR_PD{index}_PORT" for index in range(3)),
    *(f"OPERATOR_TIKV{index}_STATUS_PORT" for index in range(3)),
    *(f"OPERATOR_TIKV{index}_PORT" for index in range(3)),
    "OPERATOR_PROMETHEUS_PORT",
    "OPERATOR_GRAFANA_PORT",
)
_FREE_PORTS = (15_000, 30_000)
"""Below those that the kernel gives to outgoing connections: they stay free until the engine takes them."""
_HOST_NUMBERS = {name: number for number, name in [*enumerate(PDS, 10), *enumerate(STORES, 20)]}
"""Last byte of the fixed address of each node, as the compose file has it."""


@dataclass(frozen=True, slots=True)
class Project:
    """What is needed to reach the containers, and to take them down."""

    name: str
    instance: str
    """Changes when the cluster is built anew."""
    compose_file: str
    environment: Mapping[str, str]
    """What the compose file reads from its environment."""

    @property
    def members(self) -> list[Member]:
        """The PDs with their client port, the stores with their status port."""
        pds = [Member(name, HOST, self._port(f"OPERATOR_{name.upper()}_PORT")) for name in PDS]
        return pds + [Member(name, HOST, self._port(f"OPERATOR_{name.upper()}_STATUS_PORT")) for name in STORES]

    @property
    def data(self) -> str:
        """Where the stores serve clients, as the option ``data`` has it."""
        return ",".join(f"{name}={HOST}:{self._port(f'OPERATOR_{name.upper()}_PORT')}" for name in STORES)

    @property
    def prometheus(self) -> str:
        """Its URL."""
        return f"http://{HOST}:{self._port('OPERATOR_PROMETHEUS_PORT')}"

    @property
    def grafana(self) -> str:
        """Its URL."""
        return f"http://{HOST}:{self._port('OPERATOR_GRAFANA_PORT')}"

    def attachment(self, node: str) -> dict[str, object]:
        """How the compose file connects ``node``: network, address, aliases."""
        address = f"{self.environment['OPERATOR_TIKV_NET']}.{_HOST_NUMBERS[node]}"
        return {"network": f"{self.name}_cluster", "address": address, "aliases": [node, f"{self.name}-{node}-1"]}

    def worker_spec(self) -> dict[str, object]:
        """What the docker worker is configured with."""
        return {
            "compose_file": self.compose_file,
            "project": self.name,
            "environment": dict(self.environment),
            "profiles": [PROFILE],
            "followed": list(NODES),
        }

    def compose(self, *words: str) -> list[str]:
        """A command line of compose for this project; it needs ``environment``."""
        files = ["--file", self.compose_file, "--project-name", self.name, "--profile", PROFILE]
        return ["docker", "compose", *files, *words]

    def _port(self, variable: str) -> int:
        return int(self.environment[variable])

    def save(self, directory: Path) -> None:
        """Write it down, whole or not at all."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = directory / f"{FILE}.draft"
        draft.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8")
        draft.replace(directory / FILE)


def load(directory: Path) -> Project | None:
    """What ``save`` wrote; None when there is nothing. Raises ``Unavailable`` for a file that says something else."""
    file = directory / FILE
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Project(
            name=str(found["name"]),
            instance=str(found["instance"]),
            compose_file=str(found["compose_file"]),
            environment={str(key): str(value) for key, value in found["environment"].items()},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable(
            f"cannot read {file}: {error}", "look what runs with: docker compose ls --all; then remove the file"
        ) from error


def forget(directory: Path) -> None:
    """Nothing of it is left."""
    for name in (LOADED, FILE):
        (directory / name).unlink(missing_ok=True)


def plan(state_dir: Path, options: Options, *, seed: str = "") -> Project:
    """A project for the daemon of ``state_dir``. Another ``seed`` gives another network."""
    tag = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:8]
    subnet = (
        Subnet.parse(options.network) if options.network else free_subnet(routed_networks(), seed=f"{tag}-tikv-{seed}")
    )
    count = len(_PORTS)
    ports = [options.base_port + step for step in range(count)] if options.base_port else free_ports(count)
    environment = {name: str(port) for name, port in zip(_PORTS, ports, strict=True)}
    environment["OPERATOR_TIKV_NET"] = str(subnet.network.network_address).rpartition(".")[0]
    environment |= load_environment(options)
    if interval := os.environ.get("OPERATOR_HEALTH_INTERVAL"):
        environment["OPERATOR_HEALTH_INTERVAL"] = interval
    return Project(f"operatord-{tag}", secrets.token_hex(8), str(compose_file(options.compose_file)), environment)


def load_environment(options: Options) -> dict[str, str]:
    """What the load's containers are told."""
    return {
        "OPERATOR_YCSB_WORKLOAD": f"workload{options.workload_name}",
        "OPERATOR_YCSB_RECORDS": str(options.workload_records),
        "OPERATOR_YCSB_THREADS": str(options.workload_threads),
        "OPERATOR_YCSB_TARGET": f"{options.workload_rate:.0f}",
    }


def compose_file(chosen: str = "") -> Path:
    """The compose file: the one that was chosen, else that of the package or of the checkout. Raises ``NotFound``."""
    here = Path(__file__).resolve()
    places = (
        [Path(chosen).absolute()]
        if chosen
        else [here.parents[2] / "deploy" / "tikv", here.parents[4] / "deploy" / "tikv"]
    )
    for place in places:
        file = place if chosen else place / "docker-compose.yaml"
        if file.is_file():
            return file
    raise NotFound(
        f"there is no compose file {places[0]}", "name deploy/tikv/docker-compose.yaml of the sources as compose_file"
    )


def free_ports(count: int) -> list[int]:
    """Ports of the loopback on which nobody listens now."""
    found: list[int] = []
    for port in random.sample(range(*_FREE_PORTS), 1_000):
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            found.append(port)
        if len(found) == count:
            return found
    raise Unavailable(f"found no {count} free ports on {HOST}", "name the first one with base_port in [subject.tikv]")


def routed_networks(table: Path = Path("/proc/net/route")) -> Sequence[IPv4Network]:
    """Where this host has a route to; the default route is no such place."""
    found = []
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    for line in lines:
        words = line.split()
        if len(words) > 7:
            address, mask = (IPv4Address(bytes.fromhex(words[index])[::-1]) for index in (1, 7))
            found.append(IPv4Network((address, str(mask)), strict=False))
    return [network for network in found if network.prefixlen > 0]
