"""The campaign file: faults, targets, how often, and which diagnosers; TOML, and every key checked."""

import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.models import Autonomy, Risk, Scalar
from operatord.durations import parse_duration
from operatord.workers.agent.rules.causes import Cause

MAX_TRIALS = 10_000
_MAX_BYTES = 1 << 20

Effort = Literal["low", "medium", "high", "xhigh", "max"]


def _seconds(value: object) -> float:
    try:
        return parse_duration(value)
    except BadRequest as error:
        raise ValueError(f"{error.message.removeprefix('duration: ')}; {error.hint}") from error


Seconds = Annotated[float, BeforeValidator(_seconds)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,47}$")]
Count = Annotated[int, Field(ge=0, le=1_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FaultPart(_Part):
    """``[[case.fault]]``: what is injected, and what a diagnosis may rightly say about it."""

    kind: str
    target: str = ""
    """A node or a role; empty for the target of the case; ``same group``, ``other group`` or, with a role,
    ``replica of another group`` for one beside it."""
    params: dict[str, Scalar] = {}
    after: Seconds = 0.0
    """Seconds after the fault before it."""
    causes: Annotated[list[Cause], Field(min_length=1)]
    """Classes of cause that are right; usually one."""
    components: list[Literal["group", "subject"]] = []
    """What else is a right answer for where it is, besides the node itself."""


class Case(_Part):
    """``[[case]]``: a trouble, and whom it meets."""

    name: Name
    targets: Annotated[list[str], Field(min_length=1)]
    """Nodes or roles; each is a case of its own."""
    held_out: bool = False
    """Not looked at while rules and prompts were written; reported apart."""
    trials: Annotated[int, Field(ge=1, le=1_000)] | None = None
    fault: Annotated[list[FaultPart], Field(min_length=1, max_length=4)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.fault[0].target or self.fault[0].after:
            raise ValueError("the first fault goes to the targets of the case, at once; it has no target, no after")
        _no_doubles("targets", self.targets)
        return self


class Variant(_Part):
    """``[[variant]]``: who diagnoses, and what he may do about it."""

    name: Name
    diagnoser: Literal["rules", "claude", "none"]
    """``none`` is the baseline: what becomes of the subject without the agent."""
    autonomy: Autonomy = "observe"
    execute_up_to: Risk = "safe"
    model: str = ""
    """Empty for the one that the configuration names."""
    effort: Effort | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.diagnoser == "none" and self.autonomy != "observe":
            raise ValueError("a baseline has no agent that could act: its autonomy is observe")
        if self.diagnoser != "claude" and (self.model or self.effort):
            raise ValueError("model and effort are for the diagnoser claude")
        return self


class Controls(_Part):
    """``[controls]``: trials in which nothing is broken, for each variant."""

    trials: Count = 10
    watch: Seconds = 30.0


class Limits(_Part):
    """``[limits]``: how long a trial waits for what."""

    healthy: Seconds = 120.0
    """For the subject before the trial; one that is not healthy by then is not broken, and the trial is not run."""
    detect: Seconds = 60.0
    diagnose: Seconds = 120.0
    recover: Seconds = 60.0
    """For the agent, or the subject itself, to mend it; then the trial does."""
    settle: Seconds = 5.0
    """How long it must be healthy before a trial."""


class Campaign(_Part):
    """The whole file."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    subject: Literal["valkey", "tikv"] = "valkey"
    seed: Annotated[int, Field(ge=0, lt=1 << 63)]
    trials: Annotated[int, Field(ge=1, le=1_000)] = 3
    """Of each case, target and variant."""
    limits: Limits = Limits()
    controls: Controls = Controls()
    variant: Annotated[list[Variant], Field(min_length=1)]
    case: list[Case] = []

    @model_validator(mode="after")
    def _check(self) -> Self:
        _no_doubles("variant", (one.name for one in self.variant))
        _no_doubles("case", (one.name for one in self.case))
        each = sum(len(one.targets) * (one.trials or self.trials) for one in self.case) + self.controls.trials
        total = each * len(self.variant)
        if not 1 <= total <= MAX_TRIALS:
            raise ValueError(f"it makes {total} trials; from 1 to {MAX_TRIALS} can be run")
        return self


def _no_doubles(key: str, names: Iterable[str]) -> None:
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise ValueError(f"{key}: {doubled[0]!r} is there twice")


def read_campaign(path: Path) -> tuple[Campaign, str]:
    """The campaign in a file, and its text. Raises ``NotFound``, and ``BadRequest`` with all that is wrong with it."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadRequest(f"{path} is over 1 MiB; that is no campaign")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound(f"cannot read the campaign {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is not UTF-8: byte {error.start} cannot be read") from error
    return parse_campaign(text, str(path)), text


def parse_campaign(text: str, file: str) -> Campaign:
    """The same for a text that was read already."""
    try:
        return Campaign.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadRequest(f"{file}: {error}", "mend that line; docs/evaluation.md shows every key") from error
    except ValidationError as error:
        problems = [_told(problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()]
        raise BadRequest(f"{file}: {'; '.join(problems)}", "docs/evaluation.md shows every key") from error


def _told(place: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ""
    for part in place:
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if key else part
    problem = "there is no such key" if kind == "extra_forbidden" else message.removeprefix("Value error, ")
    return f"{key}: {problem}" if key else problem
