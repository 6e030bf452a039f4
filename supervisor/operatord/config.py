"""The configuration: one TOML file, every key checked at start, every default in one place.

``deploy/operatord.example.toml`` shows them all with comments; a test holds the two together.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from operator_protocol.endpoint import tcp_endpoint
from operator_protocol.errors import BadRequest, NotFound
from operatord.declared.host import check_host
from operatord.declared.naming import check_dependencies, check_names
from operatord.declared.sections import DIRECTORY, ProcessSection
from operatord.isolation.addresses import Subnet
from operatord.paths import config_home
from operatord.subjects.tikv.options import split
from operatord.subjects.valkey.settings import Settings

Positive = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SubjectSection(_Section):
    """``[subject]``."""

    name: str = "valkey"
    valkey: dict[str, int | float] = {}
    """Options of the Valkey subject; ``operatord.subjects.valkey.settings`` is their table."""

    tikv: dict[str, str | int | float] = {}
    """Options of the TiKV subject; ``subjects.tikv.options`` and ``subjects.tikv.settings`` are their tables."""

    @field_validator("tikv")
    @classmethod
    def _check_tikv(cls, options: dict[str, str | int | float]) -> dict[str, str | int | float]:
        _refuse_workload(options)
        try:
            split(options)
        except BadRequest as error:
            raise ValueError(str(error)) from error
        return options

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


class MonitorSection(_Section):
    """``[monitor]``."""

    interval_s: Annotated[float, Field(ge=0.1, le=60)] = 0.5


class AgentSection(_Section):
    """``[agent]``."""

    settle_s: Annotated[float, Field(ge=0, le=60)] = 2.0
    """How long evidence may come in after a ticket was opened before it is diagnosed."""


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


class Config(_Section):
    """The whole file."""

    subject: SubjectSection = SubjectSection()
    workload: WorkloadSection = WorkloadSection()
    monitor: MonitorSection = MonitorSection()
    agent: AgentSection = AgentSection()
    faults: FaultsSection = FaultsSection()
    journal: JournalSection = JournalSection()
    listen: ListenSection = ListenSection()
    isolation: IsolationSection = IsolationSection()
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
