"""What the engine and its command line say when they refuse, as errors of ours."""

import re
from collections.abc import Sequence

from operator_protocol.errors import BadRequest, Conflict, NotFound, OperatorError, Unavailable

INSTALL_COMPOSE = (
    "install the compose plugin of Docker, version 2 or newer (docker-compose-plugin of Docker's packages)"
)
_NOT_INSTALLED = (
    "install Docker Engine and its compose plugin (docker-ce and docker-compose-plugin of Docker's packages)"
)

_KNOWN: tuple[tuple[str, type[OperatorError], str], ...] = (
    (
        r"cannot connect to the docker daemon|error during connect|failed to connect to the docker api",
        Unavailable,
        "start the engine, or set DOCKER_HOST",
    ),
    (r"permission denied.*docker", Unavailable, "run as root, or join the group docker"),
    (
        r"unknown (shorthand )?flag|'compose' is not a docker command|unknown command: docker compose",
        Unavailable,
        INSTALL_COMPOSE,
    ),
    (
        r"port is already allocated|address already in use|ports are not available",
        Conflict,
        "another program has that port: choose other ports in the configuration",
    ),
    (
        r"pool overlaps with other one|overlaps with an existing",
        Conflict,
        "another network has that subnet: choose another one in the configuration",
    ),
    (
        (
            r"pull access denied|manifest (for .*)?(unknown|not found)|no such image|failed to resolve reference"
            r"|dial tcp: lookup|registry.*(timeout|refused|no such host)"
        ),
        Unavailable,
        "the image is not there and cannot be fetched: pull or load it first",
    ),
    (r"no such (container|service|network)|network .* not found", NotFound, ""),
    (
        (
            r"is not running|not paused|already paused|is paused|already exists in network|is not connected"
            r"|is restarting|already in progress"
        ),
        Conflict,
        "",
    ),
    (r"invalid (argument|interpolation|value)|validating |yaml: |compose.*no such file", BadRequest, ""),
)
"""First match counts. The texts are those of engines 20.10 to 28 and of compose 2 to 5."""


def refusal(what: str, said: str) -> OperatorError:
    """The error for ``what`` was being done when the command line ended with ``said`` on its standard error."""
    line = _telling_line(said.splitlines())
    for pattern, error, hint in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE):
            # Without the plugin the command line just shows how it is used.
            told = "docker has no compose plugin" if hint == INSTALL_COMPOSE else line
            return error(f"{what}: {told}", hint)
    return Unavailable(f"{what}: {line}")


def not_installed(program: str) -> OperatorError:
    """There is no such command line here."""
    return Unavailable(f"{program} is not installed", _NOT_INSTALLED)


def _telling_line(lines: Sequence[str]) -> str:
    """The last line is the reason; the progress of compose comes before it."""
    telling = [line.strip() for line in lines if line.strip()]
    for line in reversed(telling):
        if re.match(r"(Error|error|failed|dependency)", line):
            return line
    return telling[-1] if telling else "docker said nothing"
