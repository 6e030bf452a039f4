"""The one place that execs: a child in a process group of its own, with nothing on stdin.

Who reaps the child is not decided here, and it must not be ``subprocess``: ``Popen`` waits for its child by itself
when it is asked, and again when it is collected, which takes the exit status away from the reaper. So the ``Popen``
object never leaves this module unguarded: ``Spawned`` keeps it alive, and ``settle`` tells it that the child has been
seen to.
"""

import os
import pwd
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from operator_protocol.errors import Unavailable
from operatord.procfs import ProcessId, start_time

Output = Literal["pipe", "inherit", "discard"]


class CannotRun(Unavailable):
    """The command, its directory or its user does not exist: another try would end like this one."""

    retryable = False


@dataclass(frozen=True, slots=True)
class Spawned:
    """A child that was exec'd."""

    id: ProcessId
    streams: dict[str, int]
    """With ``output="pipe"``: ``stdout`` and ``stderr`` to the descriptors to read from, which the receiver owns."""
    _popen: "subprocess.Popen[bytes]" = field(repr=False)

    @property
    def pid(self) -> int:
        """The child's pid, which is also its process group."""
        return self.id.pid

    def settle(self, returncode: int = 0) -> None:
        """The child was reaped, or is left running on purpose: ``subprocess`` has nothing to wait for any more."""
        self._popen.returncode = returncode


def spawn(
    argv: Sequence[str],
    *,
    output: Output = "pipe",
    death_signal: signal.Signals | None = signal.SIGKILL,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    new_session: bool = False,
    user: str | None = None,
    stdin: int | None = None,
) -> Spawned:
    """Exec ``argv`` and return once the exec has happened.

    ``death_signal`` is what the kernel sends the child when this process ends; None for a child that shall outlive it,
    which then also ignores SIGPIPE, since whoever reads its output goes away before it does. ``env`` is added to the
    environment of this process. ``user`` is a name or a number; its groups, ``HOME`` and ``USER`` come with it.
    ``stdin`` is a descriptor to read from, which stays the caller's; without it there is nothing to read. Raises
    ``CannotRun`` when what it needs is not there, ``Unavailable`` when it cannot be run now.
    """
    if death_signal is not None and threading.current_thread() is not threading.main_thread():
        # The parent-death signal fires at the end of the thread that spawned, not of the process.
        raise RuntimeError("spawn a guarded child from the main thread")
    if cwd is not None and not cwd.is_dir():
        raise CannotRun(f"cannot start {argv[0]}: there is no directory {cwd}")
    account = None if user is None else _account(user)
    command = _guarded(_resolved(argv, cwd), death_signal, account)
    own = {} if account is None else {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
    target = {"pipe": subprocess.PIPE, "inherit": None, "discard": subprocess.DEVNULL}[output]
    try:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=target,
            stderr=target,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **own, **(env or {})},
            pass_fds=tuple(pass_fds),
            process_group=None if new_session else 0,
            start_new_session=new_session,
            restore_signals=death_signal is not None,
        )
    except OSError as error:
        raise Unavailable(f"cannot start {argv[0]}: {error.strerror or error}") from error
    streams = {"stdout": popen.stdout, "stderr": popen.stderr}
    taken = {name: _take(stream) for name, stream in streams.items() if stream is not None}
    # It cannot be gone from /proc: nobody else reaps it.
    return Spawned(ProcessId(popen.pid, start_time(popen.pid) or 0), taken, popen)


def _resolved(argv: Sequence[str], cwd: Path | None) -> list[str]:
    """``argv`` with the path of its command, checked here because behind ``setpriv`` a failed exec shows too late."""
    name = argv[0]
    found = shutil.which(name if cwd is None or "/" not in name else cwd / name)
    if found is None:
        raise CannotRun(f"cannot start {name}: no such command, or not executable")
    return [str(Path(found).absolute()), *argv[1:]]


def _guarded(argv: list[str], death_signal: signal.Signals | None, account: "pwd.struct_passwd | None") -> list[str]:
    """``argv`` behind ``setpriv``, which changes the user first: that would clear the parent-death signal."""
    if death_signal is None and account is None:
        return argv
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise CannotRun("cannot start anything: setpriv is missing", "install util-linux")
    guard = [setpriv]
    if account is not None:
        guard += ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--init-groups"]
    if death_signal is not None:
        guard += ["--pdeathsig", death_signal.name.removeprefix("SIG")]
    return [*guard, "--", *argv]


def _account(user: str) -> "pwd.struct_passwd | None":
    """The entry of ``user`` in the user database; None when that is who we are anyway."""
    try:
        found = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        raise CannotRun(f"cannot start anything as {user}: there is no such user") from None
    if found.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise CannotRun(f"cannot start anything as {user}: only root may", "leave the user out, or run as root")
    return found


def _take(stream: IO[bytes]) -> int:
    """A descriptor of our own for a pipe of ``Popen``, which closes its file object when it is collected."""
    with stream:
        return os.dup(stream.fileno())
