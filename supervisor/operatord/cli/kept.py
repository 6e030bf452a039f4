"""The servers that a daemon has left running under ``--keep-cluster``, for those who look when it is gone."""

from pathlib import Path

from operatord.origin import is_copy
from operatord.paths import lock_holder
from operatord.processes.records import peek_living_servers

WHAT_NEXT = "operatord start --keep-cluster adopts them, operatord stop --servers ends them"


def kept_servers(state_dir: Path) -> str:
    """Which run, with their pids, in one line; empty when none does, or a daemon or another directory has them."""
    if lock_holder(state_dir) is not None or is_copy(state_dir):
        return ""
    servers = peek_living_servers(state_dir / "servers.json")
    if not servers:
        containers = state_dir / "tikv" / "project.json"
        return f"the containers of its cluster are still there ({containers})" if containers.exists() else ""
    names = ", ".join(f"{server.name} (pid {server.pid})" for server in sorted(servers, key=lambda one: one.name))
    return f"{len(servers)} servers of its cluster still run: {names}"
