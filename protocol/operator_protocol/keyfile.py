"""The file that a client needs to talk to a daemon over TCP: who it is, its key pair, and the daemon's public key.

``operatord keys new`` writes it; ``--key FILE`` and ``$OPERATOR_KEY`` name it. It is one JSON object, and whoever can
read it is the client that it names, so a file that others can read is refused.
"""

import json
import os
import stat
from pathlib import Path
from typing import Literal, NamedTuple, TypeGuard

from operator_protocol.errors import BadRequest

Role = Literal["read", "control"]
FORMAT = 1
Z85_KEY_CHARACTERS = 40
"""A Curve25519 key of 32 bytes in Z85 (ZeroMQ RFC 32)."""
_Z85 = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#")
_MAX_BYTES = 16_384
_NEW_HINT = "make one on the daemon's host with: operatord keys new NAME"


class CurveKeys(NamedTuple):
    """What one client proves itself with. Its text never shows the secret."""

    name: str
    role: Role
    public: str
    secret: str
    server: str
    """Public key of the daemon: who answers with another one is not that daemon."""

    def __repr__(self) -> str:
        return f"CurveKeys(name={self.name!r}, role={self.role!r}, public={self.public!r})"


def is_key(value: object) -> TypeGuard[str]:
    """True for text that is a key in Z85."""
    return isinstance(value, str) and len(value) == Z85_KEY_CHARACTERS and _Z85.issuperset(value)


def encode_key_file(keys: CurveKeys) -> bytes:
    """The content of the file."""
    return json.dumps({"operator_key": FORMAT, **keys._asdict()}, indent=1).encode() + b"\n"


def read_key_file(path: str) -> CurveKeys:
    """The keys in ``path``. Raises ``BadRequest``: not there, readable by others, or not a key file."""
    try:
        # Not blocking, or a pipe of that name would hold us up before it can be refused.
        fd = os.open(_expanded(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            mode = os.fstat(fd).st_mode
            data = os.read(fd, _MAX_BYTES) if stat.S_ISREG(mode) else b""
        finally:
            os.close(fd)
    except OSError as error:
        raise BadRequest(f"cannot read the key file {path}: {error.strerror}", _NEW_HINT) from error
    if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadRequest(f"the key file {path} is open to others (mode {stat.S_IMODE(mode):04o})", f"chmod 600 {path}")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    return _checked(path, content)


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)  # there is no user of that name


def _checked(path: str, content: object) -> CurveKeys:
    if not isinstance(content, dict) or "operator_key" not in content:
        raise BadRequest(f"{path} is not a key file", _NEW_HINT)
    if content["operator_key"] != FORMAT:
        raise BadRequest(
            f"the key file {path} has format {content['operator_key']!r}, this client reads {FORMAT}", _NEW_HINT
        )
    name, role = content.get("name"), content.get("role")
    public, secret, server = content.get("public"), content.get("secret"), content.get("server")
    if not isinstance(name, str) or role not in ("read", "control"):
        raise BadRequest(f"the key file {path} is damaged: name or role", _NEW_HINT)
    if not (is_key(public) and is_key(secret) and is_key(server)):
        raise BadRequest(f"the key file {path} is damaged: a key is 40 characters of Z85", _NEW_HINT)
    return CurveKeys(name, role, public, secret, server)
