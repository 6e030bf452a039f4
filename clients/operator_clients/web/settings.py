"""What the gateway is told: flags first, then the file of ``--config``, then what is set here.

The file is TOML. ``[web]`` has the keys of ``WebSection``, ``[[web.daemons]]`` a table for each daemon, and the areas
have tables of their own below it.
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operator_clients.web.daemons import DaemonAddress, is_daemon_name
from operator_protocol.endpoint import Endpoint, default_runtime_dir, resolve_endpoint
from operator_protocol.errors import BadRequest

DEFAULT_PORT = 8970
CONTROL_FILE = "web-token.json"
"""In the state directory."""
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DaemonSection(_Section):
    """``[[web.daemons]]``."""

    name: str = ""
    endpoint: str
    key: str | None = None


class ServicesSection(_Section):
    """``[web.services]``."""

    metrics_url: str | None = None
    catalogue: str = "services"
    mock: bool = False


class KubernetesSection(_Section):
    """``[web.kubernetes]``."""

    kubeconfig: str | None = None
    context: str | None = None
    mock: bool = False


class LimitsSection(_Section):
    """``[web.limits]``: what one client may ask of the gateway."""

    requests_per_s: Annotated[float, Field(gt=0)] = 200.0
    """Of one address, in the long run; ``burst`` at once."""
    burst: Annotated[int, Field(ge=1)] = 1_000
    commands_per_s: Annotated[float, Field(gt=0)] = 5.0
    commands_burst: Annotated[int, Field(ge=1)] = 30
    failures_per_min: Annotated[float, Field(gt=0)] = 30.0
    """Wrong tokens of one address; then it is refused unread."""
    body_bytes: Annotated[int, Field(ge=1_024)] = 64 << 10
    streams: Annotated[int, Field(ge=1)] = 500
    """Open pages of all clients together."""
    connections: Annotated[int, Field(ge=8)] = 1_000
    """Of all clients together."""
    request_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long a client may take to send a request: its headers, and then its body."""


class WebSection(_Section):
    """``[web]``."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = DEFAULT_PORT
    allow_hosts: tuple[str, ...] = ()
    behind_proxy: bool = False
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses of the proxies whose ``X-Forwarded-*`` is believed, with ``behind_proxy``."""
    tls_cert: str | None = None
    tls_key: str | None = None
    token_file: str | None = None
    token_days: Annotated[float, Field(gt=0, le=3_650)] = 30.0
    read_only: bool = False
    daemons: tuple[DaemonSection, ...] = ()
    services: ServicesSection = ServicesSection()
    kubernetes: KubernetesSection = KubernetesSection()
    limits: LimitsSection = LimitsSection()


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore")  # one file may configure the daemon as well
    web: WebSection = WebSection()


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it, checked."""

    daemons: tuple[DaemonAddress, ...] = ()
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    allow_hosts: tuple[str, ...] = ()
    """Names by which it may be called besides the local ones; a name with a port allows that port only."""
    behind_proxy: bool = False
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    tls_cert: Path | None = None
    tls_key: Path | None = None
    token_file: Path = field(default_factory=lambda: default_state_dir() / CONTROL_FILE)
    token_days: float = 30.0
    read_only: bool = False
    services: ServicesSection = field(default_factory=ServicesSection)
    kubernetes: KubernetesSection = field(default_factory=KubernetesSection)
    limits: LimitsSection = field(default_factory=LimitsSection)
    static_dir: Path = field(default_factory=lambda: Path(__file__).parent / "static")

    @property
    def tls(self) -> bool:
        """Whether it speaks HTTPS itself."""
        return self.tls_cert is not None

    @property
    def known_hosts(self) -> tuple[str, ...]:
        """All names that a ``Host`` header may have."""
        own = () if is_everywhere(self.host) else (bracketed(self.host),)
        return tuple(dict.fromkeys((*_LOCAL_NAMES, *own, *self.allow_hosts)))


def read_file(path: str | None) -> WebSection:
    """``[web]`` of the configuration. Raises ``BadRequest`` that names the key."""
    if path is None:
        return WebSection()
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} is not TOML: {error}") from error
    try:
        return _File.model_validate(content).web
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{path}: {where}: {first['msg']}", "docs/console.md has the keys") from error


def make_settings(section: WebSection, flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """Flags over the file. ``flags`` has the fields of ``WebSection`` that were given, and those of its areas.

    Raises ``BadRequest`` for what does not fit together.
    """
    told = {name: value for name, value in flags.items() if value is not None}
    services = section.services.model_copy(update=_picked(told, metrics_url="metrics_url", catalogue="catalogue"))
    services = services.model_copy(update=_picked(told, mock="mock_metrics"))
    kubernetes = section.kubernetes.model_copy(
        update=_picked(told, kubeconfig="kubeconfig", context="kube_context", mock="mock_k8s")
    )
    web = section.model_copy(
        update=_picked(told, **{name: name for name in WebSection.model_fields if name in told and name != "daemons"})
    )
    daemons = told.get("endpoints") or ()
    key = told.get("key")
    settings = Settings(
        daemons=_addresses([_told_daemon(text, key) for text in daemons] or web.daemons, environ),
        host=web.host,
        port=web.port,
        allow_hosts=tuple(web.allow_hosts),
        behind_proxy=web.behind_proxy,
        proxies=web.proxies,
        tls_cert=_path(web.tls_cert),
        tls_key=_path(web.tls_key),
        token_file=_path(web.token_file) or default_state_dir(environ) / CONTROL_FILE,
        token_days=web.token_days,
        read_only=web.read_only,
        services=services,
        kubernetes=kubernetes,
        limits=web.limits,
    )
    if kubernetes.mock and (kubernetes.kubeconfig or kubernetes.context):
        raise BadRequest("a cluster is either read or made up", "give --kubeconfig or --mock-k8s, not both")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise BadRequest("--tls-cert and --tls-key belong together")
    return settings


def default_state_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where the token is kept: the state directory that a daemon of this user has when nothing was said."""
    env = os.environ if environ is None else environ
    if chosen := env.get("OPERATOR_STATE_DIR"):
        return Path(chosen)
    if xdg := env.get("XDG_STATE_HOME"):
        return Path(xdg) / "operatord"
    return Path("~/.local/state/operatord").expanduser()


def is_loopback(host: str) -> bool:
    """Whether nobody else's machine can connect to it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Whether it stands for all addresses of the machine, and so is no name to be called by."""
    return host in ("", "0.0.0.0", "::", "[::]")


def bracketed(host: str) -> str:
    """As it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _told_daemon(text: str, key: str | None) -> DaemonSection:
    """``NAME=ENDPOINT`` or ``ENDPOINT``."""
    name, equals, endpoint = text.partition("=")
    return DaemonSection(name=name, endpoint=endpoint, key=key) if equals else DaemonSection(endpoint=text, key=key)


def _addresses(sections: Sequence[DaemonSection], environ: Mapping[str, str] | None) -> tuple[DaemonAddress, ...]:
    if not sections:
        endpoint = resolve_endpoint(None, environ)
        return (DaemonAddress(_name_of(endpoint), endpoint),)
    addresses: dict[str, DaemonAddress] = {}
    for section in sections:
        tcp = section.endpoint.startswith("tcp://")
        endpoint = resolve_endpoint(section.endpoint, environ, key=section.key if tcp else None)
        name = section.name or _name_of(endpoint)
        if not is_daemon_name(name):
            raise BadRequest(f"{name!r} cannot name a daemon", "letters, digits and . _ - up to 64 characters")
        if name in addresses:
            raise BadRequest(f"two daemons are called {name}", "name them apart: --endpoint NAME=ENDPOINT")
        addresses[name] = DaemonAddress(name, endpoint)
    return tuple(addresses.values())


def _name_of(endpoint: Endpoint) -> str:
    """The address of one that is far, ``local`` for the usual directory, else the directory's name."""
    if endpoint.label.startswith("tcp://"):
        return endpoint.label.removeprefix("tcp://")
    directory = Path(endpoint.label)
    return "local" if directory == default_runtime_dir() or not is_daemon_name(directory.name) else directory.name


def _picked(told: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {field_name: told[name] for field_name, name in names.items() if name in told}


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()
