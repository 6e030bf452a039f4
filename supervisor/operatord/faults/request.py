"""What was asked for: checked against the catalogue before anything is looked at or announced."""

from collections.abc import Mapping
from dataclasses import dataclass

from operator_protocol.errors import BadRequest, NotFound, Unavailable
from operator_protocol.models import FaultKind, Scalar
from operatord.durations import require_seconds
from operatord.faults.params import complete

_MAX_COUNTDOWN_S = 3600.0
_MAX_FOR_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Request:
    """A fault that somebody wants; ``target`` may still be a role, or ``random``."""

    kind: str
    target: str
    countdown_s: float
    for_s: float | None
    force: bool
    params: Mapping[str, Scalar]
    """All of the kind, with the defaults filled in, and ``for_s`` when it was given."""


def read(
    catalogue: Mapping[str, FaultKind],
    kind: str,
    target: str,
    *,
    countdown_s: float,
    for_s: float | None,
    force: bool,
    params: Mapping[str, Scalar],
) -> Request:
    """The request. Raises ``BadRequest`` for times or parameters that make no sense, ``NotFound`` for a kind that the
    subject does not have, ``Unavailable`` for one that this host or this daemon lacks something for."""
    times = _check_times(countdown_s, for_s)
    entry = catalogue.get(kind)
    if entry is None:
        raise NotFound(f"no fault is called {kind!r}", f"there are {', '.join(catalogue)}")
    whole = complete(entry, params)
    if entry.missing:
        raise Unavailable(f"{kind} cannot be injected here: {entry.missing}", "see: operatorctl faults")
    return Request(kind, target, countdown_s, for_s, force, {**whole, **times})


def _check_times(countdown_s: float, for_s: float | None) -> dict[str, Scalar]:
    if require_seconds(countdown_s, "countdown") > _MAX_COUNTDOWN_S:
        raise BadRequest(f"countdown: over {_MAX_COUNTDOWN_S:g} s is longer than anybody waits", "give less")
    if for_s is None:
        return {}
    if require_seconds(for_s, "for") == 0:
        raise BadRequest("for: a fault of no duration is none", "leave it out, or give it at least a second")
    if for_s > _MAX_FOR_S:
        raise BadRequest(f"for: over {_MAX_FOR_S:g} s is for good", "leave it out, and recover the fault by hand")
    return {"for_s": for_s}
