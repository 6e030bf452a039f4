"""Every kind of fault, for a moment, on a real daemon: what it could leave behind is not there afterwards."""

import contextlib
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from operatord.injectors.cgroups import PREFIX, parse_mounts
from operatord.injectors.memory import running_hogs
from operatord.isolation.names import Names, inside

from .real_daemon import RealDaemon, running_daemon, until

ON_SERVERS = ["kill", "stop", "pause", "restart", "slow", "client-pause", "failover", "cpu", "memory", "disk"]
ON_THE_NETWORK = ["partition", "loss", "bandwidth", "latency"]
SERVERS = 6
SMALL = {"memory": ["--set", "size=32MiB"], "disk": ["--set", "size=8MiB"]}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    with running_daemon(tmp_path_factory.mktemp("d")) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    daemon = RealDaemon(tmp_path_factory.mktemp("d"))
    try:
        started = daemon.start("--isolate", check=False)
        if started.returncode != 0:
            pytest.skip(f"servers cannot be isolated here: {started.stderr.strip()}")
        yield daemon
    finally:
        daemon.end()


def traces(daemon: RealDaemon) -> dict[str, object]:
    """All that a fault may change outside of the data of the servers; equal before and after."""
    names, stopped = processes(daemon)
    servers = {one["name"]: one["pid"] for one in daemon.status()["processes"] if one["name"].startswith("valkey-")}
    return {
        "processes": names,
        "stopped": stopped,
        "cgroups of the servers": {name: _text(Path(f"/proc/{pid}/cgroup")) for name, pid in servers.items()},
        "oom_score_adj": {name: _text(Path(f"/proc/{pid}/oom_score_adj")) for name, pid in servers.items()},
        "files": sorted(str(path) for path in daemon.state_dir.rglob(f"{PREFIX}*")),
        "network": _network(Names.of(daemon.state_dir)),
    }


def processes(daemon: RealDaemon) -> tuple[Counter[str], list[int]]:
    """How many there are of each name, and which are stopped, once a worker is forked ahead and each server is one
    process: until then something is on the way that has another name, or that of a server which has just forked.
    """
    found: Counter[str] = Counter()
    stopped: list[int] = []

    def look() -> bool:
        found.clear()
        stopped.clear()
        for child in psutil.Process(daemon.keeper).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                found[child.name()] += 1
                stopped.extend([child.pid] if child.status() == psutil.STATUS_STOPPED else [])
        return found["op:spare"] == 1 and found["valkey-server"] == SERVERS

    until(look, "a worker to be forked ahead, and one process for each server")
    return found, stopped


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return "gone"


def _network(names: Names) -> dict[str, str]:
    """Links, queues and rules of each namespace of the daemon's."""
    told = {}
    for namespace in names.namespaces_there():
        for command in (["nft", "list", "ruleset"], ["tc", "qdisc", "show"], ["ip", "-brief", "link", "show", "up"]):
            done = subprocess.run(
                inside(namespace, command), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
            )
            told[f"{namespace} {' '.join(command)}"] = done.stdout
    return told


def groups_of(fault_id: str) -> list[Path]:
    """Its cgroups in any tree; those of other tests are not looked at."""
    trees = parse_mounts(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    # Others make and remove cgroups meanwhile: os.walk passes over what has gone, rglob does not.
    groups = (Path(found) for tree in trees for found, _, _ in os.walk(tree.point))
    return [group for group in groups if group.name.startswith(PREFIX) and group.name.endswith(fault_id)]


def catalogue(daemon: RealDaemon) -> dict[str, str]:
    """Each kind, with what this daemon lacks for it."""
    kinds = json.loads(daemon.ctl("faults", "--json", check=True).stdout)["kinds"]
    return {kind["name"]: kind["missing"] for kind in kinds}


def inject_and_recover(daemon: RealDaemon, kind: str) -> None:
    before = traces(daemon)
    injected = daemon.ctl("fault", kind, "--countdown", "0", "--json", *SMALL.get(kind, []))
    if missing := catalogue(daemon)[kind]:
        assert injected.returncode == 1
        # Line ends are where the terminal would have them.
        assert missing.split(";")[0] in " ".join(injected.stderr.split())
    else:
        assert injected.returncode == 0, injected.stderr
        fault_id = json.loads(injected.stdout)["fault"]["id"]
        daemon.ctl("recover", check=True)
        assert groups_of(fault_id) == []
        assert not list(daemon.state_dir.rglob(f"*{fault_id}*"))
    assert daemon.status()["faults"] == []
    until(lambda: traces(daemon) == before, f"everything to be as before {kind}, which is {before}")
    until(lambda: daemon.status()["health"]["ok"], f"the cluster to be healthy after {kind}")


def test_the_kinds_of_these_tests_are_those_of_the_catalogue(plain: RealDaemon) -> None:
    assert sorted(catalogue(plain)) == sorted([*ON_SERVERS, *ON_THE_NETWORK])


@pytest.mark.parametrize("kind", [*ON_SERVERS, *ON_THE_NETWORK])
def test_on_servers_of_this_host_it_leaves_nothing(plain: RealDaemon, kind: str) -> None:
    inject_and_recover(plain, kind)


@pytest.mark.parametrize("kind", ["pause", "cpu", *ON_THE_NETWORK])
def test_on_isolated_servers_it_leaves_nothing(isolated: RealDaemon, kind: str) -> None:
    inject_and_recover(isolated, kind)


def test_what_does_the_work_of_a_fault_is_not_started_by_hand_and_forgotten_at_its_end(plain: RealDaemon) -> None:
    plain.ctl("fault", "slow", "--target", "valkey-3", "--countdown", "0", check=True)
    assert plain.process("slow-valkey-3")["kind"] == "tool"
    again = plain.ctl("restart", "slow-valkey-3")
    assert again.returncode == 1
    assert "slow-valkey-3 belongs to a fault" in again.stderr
    plain.ctl("recover", check=True)
    assert "slow-valkey-3" not in plain.ctl("processes", check=True).stdout


@pytest.mark.parametrize(
    ("with_keeper", "options"),
    [
        pytest.param(False, ["--keep-cluster"], id="the daemon alone"),
        pytest.param(True, [], id="daemon and keeper, with its servers"),
        pytest.param(False, [], id="the daemon, with its servers", marks=pytest.mark.soak),
        pytest.param(True, ["--keep-cluster"], id="daemon and keeper alone", marks=pytest.mark.soak),
    ],
)
def test_what_a_killed_daemon_leaves_outside_of_its_servers_is_cleared_away(
    stopped_daemon: RealDaemon, with_keeper: bool, options: list[str]
) -> None:
    daemon = stopped_daemon
    daemon.start(*options)
    faults = {}
    for kind, target in (("cpu", "valkey-3"), ("memory", "valkey-4"), ("disk", "valkey-5")):
        if not catalogue(daemon)[kind]:
            done = daemon.ctl(
                "fault", kind, "--target", target, "--countdown", "0", "--json", *SMALL.get(kind, []), check=True
            )
            faults[kind] = json.loads(done.stdout)["fault"]["id"]
    main = daemon.status()["pid"]
    if with_keeper:
        daemon.kill_with_keeper()
    else:
        os.kill(main, signal.SIGKILL)
        daemon.wait_gone()
    if with_keeper:
        until(lambda: not psutil.pid_exists(main), "the daemon to end")
        daemon.start(*options)
        assert daemon.status()["faults"] == []
    for fault_id in faults.values():
        until(lambda: groups_of(fault_id) == [], "its cgroups to be removed", 10)  # noqa: B023
        assert fault_id not in [whose for _, whose, _ in running_hogs()]
        assert not list(daemon.state_dir.rglob(f"*{fault_id}*"))
