"""What a ``DEVOPS_*`` message makes of the operation that it tells of.

Shells tell of the same operation side by side, and a CI job repeats a message whose answer it did not get. So a message
that says what is known already changes nothing; a step that is completed is not set back by a ``running`` that comes
late; what is over stays over. What cannot be meant (a step that there is not, the end of what ended otherwise) is
refused with what is expected: nothing that somebody published is silently dropped.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from operator_protocol.codec import pack
from operator_protocol.coordination import MAX_ERROR_CHARS, MAX_NAME_CHARS, MAX_STEPS, MAX_TITLE_CHARS
from operator_protocol.errors import BadRequest, Conflict, NotFound
from operator_protocol.models import DevOpsActivity, DevOpsStep
from operator_protocol.records import from_body, to_body


@dataclass(frozen=True, slots=True)
class Started:
    """An operation begins."""

    activity_id: str
    operation: str
    steps: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StepUpdate:
    """A step begins or ends."""

    activity_id: str
    step: str
    status: Literal["running", "completed", "failed"]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Complete:
    """An operation succeeded."""

    activity_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """An operation failed."""

    activity_id: str
    error: str = ""


Telling: TypeAlias = Started | StepUpdate | Complete | Failed

_TELLINGS: dict[str, type[Telling]] = {
    "DEVOPS_STARTED": Started,
    "DEVOPS_STEP_UPDATE": StepUpdate,
    "DEVOPS_COMPLETE": Complete,
    "DEVOPS_FAILED": Failed,
}
_EXPECTED = {
    "DEVOPS_STARTED": '{"activity_id": "deploy-7", "operation": "Deploy web", "steps": ["pull", "apply"]}',
    "DEVOPS_STEP_UPDATE": '{"activity_id": "deploy-7", "step": "pull", "status": "running|completed|failed"}',
    "DEVOPS_COMPLETE": '{"activity_id": "deploy-7"}',
    "DEVOPS_FAILED": '{"activity_id": "deploy-7", "error": "why"}',
}


def read(kind: str, description: str) -> Telling | None:
    """What a message says of an operation; None for a type that is about something else.

    Raises ``BadRequest``, with an example of what is expected, for a description that is not the JSON of its type.
    """
    telling = _TELLINGS.get(kind)
    if telling is None:
        return None
    try:
        said: Any = json.loads(description)
    except (ValueError, RecursionError):
        raise _unreadable(kind, "is not JSON") from None
    if not isinstance(said, dict):
        raise _unreadable(kind, "is not a JSON object")
    try:
        told = from_body(telling, said)
    except BadRequest as error:
        raise _unreadable(kind, f"does not fit: {error.message.removeprefix(telling.__name__ + '.')}") from None
    try:
        pack(to_body(told))
    except ValueError:
        # JSON can spell half of a surrogate pair; kept, it would be in the way of every list and of the next start.
        raise _unreadable(kind, "has a text that is no Unicode") from None
    _check(kind, told)
    return told


def follow(activity: DevOpsActivity | None, telling: Telling, now: float) -> DevOpsActivity:
    """The operation after ``telling``; ``activity`` is what is known of it, None if nothing is.

    Raises ``NotFound`` for an operation or a step that there is not, ``Conflict`` for what contradicts its end.
    """
    if isinstance(telling, Started):
        return _start(activity, telling, now)
    if activity is None:
        raise NotFound(
            f"there is no operation {telling.activity_id!r}, or nothing was heard of it for 24 h",
            "a DEVOPS_STARTED with that activity_id begins it: operatorctl devops start OPERATION --steps A,B",
        )
    heard = replace(activity, updated_at=now)
    if isinstance(telling, StepUpdate):
        return replace(heard, steps=_update(heard, telling, now))
    return _end(heard, telling, now)


def _start(activity: DevOpsActivity | None, telling: Started, now: float) -> DevOpsActivity:
    if activity is None:
        steps = [DevOpsStep(name) for name in telling.steps]
        return DevOpsActivity(telling.activity_id, telling.operation, "in_progress", now, now, steps=steps)
    same = (activity.operation, [step.name for step in activity.steps]) == (telling.operation, telling.steps)
    if same and activity.status == "in_progress":
        return replace(activity, updated_at=now)  # told again
    over = "under way" if activity.status == "in_progress" else activity.status
    raise Conflict(
        f"the id {activity.id!r} is taken: {activity.operation!r} is {over}",
        "each run of an operation has an id of its own; without --id, operatorctl devops start makes one",
    )


def _update(activity: DevOpsActivity, telling: StepUpdate, now: float) -> list[DevOpsStep]:
    if telling.step not in (step.name for step in activity.steps):
        names = ", ".join(step.name for step in activity.steps) or "it has none"
        raise NotFound(f"operation {activity.id!r} has no step {telling.step!r}", f"its steps: {names}")
    if activity.status != "in_progress" and telling.status == "running":
        return activity.steps  # overtaken by the end: nothing of what is over runs
    return [_moved(step, telling, now) if step.name == telling.step else step for step in activity.steps]


def _moved(step: DevOpsStep, telling: StepUpdate, now: float) -> DevOpsStep:
    if telling.status == "running":
        if step.status in ("running", "completed"):
            return step  # told again, or overtaken by its end
        return DevOpsStep(step.name, "running", started_at=now)  # after a failure: it is tried again
    if telling.status == "completed":
        return step if step.status == "completed" else replace(step, status="completed", completed_at=now, error="")
    error = _cut(telling.error or step.error)
    return replace(
        step, status="failed", completed_at=step.completed_at if step.status == "failed" else now, error=error
    )


def _end(activity: DevOpsActivity, telling: Complete | Failed, now: float) -> DevOpsActivity:
    status: Literal["completed", "failed"] = "completed" if isinstance(telling, Complete) else "failed"
    if activity.status == status:
        return activity  # told again
    if activity.status != "in_progress":
        raise Conflict(
            f"operation {activity.id!r} has {activity.status} already, so it cannot have {status}",
            "look: operatorctl devops show " + activity.id,
        )
    if isinstance(telling, Failed):
        error = _cut(telling.error)
        steps = [_stopped(step, error, now) for step in activity.steps]
        return replace(activity, status=status, completed_at=now, steps=steps, error=error)
    # Who says that all is done need not have said so of each step; one that failed has failed all the same.
    steps = [
        replace(step, status="completed", completed_at=now) if step.status in ("pending", "running") else step
        for step in activity.steps
    ]
    return replace(activity, status=status, completed_at=now, steps=steps)


def _stopped(step: DevOpsStep, error: str, now: float) -> DevOpsStep:
    return replace(step, status="failed", completed_at=now, error=error) if step.status == "running" else step


def _check(kind: str, telling: Telling) -> None:
    if not telling.activity_id.strip() or len(telling.activity_id) > MAX_NAME_CHARS:
        raise _unreadable(kind, f"has no activity_id of 1 to {MAX_NAME_CHARS} characters")
    if not telling.activity_id.isprintable():
        raise _unreadable(kind, "has an activity_id that is not printable")
    if isinstance(telling, Started):
        _check_titles(kind, "operation", [telling.operation])
        _check_titles(kind, "steps", telling.steps)
        if len(telling.steps) > MAX_STEPS:
            raise _unreadable(kind, f"has {len(telling.steps)} steps, at most {MAX_STEPS} are shown")
        if len(set(telling.steps)) < len(telling.steps):
            raise _unreadable(kind, "names a step twice")


def _check_titles(kind: str, what: str, titles: Sequence[str]) -> None:
    if not all(title.strip() and len(title) <= MAX_TITLE_CHARS for title in titles):
        raise _unreadable(kind, f"has {what} that are empty or longer than {MAX_TITLE_CHARS} characters")


def _unreadable(kind: str, why: str) -> BadRequest:
    return BadRequest(f"the description of {kind} {why}", f"it is pure JSON, like {_EXPECTED[kind]}")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_ERROR_CHARS else text[: MAX_ERROR_CHARS - 1] + "…"
