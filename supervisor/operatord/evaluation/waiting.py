"""What a trial still waits for, and what keeps a subject from being fit for the next one. Pure."""

from collections.abc import Iterator

from operator_protocol.models import WorkloadSample
from operator_protocol.state import State
from operatord.evaluation.campaign import Limits
from operatord.evaluation.recording import Recording
from operatord.evaluation.score import tickets_of

HOLDS_S = 2.0
"""A subject that is well this long has recovered; a violation must be gone for a second before it is closed."""


def awaited(recording: Recording, limits: Limits, now: float, *, agent: bool) -> str:
    """What the trial waits for at ``now``, a time of the trial; empty when nothing more can be expected.

    First a ticket for each fault, then an answer to each ticket, then whoever mends it. Whatever happens begins the
    last wait anew, but for the flapping of a subject that does not come to rest.
    """
    struck_at = recording.injected[-1].at
    missing = [one.node for one in recording.injected if not tickets_of(one, recording.tickets.values())]
    if missing and now < struck_at + limits.detect:
        return f"a ticket on {', '.join(missing)}"
    unanswered = [
        one.id for one in recording.tickets.values() if not one.settled and now < one.opened_at + limits.diagnose
    ]
    if agent and unanswered:
        return f"a diagnosis of ticket {', '.join(map(str, unanswered))}"
    if any(one.ended_at is None for one in recording.actions.values()) and now < struck_at + _longest(limits):
        return "the end of an action"
    if recording.ill_at is None:
        return ""
    if recording.well:
        return "" if now >= recording.news_at + HOLDS_S else "whether it stays well"
    said_at = max([struck_at, *(one.answers[-1].at for one in recording.tickets.values() if one.answers)])
    said_at = max([said_at, *(one.ended_at for one in recording.actions.values() if one.ended_at is not None)])
    if now < min(said_at + limits.recover, struck_at + _longest(limits)):
        return "recovery"
    return ""


def _longest(limits: Limits) -> float:
    """A trial in which tickets come and go for ever ends after this."""
    return limits.detect + limits.diagnose + limits.recover


def unfit(state: State) -> str:
    """Why no trial can begin: not healthy, something of the last one is left, or the load is not itself."""
    return next(_reasons(state), "")


def _reasons(state: State) -> Iterator[str]:
    cluster = state.cluster
    if cluster is None or cluster.ok is not True:
        yield f"the subject is not healthy: {cluster.reason if cluster is not None else 'nobody has looked yet'}"
    ill = [node.id for node in state.nodes.values() if node.state != "up"]
    if ill or not state.nodes:
        yield f"not up: {', '.join(ill) or 'no node is known'}"
    if state.faults:
        yield f"owed: {', '.join(f'{one.kind} on {one.target}' for one in state.faults.values())}"
    if state.violations:
        yield f"violated: {', '.join(one.message for one in state.violations.values())}"
    if state.tickets:
        yield f"unresolved: ticket {', '.join(map(str, state.tickets))}"
    if running := [one.kind for one in state.actions.values() if one.status != "proposed"]:
        yield f"an action is not over: {', '.join(running)}"
    yield from _load(state.workload[-1] if state.workload else None)


def _load(sample: WorkloadSample | None) -> Iterator[str]:
    if sample is None or sample.baseline is None:
        yield "the load has no baseline yet"
    elif sample.degraded:
        yield f"the load is degraded: {sample.ops_per_sec:,.0f} ops/s, usually {sample.baseline:,.0f}"
    elif sample.errors_per_sec > 0:
        yield "the load has errors"
