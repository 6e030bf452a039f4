"""The compose file as a project of its own: a name, a network and ports that nobody else has."""

import contextlib
import json
import os
import random
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

from tests.ports import free_ports
from tests.standins.engine import Engine
from tests.standins.images import COMPOSE_FILE

_PORTS = (
    *(f"OPERATOR_PD{index}_PORT" for index in range(3)),
    *(f"OPERATOR_TIKV{index}_STATUS_PORT" for index in range(3)),
    *(f"OPERATOR_TIKV{index}_PORT" for index in range(3)),
    "OPERATOR_PROMETHEUS_PORT",
    "OPERATOR_GRAFANA_PORT",
)


class ComposeProject:
    """``variables`` are what the compose file reads from its environment; every one can be overridden."""

    def __init__(self, engine: Engine, **variables: str) -> None:
        self.engine = engine
        self.name = f"test-{secrets.token_hex(4)}"
        self.variables = {name: str(port) for name, port in zip(_PORTS, free_ports(len(_PORTS)), strict=True)}
        self.variables |= {
            "OPERATOR_TIKV_NET": f"10.{random.randrange(214, 250)}.{random.randrange(256)}",
            "OPERATOR_HEALTH_INTERVAL": "1s",
            "OPERATOR_YCSB_TARGET": "100",
            "OPERATOR_YCSB_THREADS": "4",
            "OPERATOR_YCSB_RECORDS": "200",
            **variables,
        }
        self.pd_urls = {f"pd{one}": f"http://127.0.0.1:{self.variables[f'OPERATOR_PD{one}_PORT']}" for one in range(3)}
        self.status = {
            f"tikv{one}": f"http://127.0.0.1:{self.variables[f'OPERATOR_TIKV{one}_STATUS_PORT']}" for one in range(3)
        }
        self.data = {f"tikv{one}": f"127.0.0.1:{self.variables[f'OPERATOR_TIKV{one}_PORT']}" for one in range(3)}
        self.prometheus = f"http://127.0.0.1:{self.variables['OPERATOR_PROMETHEUS_PORT']}"
        self.grafana = f"http://127.0.0.1:{self.variables['OPERATOR_GRAFANA_PORT']}"
        self.network = f"{self.name}_cluster"

    def compose(self, *words: str, timeout_s: float = 100.0) -> str:
        """What ``docker compose`` printed. Raises ``RuntimeError`` with what it said when it failed."""
        command = ["docker", "compose", "-f", str(COMPOSE_FILE), "-p", self.name, "--profile", "load", *words]
        environment = {**os.environ, **self.variables}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def up(self, *services: str) -> None:
        """Nodes and monitoring, until they are healthy; without the load."""
        self.compose("up", "--detach", "--wait", *(services or self.services()), timeout_s=110.0)

    def services(self) -> tuple[str, ...]:
        return (*self.pd_urls, *self.status, "prometheus", "grafana")

    def container(self, service: str) -> str:
        return f"{self.name}-{service}-1"

    def inspect(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", self.container(service)))[0]
        return found

    def down(self) -> None:
        """Away with all of it."""
        self.compose("down", "--volumes", "--timeout", "1")


@contextlib.contextmanager
def compose_project(engine: Engine, **variables: str) -> Iterator[ComposeProject]:
    project = ComposeProject(engine, **variables)
    try:
        yield project
    finally:
        project.down()
