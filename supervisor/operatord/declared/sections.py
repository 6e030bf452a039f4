"""What may stand in ``[process.NAME]``: the keys, their ranges and their defaults.

Times are in seconds. Everything that can be judged by looking at one section alone is judged here, so that the error
names the key; names and dependencies are for ``naming``, what only this host can tell for ``host``.
"""

import re
import shlex
import signal
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

DIRECTORY = "directory"
"""Key of the validation context: the directory of the configuration file, where relative paths begin."""

_OURS = ("OPERATOR_RUN_ID", "OPERATOR_DAEMON_ID")
"""Marks by which leftovers are found; whoever changes them escapes the clean-up."""
_NOT_AN_END = ("SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT", "SIGCHLD")


def _split(command: object) -> object:
    """A string is split as a shell would, but no shell ever runs."""
    return shlex.split(command) if isinstance(command, str) else command


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a zero byte cannot be passed to a process")
    return text


def _runnable(command: list[str]) -> list[str]:
    if not command or not command[0]:
        raise ValueError("the command is empty")
    return command


Text = Annotated[str, AfterValidator(_no_nul)]
Words = Annotated[list[Text], BeforeValidator(_split)]
CommandLine = Annotated[Words, AfterValidator(_runnable)]
ExitCode = Annotated[int, Field(ge=0, le=255)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TcpAddress(_Section):
    """Where to connect to."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(told: int | str) -> TcpAddress:
    """``host:port``, ``[v6]:port``, or a port of this host. Raises ``ValueError``."""
    if isinstance(told, int):
        host, port = "127.0.0.1", told
    else:
        host, _, digits = told.rpartition(":")
        if not digits.isascii() or not digits.isdigit():
            raise ValueError(f"{told!r} is not host:port")
        port = int(digits)
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"{told!r} is not host:port; an IPv6 address stands in brackets")
    if not host or any(character.isspace() for character in host):
        raise ValueError(f"{told!r} is not host:port")
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port from 1 to 65535")
    return TcpAddress(host=host, port=port)


class ReadySection(_Section):
    """``[process.NAME.ready]``: exactly one of ``log, http, tcp, exec``, and how often it is tried."""

    log: str | None = None
    """Regular expression that is searched in each line of its output."""
    http: str | None = None
    """URL that answers with a status from 200 to 399."""
    tcp: int | str | None = None
    """Address that accepts a connection."""
    exec: CommandLine | None = None
    """Command that exits with 0; it runs as the process does: same user, directory and environment."""
    interval: Annotated[float, Field(ge=0.05, le=3600)] = 0.2
    """Between two tries."""
    timeout: Annotated[float, Field(gt=0, le=3600)] = 2.0
    """Of one try."""

    @field_validator("log")
    @classmethod
    def _check_log(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    @field_validator("http")
    @classmethod
    def _check_http(cls, url: str | None) -> str | None:
        if url is not None:
            _check_url(url)
        return url

    @field_validator("tcp")
    @classmethod
    def _check_tcp(cls, told: int | str | None) -> int | str | None:
        if told is not None:
            parse_address(told)
        return told

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        told = [name for name in ("log", "http", "tcp", "exec") if getattr(self, name) is not None]
        if len(told) != 1:
            raise ValueError(f"exactly one of log, http, tcp and exec, not {' and '.join(told) or 'none'}")
        return self


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https":
        raise ValueError("https is not spoken here; use exec with a client that does, such as curl -f")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL such as http://127.0.0.1:8080/health")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a name and password in the URL are not supported")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} has characters that must be written as %XX")
    if parts.port == 0:  # .port raises ValueError above 65535
        raise ValueError("port 0 cannot be connected to")


class BackoffSection(_Section):
    """``[process.NAME.backoff]``: the pauses between restarts, and when it is given up."""

    base: Annotated[float, Field(gt=0, le=3600)] = 0.2
    """Pause before the second restart; the first is immediate, each further one doubles."""
    cap: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    """No pause is longer."""
    stable_after: Annotated[float, Field(ge=0, le=86_400)] = 5.0
    """Ready for this long, and the next death counts as the first."""
    deaths: Annotated[int, Field(ge=0, le=10_000)] = 10
    """So many deaths within ``window``, and it is ``failed``; 0 never gives up."""
    window: Annotated[float, Field(gt=0, le=86_400)] = 60.0


class ProcessSection(_Section):
    """``[process.NAME]``."""

    command: CommandLine
    """A list, or a string that is split as a shell would; no shell runs."""
    env: dict[str, Text] = {}
    """Added to the daemon's environment."""
    cwd: Annotated[Path | None, Field(strict=False, validate_default=True)] = None
    """Relative to the configuration file; left out, it is that file's directory."""
    user: Annotated[Text, Field(min_length=1)] | None = None
    """Name or number; another user than the daemon's own needs root."""
    restart: Literal["always", "on-failure", "never"] = "on-failure"
    success_codes: list[ExitCode] = [0]
    no_restart_codes: list[ExitCode] = []
    depends_on: list[str] = []
    ready: ReadySection | None = None
    """Left out, it is ready as soon as it runs."""
    start_timeout: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """Not ready by then, it is killed, which counts as a failure."""
    stop_signal: str = "TERM"
    stop_timeout: Annotated[float, Field(ge=0, le=60)] = 5.0
    """From ``stop_signal`` to KILL."""
    backoff: BackoffSection = BackoffSection()

    @field_validator("env")
    @classmethod
    def _check_env(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if not name or "=" in name or "\0" in name:
                raise ValueError(f"{name!r} is not a name of an environment variable")
            if name in _OURS:
                raise ValueError(f"{name} belongs to the daemon")
        return env

    @field_validator("cwd")
    @classmethod
    def _resolve_cwd(cls, cwd: Path | None, info: ValidationInfo) -> Path | None:
        directory = (info.context or {}).get(DIRECTORY)
        if cwd is not None and "\0" in str(cwd):
            raise ValueError("a zero byte cannot be in a path")
        if not isinstance(directory, Path):
            return cwd
        try:
            return directory / (cwd or Path()).expanduser()
        except RuntimeError as error:
            raise ValueError(f"{cwd}: {error}") from error

    @field_validator("stop_signal")
    @classmethod
    def _check_signal(cls, name: str) -> str:
        signal_number(name)
        return name

    @property
    def probed(self) -> bool:
        """Whether someone has to find out when it is ready."""
        return self.ready is not None


def signal_number(name: str) -> signal.Signals:
    """The signal of that name, with or without ``SIG``. Raises ``ValueError``."""
    full = name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}"
    if full not in signal.Signals.__members__:
        raise ValueError(f"there is no signal {name!r}")
    if full in _NOT_AN_END:
        raise ValueError(f"{full} does not end a process")
    return signal.Signals[full]
