"""The clients attached meanwhile: a viewer on a terminal, a script, a recorder. Killed, they are started again."""

import os
import pty
import select
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

from tests.e2e.real_daemon import BIN

from . import forking_hook

_END_S = 5.0


class Client:
    """One client on a terminal of its own, which is read and forgotten."""

    def __init__(self, name: str, directory: Path, runtime_dir: Path) -> None:
        self.name = name
        self.lives = 0
        self._directory = directory
        self._endpoint = ["--endpoint", str(runtime_dir)]
        self._process: subprocess.Popen[bytes] | None = None
        self._master, self._slave = pty.openpty()
        os.set_blocking(self._master, False)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def terminal(self) -> int:
        return self._master

    @property
    def recordings(self) -> list[Path]:
        return sorted(self._directory.glob("*.opj"))

    def revive(self) -> None:
        """Start it if it does not run, and end what it has left: nobody supervises a client."""
        if self.pid is not None:
            return
        self._end_group()
        self.lives += 1
        self._process = subprocess.Popen(
            self._command(),
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", forking_hook.TAME: "yes"},
        )

    def end(self) -> int | None:
        """As a person would; returns its exit code, None if it had to be killed."""
        code = None
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(_END_S)
            self._end_group()
            self._process.wait()
        for fd in (self._master, self._slave):
            os.close(fd)
        return code

    def _command(self) -> list[str]:
        match self.name:
            case "viewer":
                return [str(BIN / "operator-viewer"), *self._endpoint]
            case "recorder":
                recording = self._directory / f"recording-{self.lives:04}.opj"
                return [str(BIN / "operatorctl"), "record", str(recording), *self._endpoint]
            case _:
                return [str(BIN / "operatorctl"), "events", "-f", "--json", *self._endpoint]

    def _end_group(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


class Clients:
    """All of them, and the thread that reads their terminals."""

    def __init__(self, directory: Path, runtime_dir: Path) -> None:
        self.all = {name: Client(name, directory, runtime_dir) for name in ("viewer", "script", "recorder")}
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read, name="read the terminals")
        self._reader.start()

    def revive(self) -> None:
        for client in self.all.values():
            client.revive()

    def end(self) -> dict[str, int | None]:
        self._over.set()
        self._reader.join()
        return {name: client.end() for name, client in self.all.items()}

    def _read(self) -> None:
        terminals = [client.terminal for client in self.all.values()]
        while not self._over.is_set():
            for terminal in select.select(terminals, [], [], 0.2)[0]:
                with suppress(OSError):
                    os.read(terminal, 1 << 16)
