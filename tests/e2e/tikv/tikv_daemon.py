"""A daemon whose servers are containers, with stand-ins in them, and what tests ask of it."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.real_daemon import BIN, RealDaemon, until
from tests.standins.engine import Engine
from tests.standins.serving import ask

from operatord.cli.aftermath import remove_containers
from operatord.subjects.tikv import project as projects
from operatord.subjects.tikv.options import Options

CONFIG = """\
[workload]
rate = 100.0
record_count = 200
threads = 4
[agent]
settle_s = 0.5
[faults]
countdown_s = 1
recovery_deadline_s = 60.0
[subject.tikv]
stop_grace_s = 1.0
pd_leader_grace_s = 2.0
p99_ms = 10000.0
"""
"""The limit of the latency is out of reach: how long stand-ins take tells of the host that the tests share."""
SETTLED_S = 60.0


class TiKVDaemon(RealDaemon):
    """A daemon whose servers are containers."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        super().__init__(directory)
        self.engine = engine
        self.config = directory / "tikv.toml"
        self.config.write_text(CONFIG)

    def start_tikv(self, *options: str) -> None:
        self.start("--subject", "tikv", "--config", str(self.config), *options)

    def end(self) -> None:
        super().end()
        remove_containers(self.state_dir)

    @property
    def project(self) -> projects.Project:
        found = projects.load(self.state_dir / projects.DIRECTORY)
        assert found is not None
        return found

    def container(self, node: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", f"{self.project.name}-{node}-1"))[0]
        return found

    def node(self, name: str) -> dict[str, Any]:
        return next((one for one in self.status()["health"]["nodes"] if one["id"] == name), {"state": "unknown"})

    def is_well(self) -> bool:
        status = self.status()
        return status["health"]["ok"] is True and not status["violations"]

    def inject(self, kind: str, target: str, *options: str) -> dict[str, Any]:
        words = ["fault", kind, "--target", target, "--countdown", "0", "--json", *options]
        found: dict[str, Any] = json.loads(self.ctl(*words, check=True).stdout)["fault"]
        return found

    def open_now(self) -> set[str]:
        return {f"{one['invariant']} {one['node']}" for one in self.status()["violations"]}

    def network_of(self, node: str) -> dict[str, Any]:
        found: dict[str, Any] = self.container(node)["NetworkSettings"]["Networks"]
        return {name: (about["IPAddress"], sorted(about["Aliases"])) for name, about in found.items()}

    def evicting(self) -> str:
        pd = self.project.members[0]
        _, data = ask("GET", f"http://{pd.host}:{pd.port}/pd/api/v1/schedulers", timeout_s=5.0)
        return data.decode()

    def tell_story(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """``operatord demo`` without a terminal, from the first container to the last."""
        words = [str(BIN / "operatord"), "demo", "--headless", "--subject", "tikv", "--config", str(self.config)]
        return subprocess.run(
            [*words, "--state-dir", str(self.state_dir), *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )


def summary_of(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The last line of a story that went well."""
    print(done.stdout)
    summary: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, f"{summary}\n{done.stderr}"
    return summary


@contextmanager
def leaving_nothing(daemon: TiKVDaemon) -> Iterator[None]:
    """Afterwards there are the containers, networks and volumes that there were before.

    Those of tests that run beside are left out: their projects have other names.
    """
    before = _there(daemon)
    yield
    assert _there(daemon) == before


def _there(daemon: TiKVDaemon) -> set[str]:
    own = projects.plan(daemon.state_dir, Options()).name
    others = re.compile(rf"test-|operatord-(?!{own.removeprefix('operatord-')})")
    return {one for one in daemon.engine.everything() if not others.search(one)}


def settle(daemon: TiKVDaemon) -> TiKVDaemon:
    daemon.ctl("recover")
    until(daemon.is_well, "a cluster that is well", SETTLED_S)
    return daemon
