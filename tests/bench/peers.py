"""Other supervisors, run privately: their own configuration, sockets in a directory of the run, children that sleep.

One child is watched: whenever it starts it writes its pid into a FIFO and then becomes ``sleep``, so a restart is seen
at once, without asking anybody.
"""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from .clusterwatch import Unexpected

BIN = Path(sys.executable).parent
CHILDREN = 10
"""As many as a daemon of ours has in its table: six servers, three workers, the fork server."""
_START_S = 20.0
_STOP_S = 15.0
_CHILD = 'echo $$ > "$1"\nexec sleep 86400\n'


class Peer:
    """A supervisor that runs, and its watched child."""

    def __init__(self, name: str, status_command: Sequence[str], fifo: Path) -> None:
        self.name = name
        self.status_command = list(status_command)
        # Open for writing as well, so that there is no end of file between two children.
        self._fifo = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)
        self.child_pid = 0

    def await_child(self, timeout_s: float) -> float:
        """Wait for the watched child to start; returns the monotonic time when it said so."""
        if not select.select([self._fifo], [], [], timeout_s)[0]:
            raise Unexpected(f"{self.name} did not start its child within {timeout_s:g} s")
        at = time.monotonic()
        self.child_pid = int(os.read(self._fifo, 4096).split()[-1])
        return at

    def await_status(self) -> None:
        """Wait until the whole of it is up, as its own status command tells."""
        deadline = time.monotonic() + _START_S
        while True:
            done = subprocess.run(self.status_command, capture_output=True, text=True, timeout=_START_S, check=False)
            up = done.stdout.count("RUNNING") + done.stdout.count(": active")
            if done.returncode == 0 and up == CHILDREN:
                return
            if time.monotonic() > deadline:
                raise Unexpected(f"{self.name} tells {up} of {CHILDREN} children: {done.stdout}{done.stderr}")
            time.sleep(0.1)

    def close(self) -> None:
        """Give the FIFO back."""
        os.close(self._fifo)


@contextlib.contextmanager
def supervisord(directory: Path) -> Iterator[Peer]:
    """Supervisor with its defaults and a unix socket."""
    child, fifo = _watched_child(directory)
    socket = directory / "s.sock"
    sections = [
        f"[unix_http_server]\nfile={socket}\nchmod=0700",
        "\n".join(
            (
                "[supervisord]\nnodaemon=true",
                f"user={os.geteuid()}",
                f"logfile={directory / 'log'}",
                f"pidfile={directory / 'pid'}",
                f"childlogdir={directory}",
            )
        ),
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        f"[supervisorctl]\nserverurl=unix://{socket}",
        f"[program:watched]\ncommand={child}\nautorestart=true",
        *(f"[program:sleeper-{number}]\ncommand=sleep 86400" for number in range(CHILDREN - 1)),
    ]
    config = _write_config(directory, sections)
    status = [str(BIN / "supervisorctl"), "-c", config, "status"]
    with _running("supervisord", [str(BIN / "supervisord"), "-c", config], status, directory, fifo) as peer:
        yield peer


@contextlib.contextmanager
def circusd(directory: Path) -> Iterator[Peer]:
    """Circus with its defaults and ipc sockets."""
    child, fifo = _watched_child(directory)
    endpoint = circus_endpoint(directory)
    sections = [
        f"[circus]\nendpoint = {endpoint}\npubsub_endpoint = ipc://{directory}/pubsub",
        f"[watcher:watched]\ncmd = {child}\ncopy_env = True",
        *(f"[watcher:sleeper-{number}]\ncmd = sleep 86400\ncopy_env = True" for number in range(CHILDREN - 1)),
    ]
    config = _write_config(directory, sections)
    status = [str(BIN / "circusctl"), "--endpoint", endpoint, "status"]
    with _running("circusd", [str(BIN / "circusd"), config], status, directory, fifo) as peer:
        yield peer


def circus_endpoint(directory: Path) -> str:
    """Where the circusd of that directory takes commands."""
    return f"ipc://{directory}/endpoint"


def _watched_child(directory: Path) -> tuple[str, Path]:
    fifo = directory / "started"
    os.mkfifo(fifo, 0o600)
    script = directory / "child.sh"
    script.write_text(_CHILD)
    return f"/bin/sh {script} {fifo}", fifo


def _write_config(directory: Path, sections: Sequence[str]) -> str:
    path = directory / "peer.ini"
    path.write_text("\n\n".join(sections) + "\n")
    return str(path)


@contextlib.contextmanager
def _running(name: str, command: Sequence[str], status: Sequence[str], directory: Path, fifo: Path) -> Iterator[Peer]:
    peer = Peer(name, status, fifo)
    try:
        with (directory / "output").open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory, start_new_session=True
            )
        try:
            peer.await_child(_START_S)
            peer.await_status()
            yield peer
        finally:
            _end(process)
    finally:
        peer.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """TERM, which they pass on to their children; KILL for whoever is left."""
    try:
        everyone = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        everyone = []
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)
    for one in everyone:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
