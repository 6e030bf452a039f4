"""A daemon that is killed in the midst of a fault, and what can be seen of that afterwards."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from operator_protocol.errors import OperatorError
from operator_protocol.follow import Follower
from operatord.faults.undo_journal import read_owed
from operatord.injectors.cgroups import PREFIX as GROUP_PREFIX
from operatord.injectors.cgroups import parse_mounts
from operatord.injectors.disk import PREFIX as FILE_PREFIX
from operatord.isolation.names import Names, inside
from operatord.paths import lock_holder
from operatord.processes.records import peek_living_servers

from . import deadly_hook
from .real_daemon import RealDaemon, alive, until

_TAG = "OPERATOR_TEST_PATIENT"
"""Environment variable that everything started by one patient carries, but for servers, which overwrite theirs."""
_BURNT_S = 40.0


class Patient:
    """One daemon with its directories, which is killed and started again as often as need be."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.daemon = RealDaemon(directory)
        self.options = options
        self.names = Names.of(self.daemon.state_dir)
        self.journal = self.daemon.state_dir / "undo.journal"
        self._fuse = directory / "fuse"
        hooks = directory / "hooks"
        hooks.mkdir()
        shutil.copy(deadly_hook.__file__, hooks / "sitecustomize.py")
        self._tag = secrets.token_hex(6)
        self._environment = {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(hooks), os.environ.get("PYTHONPATH")))),
            deadly_hook.FUSE: str(self._fuse),
            _TAG: self._tag,
        }
        self._first = ""
        self._seen_faults: set[str] = set()

    @property
    def keeps(self) -> bool:
        return "--keep-cluster" in self.options

    def ready(self) -> None:
        """A daemon that runs, healthy and owing nothing; from scratch if the case before has left something else."""
        self._fuse.unlink(missing_ok=True)
        if lock_holder(self.daemon.runtime_dir) is not None:
            status = self.daemon.status()
            if status["health"]["ok"] and not status["faults"]:
                return
        self.daemon.end()
        self.start()

    def start(self) -> None:
        with _environment(self._environment):
            self.daemon.start(*self.options)

    def start_in_vain(self) -> bool:
        """A start that dies of its fuse; False if it had no occasion to."""
        with _environment(self._environment):
            started = self.daemon.start(*self.options, check=False)
        if self.laid():
            assert started.returncode == 0, started.stderr
            self._fuse.unlink()
            return False
        assert started.returncode != 0
        until(lambda: lock_holder(self.daemon.runtime_dir) is None, "the keeper to be gone", 60)
        return True

    def recover(self) -> None:
        """As a person would, when no daemon runs."""
        with _environment(self._environment):
            self.daemon.operatord("recover")

    def catalogue(self) -> dict[str, str]:
        """The kinds of faults, with what this host lacks for each."""
        told = json.loads(self.daemon.ctl("faults", "--json", check=True).stdout)["kinds"]
        return {str(one["name"]): str(one["missing"]) for one in told}

    def arm(self, step: str, *, with_keeper: bool = False, and_then: tuple[str, str] | None = None) -> None:
        """Lay the fuses: for the daemon, and, if ``and_then`` names program and step, for one that comes after it."""
        self._first = f"{deadly_hook.DAEMON} {step}{' keeper' if with_keeper else ''}"
        lines = [self._first] + ([" ".join(and_then)] if and_then else [])
        new = self._fuse.with_suffix(".new")
        new.write_text("\n".join(lines))
        new.replace(self._fuse)

    def die_at(
        self,
        step: str,
        fault: Mapping[str, Any],
        *,
        with_keeper: bool = False,
        and_then: tuple[str, str] | None = None,
    ) -> None:
        """Inject and recover until the daemon dies at ``step``; returns when daemon and keeper are gone."""
        main, keeper = self.daemon.status()["pid"], self.daemon.keeper
        with self.daemon.follower() as follower:
            if step.startswith(("undo", "strike")):
                follower.perform("fault", fault)
                self.arm(step, with_keeper=with_keeper, and_then=and_then)
                follower.send("recover")
            else:
                self.arm(step, with_keeper=with_keeper, and_then=and_then)
                follower.send("fault", fault)
            until(lambda: self._burnt(follower), f"the daemon to die at {step}", _BURNT_S)
        until(lambda: not alive(main), "the daemon to be gone")
        until(lambda: not alive(keeper), "the keeper to be gone", 60)
        self.daemon.wait_gone()
        self._note_faults()

    def _burnt(self, follower: Follower) -> bool:
        for event in follower.poll(0.05):
            error = getattr(event, "error", None)
            if isinstance(error, OperatorError) and self.laid().startswith(self._first):
                raise AssertionError(f"refused: {error}")
        return not self.laid().startswith(self._first)

    def laid(self) -> str:
        """The fuses that have not burnt."""
        try:
            return self._fuse.read_text()
        except FileNotFoundError:
            return ""  # burnt down, perhaps only just now

    def _note_faults(self) -> None:
        """The ids of all faults of the journal, those struck out included."""
        if self.journal.exists():
            self._seen_faults |= set(re.findall(r'"id":"([0-9a-f]{8})"', self.journal.read_text()))

    def owed(self) -> list[str]:
        return [f"{one.fault.kind} {one.fault.target}" for one in read_owed(self.journal)]

    def servers(self) -> dict[str, int]:
        return {one.name: one.pid for one in peek_living_servers(self.daemon.state_dir / "servers.json")}

    def instance(self) -> str:
        """Which cluster it is: it changes when the cluster is built anew."""
        known = json.loads((self.daemon.state_dir / "valkey" / "cluster.json").read_text())
        return str(known["instance"])

    def traces(self) -> dict[str, object]:
        """What a fault may leave, with or without a daemon: all of it is empty, or as before the fault."""
        servers = self.servers()
        return {
            "servers": sorted(servers),
            "stopped": sorted(name for name, pid in servers.items() if _is_stopped(pid)),
            "cgroups of servers": sorted({_text(Path(f"/proc/{pid}/cgroup")) for pid in servers.values()}),
            "oom_score_adj": sorted({_text(Path(f"/proc/{pid}/oom_score_adj")) for pid in servers.values()}),
            "cgroups": self._groups(),
            "files": sorted(str(path) for path in self.daemon.state_dir.rglob(f"{FILE_PREFIX}*")),
            "network": self._network(),
            "paused": sorted(name for name, pid in servers.items() if _is_paused(pid)),
        }

    def helpers(self) -> list[str]:
        """What runs of this patient, servers aside."""
        servers = set(self.servers().values())
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid in servers or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.environ().get(_TAG) == self._tag or self._is_in_here(process):
                    found.append(f"{process.pid} {process.cmdline()}")
            except psutil.Error:
                continue
        return found

    def _is_in_here(self, process: psutil.Process) -> bool:
        return Path(process.cwd()).is_relative_to(self.daemon.state_dir)

    def _groups(self) -> list[str]:
        """Cgroups of the faults of this patient; those of other tests are not looked at."""
        self._note_faults()
        trees = parse_mounts(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
        # Others make and remove cgroups meanwhile: os.walk passes over what has gone, rglob does not.
        groups = [Path(found) for tree in trees for found, _, _ in os.walk(tree.point)]
        ours = (group for group in groups if group.name.startswith(GROUP_PREFIX))
        return sorted(str(group) for group in ours if group.name.rpartition("-")[2] in self._seen_faults)

    def _network(self) -> dict[str, list[str]]:
        """Rules, queues and names of links in each namespace; numbers and addresses of links change with a rebuild."""
        told = {}
        for namespace in self.names.namespaces_there():
            links = [line.split()[0].partition("@")[0] for line in _told(namespace, "ip", "-brief", "link")]
            rules, queues = _told(namespace, "nft", "list", "ruleset"), _told(namespace, "tc", "qdisc", "show")
            told[namespace] = [*rules, *queues, *sorted(links)]
        return told


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _told(namespace: str, *command: str) -> list[str]:
    done = subprocess.run(
        inside(namespace, list(command)), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
    )
    return done.stdout.splitlines()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return "gone"


def _is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def _is_paused(pid: int) -> bool:
    """By its own word; one that does not answer within a moment is."""
    try:
        listening = [one for one in psutil.Process(pid).net_connections("tcp") if one.status == psutil.CONN_LISTEN]
        address = min((one.laddr for one in listening), key=lambda one: one.port)
        with socket.create_connection((address.ip, address.port), timeout=2) as line:
            line.sendall(b"INFO clients\r\n")
            return b"paused_reason:none" not in line.recv(65536)
    except (psutil.NoSuchProcess, ValueError):
        return False
    except OSError:
        return True
