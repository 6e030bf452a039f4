"""The keys of this daemon and of those that may talk to it over TCP, in ``keys/`` of the state directory.

``server.json`` is the daemon's own pair, made at first need. ``clients.json`` lists who is admitted: name, role and
public key. The secrets of clients are nowhere but in the files that were handed to them. ``KeyStore`` changes the
files, with or without a daemon; ``KeyRing`` is how a running daemon sees them, and it looks again whenever the list
was replaced.
"""

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import zmq

from operator_protocol.errors import BadRequest, Conflict, NotFound, OperatorError, Unavailable
from operator_protocol.keyfile import CurveKeys, Role, is_key
from operator_protocol.records import from_body, to_body
from operatord.paths import ensure_private_dir

DIRECTORY = "keys"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Key:
    """One that is admitted."""

    name: str
    role: Role
    public: str
    created_at: float
    """Wall clock, seconds since the epoch."""


@dataclass(frozen=True, slots=True, repr=False)
class ServerKeys:
    """The daemon's own pair."""

    public: str
    secret: str


class KeyStore:
    """The files."""

    def __init__(self, state_dir: Path) -> None:
        self.directory = state_dir / DIRECTORY
        self.list_file = self.directory / "clients.json"
        self._server_file = self.directory / "server.json"

    def server(self) -> ServerKeys:
        """The daemon's pair, made if there is none. Raises ``Unavailable`` if the file is damaged or not to be had."""
        with self._locked():
            if not self._server_file.exists():
                public, secret = _new_pair()
                self._write(self._server_file, {"public": public, "secret": secret})
            content = self._read(self._server_file)
        pair = content.get("public"), content.get("secret")
        if not (is_key(pair[0]) and is_key(pair[1])):
            raise _damaged(self._server_file)
        return ServerKeys(pair[0], pair[1])

    def admitted(self) -> list[Key]:
        """Who is admitted, by name. Raises ``Unavailable`` if the file is damaged or cannot be read."""
        try:
            content = self._read(self.list_file)
        except FileNotFoundError:
            return []
        entries = content.get("keys")
        if content.get("format") != _FORMAT or not isinstance(entries, list):
            raise _damaged(self.list_file)
        try:
            keys = [from_body(Key, entry) for entry in entries]
        except BadRequest as error:
            raise _damaged(self.list_file) from error
        if not all(is_key(key.public) for key in keys):
            raise _damaged(self.list_file)
        return sorted(keys, key=lambda key: key.name)

    def create(self, name: str, role: Role) -> CurveKeys:
        """Admit a new client; what is returned belongs into its key file and is kept nowhere else.

        Raises ``BadRequest`` for a name that cannot be, ``Conflict`` for one that is taken.
        """
        if not _NAME.fullmatch(name):
            raise BadRequest(
                f"{name!r} is no name for a key",
                "a name is a small letter, then up to 31 small letters, digits and hyphens",
            )
        server = self.server()
        with self._locked():
            keys = self.admitted()
            if any(key.name == name for key in keys):
                raise Conflict(
                    f"there is a key {name!r} already", f"choose another name, or: operatord keys revoke {name}"
                )
            public, secret = _new_pair()
            self._save([*keys, Key(name, role, public, time.time())])
        return CurveKeys(name, role, public, secret, server.public)

    def revoke(self, name: str) -> Key:
        """Admit it no longer. Raises ``NotFound``."""
        with self._locked():
            keys = {key.name: key for key in self.admitted()}
            revoked = keys.pop(name, None)
            if revoked is None:
                known = f"there are {', '.join(keys)}" if keys else "there are none"
                raise NotFound(f"no key {name!r}", known)
            self._save(list(keys.values()))
        return revoked

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        ensure_private_dir(self.directory, "--state-dir")
        fd = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _save(self, keys: Sequence[Key]) -> None:
        self._write(self.list_file, {"format": _FORMAT, "keys": [to_body(key) for key in keys]})

    def _write(self, path: Path, content: object) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(fd)
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise Unavailable(f"cannot write {path}: {error.strerror}") from error

    def _read(self, path: Path) -> dict[str, object]:
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unavailable(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise _damaged(path) from error
        if not isinstance(content, dict):
            raise _damaged(path)
        return content


class KeyRing:
    """Who is admitted now, for a running daemon.

    ``on_revoked`` is told of keys that are on the list no more. A list that cannot be read admits nobody, which
    ``on_error`` is told once: an unreadable list must not keep a revoked key alive.
    """

    def __init__(
        self, store: KeyStore, *, on_revoked: Callable[[Sequence[Key]], None], on_error: Callable[[str], None]
    ) -> None:
        self._store = store
        self._on_revoked = on_revoked
        self._on_error = on_error
        self._keys: dict[str, Key] = {}
        self._former: dict[str, Key] = {}
        self._seen: object = ()

    def find(self, public: str) -> Key | None:
        """The key as the list has it at this instant, or None."""
        self.refresh()
        return self._keys.get(public)

    def name_of(self, public: str) -> str:
        """The name of a key that is or was admitted while this daemon ran; empty for a stranger's."""
        key = self._keys.get(public) or self._former.get(public)
        return key.name if key else ""

    def refresh(self) -> None:
        """Look whether the list was replaced; costs one ``stat``."""
        seen = self._stamp()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            keys = {key.public: key for key in self._store.admitted()}
        except OperatorError as error:
            keys = {}
            self._on_error(f"{error.message}; until it is mended nobody is admitted over TCP")
        revoked = [key for public, key in self._keys.items() if public not in keys]
        self._keys = keys
        self._former.update({key.public: key for key in revoked})
        if revoked:
            self._on_revoked(revoked)

    def _stamp(self) -> object:
        try:
            info = self._store.list_file.stat()
        except OSError as error:
            return error.errno
        return info.st_ino, info.st_mtime_ns, info.st_ctime_ns, info.st_size


def _new_pair() -> tuple[str, str]:
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def _damaged(path: Path) -> Unavailable:
    return Unavailable(f"{path} is damaged", "restore it, or move it away and make new keys with: operatord keys new")
