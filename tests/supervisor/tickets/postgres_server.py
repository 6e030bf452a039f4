"""A real PostgreSQL of the test's own: fresh cluster, free port, stopped and deleted at the end."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from tests.ports import free_port

_USERS = ("postgres", "nobody")
_DEADLINE_S = 60.0


class Postgres:
    """One server on the loopback. It refuses to run as root, so it runs as somebody without rights."""

    def __init__(self, directory: Path) -> None:
        self._bin = _binaries()
        self._directory = directory
        self._user = next(user for user in _USERS if _exists(user)) if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        if self._user:
            shutil.chown(directory, self._user)
        self._run("initdb", "-D", str(directory / "data"), "-U", "operator", "-A", "trust", "-N", "--no-instructions")

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql+psycopg://operator:hunter2@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._bin / "postgres"),
                    *("-D", str(self._directory / "data"), "-p", str(self.port), "-h", "127.0.0.1"),
                    *("-k", str(self._directory), "-F", "-c", "max_connections=40", "-c", "shared_buffers=16MB"),
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self._user,
                extra_groups=[] if self._user else None,
                cwd="/",
            )
        until = time.monotonic() + _DEADLINE_S
        ready = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            said = (self._directory / "log").read_text(errors="replace")
            assert self._process.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.05)

    def stop(self) -> None:
        """Cut everybody off and end, as an administrator would in a hurry."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(_DEADLINE_S)
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It accepts connections, as far as the kernel does that, and answers nothing."""
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        all_of_it = [main, *main.children(recursive=True)]
        for process in all_of_it:
            process.suspend()
        try:
            yield
        finally:
            for process in all_of_it:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def new_database(self, name: str) -> str:
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "operator", name)
        return self.url_of(name)

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(
            [str(self._bin / program), *args],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            user=self._user,
            extra_groups=[] if self._user else None,
            cwd="/",
        )


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Not below the directory of the tests, which nobody else may enter."""
    directory = Path(tempfile.mkdtemp(prefix="operator-postgres-"))
    directory.chmod(0o755)
    server = None
    try:
        server = Postgres(directory)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(directory)


def _binaries() -> Path:
    """Debian keeps them out of the PATH, one directory for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if found:
        return found[-1]
    there = shutil.which("initdb")
    assert there, "no PostgreSQL is installed (Debian: apt-get install postgresql)"
    return Path(there).parent


def _exists(user: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
