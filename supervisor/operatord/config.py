"""The configuration: one TOML file, every key checked at start, every default in one place.

``deploy/operatord.example.toml`` shows them all with comments; a test holds the two together.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operator_protocol.errors import BadRequest, NotFound
from operatord.paths import config_home

Positive = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ValkeySection(_Section):
    """``[subject.valkey]``."""

    base_port: Annotated[int, Field(ge=0, le=55_530)] = 0
    """First of six consecutive ports; 0 takes free ones."""
    cluster_node_timeout_ms: Annotated[int, Field(ge=200, le=60_000)] = 1000
    """A primary that is silent this long is failed over."""
    memory_limit_mib: Positive = 512
    """A node that uses more memory than this violates ``memory``."""
    p99_limit_ms: Positive = 5.0
    """A node whose p99 is above this violates ``p99_latency``."""
    replication_lag_limit_s: Positive = 5.0
    """A replica that lags longer violates ``replication_link``."""


class SubjectSection(_Section):
    """``[subject]``."""

    name: str = "valkey"
    valkey: ValkeySection = ValkeySection()


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

    settle_s: Annotated[float, Field(ge=0, le=60)] = 1.5
    """How long evidence may come in after a ticket was opened before it is diagnosed."""


class FaultsSection(_Section):
    """``[faults]``."""

    countdown_s: Annotated[int, Field(ge=0, le=3600)] = 3
    recovery_deadline_s: Positive = 30.0


class JournalSection(_Section):
    """``[journal]``."""

    max_mib: Positive = 64
    keep_files: Annotated[int, Field(ge=1, le=10_000)] = 8


class Config(_Section):
    """The whole file."""

    subject: SubjectSection = SubjectSection()
    workload: WorkloadSection = WorkloadSection()
    monitor: MonitorSection = MonitorSection()
    agent: AgentSection = AgentSection()
    faults: FaultsSection = FaultsSection()
    journal: JournalSection = JournalSection()


def load_config(path: str | None) -> Config:
    """Read ``path``, else the default file if it exists, else all defaults.

    Raises ``NotFound`` for a file that is not there, ``BadRequest`` naming file and line of a syntax error, or file
    and key of a value that does not fit.
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
        return Config.model_validate(data)
    except ValidationError as error:
        first, *more = error.errors()
        key = ".".join(str(part) for part in first["loc"])
        problem = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"].lower()
        others = f" (and {len(more)} more)" if more else ""
        raise BadRequest(
            f"{file}: {key}: {problem}{others}", "deploy/operatord.example.toml shows every key and its range"
        ) from error
