"""The control token: one secret in a file that only its owner can read, with the time at which it ends.

The file is looked at again at each check, so what a command rotates is refused from then on, without a restart.
"""

import hmac
import json
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from operator_protocol.errors import BadRequest, NotFound, OperatorError

FORMAT = 1
_MAX_BYTES = 4_096
_LEAST_CHARACTERS = 32
_DAY_S = 86_400.0
ROTATE = "operator-web token rotate"

Verdict = Literal["right", "wrong", "expired"]


class ControlToken(NamedTuple):
    """Its text never shows the secret."""

    secret: str
    created_at: float
    expires_at: float
    """Wall clock, seconds since the epoch."""

    def __repr__(self) -> str:
        return f"ControlToken(expires_at={self.expires_at:.0f})"


def new_token(days: float, now: float) -> ControlToken:
    """A random one of 256 bits."""
    return ControlToken(secrets.token_urlsafe(32), now, now + days * _DAY_S)


def write_token(path: Path, token: ControlToken) -> None:
    """Put it in place of what is there, at once, mode 0600. Raises ``BadRequest`` when that cannot be."""
    data = json.dumps({"operator_web_token": FORMAT, **token._asdict()}, indent=1).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # 0600
        try:
            os.write(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        Path(name).replace(path)
    except OSError as error:
        raise BadRequest(f"cannot write the token file {path}: {error.strerror}") from error


def read_token(path: Path) -> ControlToken:
    """The token in ``path``. Raises ``NotFound``, or ``BadRequest`` for what is damaged or open to others."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            mode = os.fstat(fd).st_mode
            data = os.read(fd, _MAX_BYTES) if stat.S_ISREG(mode) else b""
        finally:
            os.close(fd)
    except FileNotFoundError as error:
        raise NotFound(f"there is no token file {path}", f"make one with: {ROTATE}") from error
    except OSError as error:
        raise BadRequest(f"cannot read the token file {path}: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadRequest(
            f"the token file {path} is open to others (mode {stat.S_IMODE(mode):04o})",
            f"whoever read it has the token: chmod 600 {path}, then {ROTATE}",
        )
    try:
        content = json.loads(data)
        if content["operator_web_token"] != FORMAT:
            raise ValueError("format")
        secret = content["secret"]
        if not isinstance(secret, str) or len(secret) < _LEAST_CHARACTERS:
            raise ValueError("secret")
        return ControlToken(secret, float(content["created_at"]), float(content["expires_at"]))
    except (ValueError, TypeError, KeyError) as error:
        raise BadRequest(f"the token file {path} is damaged", f"make a new one with: {ROTATE}") from error


class TokenKeeper:
    """Says whether what somebody showed is the token."""

    def __init__(self, path: Path, *, wall: Callable[[], float] = time.time) -> None:
        self.path = path
        self._wall = wall

    def ensure(self, days: float) -> ControlToken:
        """The token; a new one where there is none yet. An expired one stays: somebody has to want a new one."""
        try:
            return read_token(self.path)
        except NotFound:
            token = new_token(days, self._wall())
            write_token(self.path, token)
            return token

    def current(self) -> ControlToken:
        """What the file has now. Raises as ``read_token``."""
        return read_token(self.path)

    def judge(self, shown: str) -> Verdict:
        """Compare in constant time. A file that cannot be read lets nobody in."""
        try:
            token = read_token(self.path)
        except OperatorError:
            return "wrong"
        # Bytes: compare_digest takes text only if it is ASCII, and what was shown may be anything.
        if not hmac.compare_digest(shown.encode(errors="surrogateescape"), token.secret.encode()):
            return "wrong"
        return "right" if self._wall() < token.expires_at else "expired"
