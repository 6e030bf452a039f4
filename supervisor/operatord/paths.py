"""The two directories of a daemon: made private, checked, and locked before anything is bound.

A lock is an ``flock`` on a file that names the keeper's pid. The keeper holds it and the daemon inherits it, so it is
free exactly when nobody of the earlier run is left.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from operator_protocol.endpoint import default_runtime_dir
from operator_protocol.errors import BadRequest, Conflict, Unavailable

_LOCK_NAME = "lock"
_STATE_NOTE = "state-dir"
_LOCK_TRIES = 5
_LOCK_PAUSE_S = 0.01


def default_state_dir(environ: Mapping[str, str] | None = None) -> Path:
    """``$OPERATOR_STATE_DIR``, ``$XDG_STATE_HOME/operatord``, ``~/.local/state/operatord``."""
    env = os.environ if environ is None else environ
    if chosen := env.get("OPERATOR_STATE_DIR"):
        return Path(chosen)
    if xdg := env.get("XDG_STATE_HOME"):
        return Path(xdg) / "operatord"
    return Path.home() / ".local" / "state" / "operatord"


def config_home(environ: Mapping[str, str] | None = None) -> Path:
    """``$XDG_CONFIG_HOME/operatord``, ``~/.config/operatord``."""
    env = os.environ if environ is None else environ
    home = env.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "operatord"


def resolve_dirs(runtime_dir: str | None, state_dir: str | None) -> tuple[Path, Path]:
    """``(runtime, state)`` directories as absolute paths, from options and environment."""
    runtime = Path(runtime_dir) if runtime_dir else default_runtime_dir()
    state = Path(state_dir) if state_dir else default_state_dir()
    return runtime.absolute(), state.absolute()


def resolve_running_dirs(
    runtime_dir: str | None, state_dir: str | None, environ: Mapping[str, str] | None = None
) -> tuple[Path, Path]:
    """The directories of the daemon that a command is about: as ``resolve_dirs``, but where clients look for it.

    Without ``runtime_dir`` that is ``$OPERATOR_ENDPOINT``, if it is set, as for ``operatorctl``; without ``state_dir``
    what the daemon there has noted. Raises ``BadRequest`` for an endpoint that is no directory of this host.
    """
    env = os.environ if environ is None else environ
    named = runtime_dir or _local(env.get("OPERATOR_ENDPOINT") or "")
    runtime, state = resolve_dirs(named or None, state_dir)
    if state_dir is None:
        state = noted_state_dir(runtime) or state
    return runtime, state


def _local(endpoint: str) -> str:
    """The runtime directory that an endpoint is; empty for none."""
    if endpoint.startswith("tcp://"):
        raise BadRequest(
            f"$OPERATOR_ENDPOINT is {endpoint}: a daemon is stopped and looked after on its own host",
            "run this there; or name a directory of this host with --runtime-dir",
        )
    if "://" in endpoint and not endpoint.startswith("ipc://"):
        raise BadRequest(
            f"$OPERATOR_ENDPOINT is no endpoint: {endpoint}", "it is a daemon's runtime directory, or tcp://HOST:PORT"
        )
    return endpoint.removeprefix("ipc://")


def note_state_dir(runtime_dir: Path, state_dir: Path) -> None:
    """Leave in the runtime directory where the state is, for a ``recover`` that was told only the former."""
    (runtime_dir / _STATE_NOTE).write_text(f"{state_dir}\n")


def noted_state_dir(runtime_dir: Path) -> Path | None:
    """The state directory of the last daemon in ``runtime_dir``, if one has run there."""
    try:
        return Path((runtime_dir / _STATE_NOTE).read_text().rstrip("\n"))
    except OSError:
        return None


def ensure_private_dir(path: Path, option: str) -> None:
    """Make ``path`` a directory of mode 0700 that is ours; raises ``Unavailable`` naming the option to change."""
    hint = f"choose another directory with {option}"
    made = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        info = path.stat()
    except OSError as error:
        raise Unavailable(f"cannot use {path}: {error.strerror}", hint) from error
    if not stat.S_ISDIR(info.st_mode):
        raise Unavailable(f"{path} is not a directory", hint)
    if info.st_uid != os.geteuid():
        raise Unavailable(f"{path} belongs to user {info.st_uid}, not to user {os.geteuid()}", hint)
    mode = stat.S_IMODE(info.st_mode)
    if mode != 0o700 and not made and not (path / _LOCK_NAME).exists():
        # Somebody's /var/lib, perhaps: it is not ours to close.
        raise Unavailable(f"{path} is open to others (mode {mode:o})", f"chmod 700 {path}, or {hint}")
    try:
        if mode != 0o700:
            path.chmod(0o700)
        probe = path / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Unavailable(f"cannot write to {path}: {error.strerror}", hint) from error


def lock_dir(path: Path) -> int:
    """Lock ``path`` for this process and those that inherit the descriptor. Returns the descriptor.

    Raises ``Conflict`` naming the pid that holds it.
    """
    fd = os.open(path / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _locked(fd):
        holder = lock_holder(path)
        os.close(fd)
        raise Conflict(
            f"a daemon runs already with {path}" + (f" (pid {holder})" if holder else ""),
            "stop it with `operatord stop`, or use other directories with --runtime-dir and --state-dir",
        )
    sign_lock(fd)
    return fd


def sign_lock(fd: int) -> None:
    """Name this process as the holder of a lock that it has, or has inherited."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)


def lock_holder(path: Path) -> int | None:
    """The pid that holds the lock of ``path``, 0 when it is held by one that has not signed it; None when free."""
    try:
        fd = os.open(path / _LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(os.pread(fd, 32, 0).split()[0])
        return 0
    finally:
        os.close(fd)
    return None


def _locked(fd: int) -> bool:
    """Take the lock; one that is only being looked at (``lock_holder``) is free again in no time."""
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            return True
    return False
