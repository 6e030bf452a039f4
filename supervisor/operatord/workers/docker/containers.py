"""What is known of the containers of a project, from one look and the events since."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"

EVENTS = ("create", "start", "die", "pause", "unpause", "oom", "destroy", "health_status")
"""Kinds of events that are asked for: every health check makes three more, of no interest."""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container of the project, by its service."""

    service: str
    name: str
    id: str
    state: str
    """As Docker has it: created, running, paused, restarting, exited, removing, dead; and ``missing`` once removed."""
    exit_code: int | None = None
    """Of the last end; 137 is SIGKILL."""
    oom_killed: bool = False
    since_at: float = 0.0
    """When this state began, wall clock, seconds; 0 where it is not known."""
    health: str = ""
    """starting, healthy or unhealthy; empty where there is no check."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a container."""

    service: str
    name: str
    id: str
    action: str
    """``health_status: healthy`` and the like are one word here, with ``value``."""
    at: float
    """Wall clock of the engine, seconds."""
    value: str = ""
    exit_code: int | None = None


def parse_event(line: Mapping[str, Any]) -> Event | None:
    """From a line of ``docker events --format '{{json .}}'``; None when it tells of no container of a service."""
    actor = line.get("Actor")
    attributes = actor.get("Attributes") if isinstance(actor, dict) else None
    if line.get("Type") != "container" or not isinstance(attributes, dict) or SERVICE_LABEL not in attributes:
        return None
    action, _, value = str(line.get("Action", "")).partition(": ")
    code = str(attributes.get("exitCode", ""))
    return Event(
        service=str(attributes[SERVICE_LABEL]),
        name=str(attributes.get("name", "")),
        id=str(actor.get("ID", "")) if isinstance(actor, dict) else "",
        action=action,
        at=int(line.get("timeNano") or 0) / 1e9,
        value=value,
        exit_code=int(code) if code.isdigit() else None,
    )


class Containers:
    """By service. ``tell`` with an event or ``see`` with a look; ``states`` is what is known then."""

    def __init__(self) -> None:
        self._states: dict[str, ContainerState] = {}
        self._looked_at = 0.0

    @property
    def states(self) -> Mapping[str, ContainerState]:
        """What is known, by service."""
        return self._states

    def see(self, found: Iterable[ContainerState], looked_at: float) -> None:
        """All there is, as of a look that began at ``looked_at`` (wall clock). What is gone is ``missing``."""
        before, self._looked_at = self._states, looked_at
        self._states = {one.service: one for one in found}
        for service, state in before.items():
            if service not in self._states:
                since_at = state.since_at if state.state == "missing" else looked_at
                self._states[service] = replace(state, state="missing", since_at=since_at, health="")

    def forget(self) -> None:
        """The engine does not answer: nothing is known any more."""
        self._states = {}
        self._looked_at = 0.0

    def tell(self, event: Event) -> bool:
        """True when something is different now. What the last look must have seen already changes nothing."""
        if event.at < self._looked_at:
            return False
        before = self._states.get(event.service)
        if before is None or before.id != event.id:
            if event.action not in {"create", "start"}:
                return False  # of a container that was replaced
            before = ContainerState(event.service, event.name, event.id, "created", since_at=event.at)
        after = _after(before, event)
        changed = after != self._states.get(event.service)
        self._states[event.service] = after
        return changed


def _after(state: ContainerState, event: Event) -> ContainerState:
    match event.action:
        case "start":
            return replace(state, state="running", exit_code=None, oom_killed=False, since_at=event.at, health="")
        case "unpause":
            return replace(state, state="running", since_at=event.at)
        case "pause":
            return replace(state, state="paused", since_at=event.at)
        case "die":
            return replace(state, state="exited", exit_code=event.exit_code, since_at=event.at, health="")
        case "oom":
            return replace(state, oom_killed=True)
        case "destroy":
            return replace(state, state="missing", since_at=event.at, health="")
        case "health_status":
            return replace(state, health=event.value)
        case _:
            return state
