"""DevOps activity: what the daemon keeps of the operations on the platform, for the panel and the banner.

Nothing is kept here: what is shown is what the daemon has, or 503. Who ask at the same time share an answer.
"""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from operator_clients.web.answers import answer
from operator_clients.web.daemons import Daemon, Daemons
from operator_clients.web.encoding import iso
from operator_clients.web.errors import ApiError, responses
from operator_clients.web.sharing import Shared
from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, DeadlineExceeded
from operator_protocol.models import DevOpsActivity, DevOpsStep
from operator_protocol.records import from_body

_DEADLINE_S = 2.0
"""The daemon answers within milliseconds; one that does not within this time is as good as down."""
_Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
DaemonName = Annotated[
    str | None, Query(alias="daemon", max_length=64, description="Which daemon; the first if left out.")
]
Limit = Annotated[int, Query(ge=1, le=100, description="How many of the last operations.")]


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class StepDocument(_Answer):
    """A step of an operation."""

    name: str
    status: Literal["pending", "running", "completed", "failed"]
    started_at: _Moment | None
    completed_at: _Moment | None
    duration_seconds: float | None = Field(description="Null before it is over, and if nobody said when it began.")
    error: str | None = Field(description="Why it failed.")


class ActivityDocument(_Answer):
    """An operation on the platform."""

    id: str
    operation: str
    status: Literal["in_progress", "completed", "failed"]
    started_at: _Moment
    updated_at: _Moment = Field(description="When something was last heard of it.")
    completed_at: _Moment | None
    duration_seconds: float | None = Field(description="Null while it is under way.")
    error: str | None = Field(description="Why it failed.")
    steps: list[StepDocument]


class ActivityAnswer(_Answer):
    """``GET /api/devops/activity``."""

    current: ActivityDocument | None = Field(description="Of those under way the one that began last.")
    recent: list[ActivityDocument] = Field(description="The others of the last 24 hours, newest first.")
    stale: bool
    age_seconds: float
    source: Literal["live"]


def devops_router(daemons: Daemons) -> APIRouter:
    """The routes that read the operations."""
    router = APIRouter(prefix="/api/devops", tags=["devops"], responses=responses(404, 422, 502, 503))
    asked: dict[tuple[str, int], Shared[dict[str, Any]]] = {}

    def ask(name: str | None, limit: int) -> Shared[dict[str, Any]]:
        chosen = daemons.choose(name)
        return asked.setdefault((chosen.name, limit), Shared(partial(_ask, chosen, limit)))

    @router.get("/activity", response_model=ActivityAnswer)
    async def activity(daemon: DaemonName = None, limit: Limit = 10) -> Response:
        """The operation under way and the last ones: at most 24 hours old, with steps, errors and durations."""
        told = await ask(daemon, limit).get()
        return answer({**told, "stale": False, "ageSeconds": 0.0, "source": "live"})

    @router.get("/activity/current", response_model=ActivityDocument | None)
    async def current(daemon: DaemonName = None) -> Response:
        """The operation under way, or null."""
        return answer((await ask(daemon, 1).get())["current"])

    return router


async def _ask(daemon: Daemon, limit: int) -> dict[str, Any]:
    try:
        told = await daemon.perform("devops", {"limit": limit}, deadline_s=_DEADLINE_S)
    except DeadlineExceeded as error:
        raise ApiError(503, "daemon_unreachable", error.message, "it is busy or stopped; try again") from error
    try:
        return {
            "current": None if told.get("current") is None else _activity(told["current"]),
            "recent": [_activity(one) for one in told.get("recent") or []],
        }
    except (BadRequest, TypeError) as error:
        raise ApiError(
            502,
            "bad_answer",
            f"the daemon's answer cannot be read: {error}",
            "it may be of another version: see /api/daemons",
        ) from error


def _activity(body: Body) -> dict[str, Any]:
    one = from_body(DevOpsActivity, body)
    return {
        "id": one.id,
        "operation": one.operation,
        "status": one.status,
        "startedAt": iso(one.started_at),
        "updatedAt": iso(one.updated_at),
        "completedAt": _moment(one.completed_at),
        "durationSeconds": _took(one.started_at, one.completed_at),
        "error": one.error or None,
        "steps": [_step(step) for step in one.steps],
    }


def _step(step: DevOpsStep) -> dict[str, Any]:
    return {
        "name": step.name,
        "status": step.status,
        "startedAt": _moment(step.started_at),
        "completedAt": _moment(step.completed_at),
        "durationSeconds": _took(step.started_at, step.completed_at),
        "error": step.error or None,
    }


def _moment(at_s: float | None) -> str | None:
    return None if at_s is None else iso(at_s)


def _took(began_s: float | None, ended_s: float | None) -> float | None:
    """Clocks may be set back while something runs."""
    return None if began_s is None or ended_s is None else round(max(0.0, ended_s - began_s), 3)
