"""The configuration: one TOML file, every key checked at start, every default in one place.

``deploy/operatord.example.toml`` shows them all with comments; a test holds the two together.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from operator_protocol.endpoint import tcp_endpoint
from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.models import Autonomy, Risk
from operatord.declared.host import check_host
from operatord.declared.naming import check_dependencies, check_names
from operatord.declared.sections import DIRECTORY, ProcessSection, Words
from operatord.isolation.addresses import Subnet
from operatord.paths import config_home
from operatord.subjects.tikv.options import FILES, split
from operatord.subjects.valkey.settings import Settings

Positive = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def beside(file: str, info: ValidationInfo) -> str:
    """Paths in the configuration are relative to its file."""
    directory = (info.context or {}).get(DIRECTORY)
    return str(Path(directory) / Path(file).expanduser()) if file and directory is not None else file


class SubjectSection(_Section):
    """``[subject]``."""

    name: str = "valkey"
    valkey: dict[str, int | float] = {}
    """Options of the Valkey subject; ``operatord.subjects.valkey.settings`` is their table."""

    tikv: dict[str, str | int | float] = {}
    """Options of the TiKV subject; ``subjects.tikv.options`` and ``subjects.tikv.settings`` are their tables."""

    @field_validator("tikv")
    @classmethod
    def _check_tikv(cls, options: dict[str, str | int | float], info: ValidationInfo) -> dict[str, str | int | float]:
        _refuse_workload(options)
        try:
            split(options)
        except BadRequest as error:
            raise ValueError(str(error)) from error
        return {key: beside(str(value), info) if key in FILES else value for key, value in options.items()}

    @field_validator("valkey")
    @classmethod
    def _check_valkey(cls, options: dict[str, int | float]) -> dict[str, int | float]:
        _refuse_workload(options)
        try:
            Settings.read(options)
        except BadRequest as error:
            raise ValueError(str(error)) from error
        return options


def _refuse_workload(options: Iterable[str]) -> None:
    for key in options:
        if key.startswith("workload_"):
            raise ValueError(f"{key} is not set here but in [workload]")


class WorkloadSection(_Section):
    """``[workload]``."""

    workload: Literal["a", "b", "c", "d", "e", "f"] = "a"
    rate: Annotated[float, Field(gt=0, le=1_000_000)] = 2000.0
    """Target operations per second."""
    threads: Annotated[int, Field(ge=1, le=256)] = 8
    record_count: Annotated[int, Field(ge=1, le=100_000_000)] = 1000
    command: Words = []
    """Another load than the subject's own: a list, or a string that is split as a shell would; no shell runs."""
    follow: str = ""
    """A file that somebody else's load writes its report to, relative to the configuration file."""

    @field_validator("follow")
    @classmethod
    def _resolve_follow(cls, file: str, info: ValidationInfo) -> str:
        if file and info.data.get("command"):
            raise ValueError("there is a command already: one of the two")
        return beside(file, info)


class MonitorSection(_Section):
    """``[monitor]``."""

    interval_s: Annotated[float, Field(ge=0.1, le=60)] = 0.5


class AgentSection(_Section):
    """``[agent]``; ``workers.agent.settings`` is what becomes of it."""

    settle_s: Annotated[float, Field(ge=0, le=60)] = 2.0
    """How long evidence may come in after a ticket was opened; what is told before that is preliminary."""
    diagnoser: Literal["auto", "rules", "claude"] = "auto"
    key_file: str = ""
    model: Annotated[str, Field(min_length=1)] = "claude-sonnet-5-5"
    effort: Literal["low", "medium", "high", "xhigh", "max"] = "medium"
    base_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    deadline_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Of one ticket."""
    call_timeout_s: Annotated[float, Field(gt=0, le=600)] = 45.0
    tool_timeout_s: Annotated[float, Field(gt=0, le=60)] = 3.0
    max_calls: Annotated[int, Field(ge=1, le=100)] = 8
    max_tokens: Annotated[int, Field(ge=1_000, le=10_000_000)] = 60_000
    max_answer_tokens: Annotated[int, Field(ge=500, le=20_000)] = 8_000
    """Above about 21,000 the library wants a stream."""
    daily_ceiling_usd: Annotated[float, Field(ge=0)] = 5.0
    price_input: Annotated[float, Field(ge=0)] = 2.0
    price_output: Annotated[float, Field(ge=0)] = 10.0
    price_cache_read: Annotated[float, Field(ge=0)] = 0.2
    price_cache_write: Annotated[float, Field(ge=0)] = 2.5
    redact_addresses: bool = False
    backoff_s: Annotated[float, Field(gt=0, le=3_600)] = 30.0
    autonomy: Autonomy = "approve"
    """``observe``: recommendations only; ``approve``: a person decides; ``execute``: at once, up to a risk."""
    execute_up_to: Risk = "safe"
    approval_expires_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """A proposal waits this long for a decision, and what was approved as long for its turn."""
    actions_per_minute: Annotated[int, Field(ge=1, le=600)] = 6
    cooldown_s: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    """On one target, from the end of an action to the next."""

    @field_validator("key_file")
    @classmethod
    def _resolve_key_file(cls, file: str, info: ValidationInfo) -> str:
        return beside(file, info)


class TicketsSection(_Section):
    """``[tickets]``."""

    url: str = ""
    """``postgresql+psycopg://USER@HOST/DATABASE`` of a database that several hosts share; empty for none."""
    host: str = ""
    """What this host is called there; empty for its own name."""
    cluster: str = ""
    """What the subject is called there; empty for its kind."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        # What is wrong is never quoted: a password may be in it.
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - it is read when it is asked for
        except ValueError:
            raise ValueError("it is no address") from None
        if url and (parts.scheme != "postgresql+psycopg" or len(parts.path) < 2):
            raise ValueError("it looks like postgresql+psycopg://USER@HOST/DATABASE")
        return url


class FaultsSection(_Section):
    """``[faults]``."""

    countdown_s: Annotated[int, Field(ge=0, le=3600)] = 3
    recovery_deadline_s: Positive = 30.0
    cooldown_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """No new fault within this time after a recovery, unless it is forced."""
    max_memory_share: Annotated[float, Field(gt=0, le=0.9)] = 0.25
    """Of the memory of this host, by all memory faults together."""
    max_disk_bytes: Annotated[int, Field(gt=0)] = 4 * 1024**3
    """By all disk faults together."""


class DemoSection(_Section):
    """``[demo]``."""

    fault: Annotated[str, Field(min_length=1)] = "kill"
    """Kind of the fault of Stage 3."""
    target: Annotated[str, Field(min_length=1)] = "random"
    """A node, a role, or ``random``, which is one of the role whose loss shows most."""
    chapters: str = ""
    """A file with another story, or the name of a shipped one; empty for the built-in one."""
    language: Annotated[str, Field(min_length=1)] = "en"
    """Of what the demo says: a shipped one, or a ``.toml`` file."""

    @field_validator("chapters", "language")
    @classmethod
    def _resolve_file(cls, named: str, info: ValidationInfo) -> str:
        return beside(named, info) if named.endswith(".toml") else named


class JournalSection(_Section):
    """``[journal]``."""

    max_mib: Positive = 64
    keep_files: Annotated[int, Field(ge=1, le=10_000)] = 8


class ListenSection(_Section):
    """``[listen]``."""

    tcp: str = ""
    """``tcp://HOST:PORT`` of frames, control one port above; always encrypted, and only for keys. Empty for none."""

    @field_validator("tcp")
    @classmethod
    def _check_tcp(cls, address: str) -> str:
        try:
            return tcp_endpoint(address).label if address else ""
        except BadRequest as error:
            raise ValueError(error.message) from error


class IsolationSection(_Section):
    """``[isolation]``."""

    enabled: bool = False
    """As if every start had ``--isolate``."""
    network: str = ""
    """A private /24 for the servers; empty for one that this host does not route yet."""

    @field_validator("network")
    @classmethod
    def _check_network(cls, network: str) -> str:
        try:
            return str(Subnet.parse(network).network) if network else ""
        except BadRequest as error:
            raise ValueError(error.message) from error


class ConsoleSection(_Section):
    """``[console]``: the web console beside the daemon; it needs the extra ``web``."""

    enabled: bool = False
    """As if every start had ``--console``."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8970
    """Of loopback; a free one if it is taken."""
    options: list[str] = []
    """More options for ``operator-web``."""


class Config(_Section):
    """The whole file."""

    subject: SubjectSection = SubjectSection()
    workload: WorkloadSection = WorkloadSection()
    monitor: MonitorSection = MonitorSection()
    agent: AgentSection = AgentSection()
    tickets: TicketsSection = TicketsSection()
    faults: FaultsSection = FaultsSection()
    demo: DemoSection = DemoSection()
    journal: JournalSection = JournalSection()
    listen: ListenSection = ListenSection()
    isolation: IsolationSection = IsolationSection()
    console: ConsoleSection = ConsoleSection()
    process: dict[str, ProcessSection] = {}
    """``[process.NAME]``: processes that users declare."""


def load_config(path: str | None, *, to_start: bool = False) -> Config:
    """Read ``path``, else the default file if it exists, else all defaults.

    ``to_start`` also checks what the declared processes need of this host. Raises ``NotFound`` for a file that is not
    there, ``BadRequest`` naming file and line of a syntax error, or file and key of a value that does not fit.
    """
    file = Path(path) if path else config_home() / "operatord.toml"
    if not path and not file.exists():
        return Config()
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"cannot read the configuration {file}: {error.strerror}", "check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file}: {error}", "mend that line; deploy/operatord.example.toml shows every key") from error
    try:
        config = Config.model_validate(data, context={DIRECTORY: file.absolute().parent})
        _check_processes(config, file, to_start=to_start)
    except BadRequest as error:
        raise BadRequest(f"{file}: {error.message}", error.hint) from error
    except ValidationError as error:
        first, *more = error.errors()
        key = ".".join(str(part) for part in first["loc"])
        problem = (
            "there is no such key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        )
        others = f" (and {len(more)} more)" if more else ""
        raise BadRequest(
            f"{file}: {key}: {problem}{others}", "deploy/operatord.example.toml shows every key and its range"
        ) from error
    return config


def _check_processes(config: Config, file: Path, *, to_start: bool) -> None:
    check_names(list(config.process))
    check_dependencies({name: section.depends_on for name, section in config.process.items()})
    if to_start:
        check_host(config.process, file)
