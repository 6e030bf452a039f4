"""What Claude is asked for: the structure of a diagnosis, with bounds that are enforced here.

The API holds an answer to the shape of the schema and not to its bounds (lengths, ranges), so ``read`` checks again.
What the rules write has the same structure: ``of`` casts their diagnosis into it, and a test holds every one to it.
"""

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operator_protocol.models import Diagnosis, Risk
from operatord.workers.agent.rules.causes import Cause

Line = Annotated[str, Field(min_length=1, max_length=600)]
Prose = Annotated[str, Field(min_length=1, max_length=4_000)]
Number = Annotated[int, Field(ge=1, le=100_000)]
Citations = Annotated[list[Number], Field(max_length=40)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Claim(_Part):
    """One statement, and the numbers of the items of evidence that it rests on."""

    text: Prose
    evidence: Citations


class Moment(_Part):
    """One entry of the timeline, oldest first; ``at`` is relative to the onset: ``T+1.6 s``."""

    at: Annotated[str, Field(min_length=1, max_length=40)]
    what: Line
    evidence: Citations


class Rival(_Part):
    """A cause that was considered and rejected, and the evidence that speaks against it."""

    cause: Cause
    rejected_because: Line
    evidence: Citations


class Param(_Part):
    """A parameter of an action."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    value: Annotated[str, Field(max_length=200)]


class Advice(_Part):
    """An action that is recommended; whether it is taken is decided elsewhere."""

    kind: Annotated[str, Field(min_length=1, max_length=60)]
    target: Annotated[str, Field(min_length=1, max_length=120)]
    params: Annotated[list[Param], Field(max_length=10)]
    risk: Risk
    expected: Line
    verify: Line


class DiagnosisOutput(_Part):
    """The diagnosis of one ticket."""

    summary: Annotated[str, Field(min_length=1, max_length=300)]
    component: Annotated[str, Field(min_length=1, max_length=120)]
    cause: Cause
    explanation: Annotated[list[Claim], Field(min_length=1, max_length=10)]
    timeline: Annotated[list[Moment], Field(max_length=30)]
    alternatives: Annotated[list[Rival], Field(max_length=6)]
    confidence: Annotated[float, Field(ge=0.0, le=1.0)]
    blast_radius: Claim
    actions: Annotated[list[Advice], Field(max_length=6)]
    would_change_my_mind: Prose


class Unfit(Exception):
    """An answer that is no diagnosis: cut off, not JSON, or beyond its bounds; the message says which."""


def read(text: str) -> DiagnosisOutput:
    """The answer in ``text``. Raises ``Unfit``."""
    try:
        return DiagnosisOutput.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise Unfit(f"{where}: {first['msg']}"[:200]) from error


def schema() -> str:
    """The JSON schema, as text (for the documentation and for those who write another diagnoser)."""
    return json.dumps(DiagnosisOutput.model_json_schema(), indent=2)


def of(diagnosis: Diagnosis) -> DiagnosisOutput:
    """``diagnosis`` in this structure. Raises ``pydantic.ValidationError`` for one that does not fit."""
    return DiagnosisOutput.model_validate(
        {
            "summary": diagnosis.summary,
            "component": diagnosis.component,
            "cause": diagnosis.cause,
            "explanation": [{"text": diagnosis.explanation, "evidence": diagnosis.cited}],
            "timeline": [
                {"at": entry.partition("  ")[0], "what": entry.partition("  ")[2], "evidence": []}
                for entry in diagnosis.timeline
            ],
            "alternatives": [
                {"cause": one.cause, "rejected_because": one.rejected_because, "evidence": one.evidence}
                for one in diagnosis.alternatives
            ],
            "confidence": diagnosis.confidence,
            "blast_radius": {"text": diagnosis.blast_radius, "evidence": []},
            "actions": [
                {
                    "kind": one.kind,
                    "target": one.target,
                    "params": [{"name": name, "value": str(value)} for name, value in one.params.items()],
                    "risk": one.risk,
                    "expected": one.expected,
                    "verify": one.verify,
                }
                for one in diagnosis.actions
            ],
            "would_change_my_mind": diagnosis.would_change_my_mind,
        }
    )
