"""The agent thinking aloud: a few lines, each of which an audience can follow."""

from collections.abc import Iterator

from operator_protocol.models import AgentStep, Diagnosis, Hypothesis, StepKind
from operatord.workers.agent.bundle.findings import Bundle, Fact, one_line
from operatord.workers.agent.redaction import without_secrets
from operatord.workers.agent.rules.weighing import Verdict, cite

_MAX_CHARS = 220
_TELLING: tuple[Fact, ...] = (
    "process_ended",
    "process_started",
    "kernel_state",
    "node_down",
    "isolated",
    "leaderless",
    "quorum_lost",
    "evicting",
    "clients_unserved",
    "disk_short",
    "oom_killed",
    "stop_and_go",
    "cpu_waiting",
    "line_lossy",
    "line_narrow",
    "line_late",
    "headroom_gone",
    "disk_grown",
    "handed_over",
    "group_lost",
    "failover",
    "log_shutdown",
    "log_crash",
    "log_silent",
    "load_dipped",
    "load_steady",
    "all_clear",
)
"""What an audience should see of the evidence, in this order; the rest is in the diagnosis."""
_SHOWN = 4


def opening(ticket: int, bundle: Bundle) -> Iterator[AgentStep]:
    """What was gathered, and the items that weigh most."""
    focus = bundle.focus
    yield _step(ticket, "evidence", f"{len(bundle.findings)} items of evidence around {_who(bundle)}")
    if focus.node is not None and bundle.ticket.node != focus.node:
        where = bundle.ticket.node or "no node at all"
        yield _step(ticket, "thought", f"the ticket names {where}, but the trouble is at {focus.node}")
    ranked = sorted(
        (one for one in bundle.findings if one.fact in _TELLING), key=lambda one: (_TELLING.index(one.fact), one.id)
    )
    for one in ranked[:_SHOWN]:
        yield _step(ticket, "evidence", f"[{one.id}] {one.text}")


def weighing(ticket: int, verdict: Verdict) -> Iterator[AgentStep]:
    """What else it could have been, and why it is not."""
    if verdict.alternatives:
        names = ", ".join(rival.cause for rival in verdict.alternatives)
        yield _step(ticket, "thought", f"it could also look like this: {names}")
    for rival in verdict.alternatives:
        yield _step(ticket, "thought", f"not {rival.cause}: {rival.rejected_because} {cite(rival.evidence)}")


def closing(ticket: int, diagnosis: Diagnosis) -> Iterator[AgentStep]:
    """The answer, and what to do."""
    label = "preliminary: " if diagnosis.preliminary else ""
    yield _step(ticket, "result", f"{label}{diagnosis.cause}, {diagnosis.confidence:.0%} sure: {diagnosis.summary}")
    if diagnosis.hypotheses:
        yield _step(ticket, "thought", f"it may be {'; or '.join(map(_possible, diagnosis.hypotheses))}")
    if diagnosis.preliminary and not diagnosis.actions:
        yield _step(ticket, "result", "too early to recommend anything; looking again")
    elif diagnosis.actions:
        first = diagnosis.actions[0]
        yield _step(ticket, "result", f"recommended: {first.kind} {first.target} ({first.risk}): {first.expected}")
    else:
        yield _step(ticket, "result", "nothing to do but to watch")


def stands(first: Diagnosis, second: Diagnosis) -> bool:
    """Whether the second look came to the same as the first."""
    return (first.cause, first.component) == (second.cause, second.component)


def looked_again(ticket: int, bundle: Bundle, first: Diagnosis, second: Diagnosis) -> AgentStep:
    """What became of the first answer."""
    outcome = "it stands"
    if not stands(first, second):
        outcome = f"it is {second.cause} in {second.component}, not {first.cause} in {first.component}"
    if first.cause == "unknown" != second.cause:
        outcome = "now it can be told"
    return _step(ticket, "thought", f"looked again at {len(bundle.findings)} items around {_who(bundle)}: {outcome}")


def asked(ticket: int, subject: str, node: str | None, facts: int, took_s: float) -> AgentStep:
    """A question to the subject, answered."""
    about = f" about {node}" if node else ""
    return _step(ticket, "tool", f"asked {subject}{about}: {facts} facts in {took_s * 1000:.0f} ms")


def not_answered(ticket: int, subject: str, reason: str) -> AgentStep:
    """A question to the subject that failed; the diagnosis goes on without it."""
    return _step(ticket, "tool", f"{subject} could not be asked: {reason}")


def thought(ticket: int, text: str) -> AgentStep:
    """Something that goes through its head."""
    return _step(ticket, "thought", text)


def tool(ticket: int, text: str) -> AgentStep:
    """Something that was looked up."""
    return _step(ticket, "tool", text)


def fallen_back(ticket: int, model: str, reason: str) -> AgentStep:
    """Why the rules answer in place of the model."""
    return _step(ticket, "result", f"the rules answer, since {model} did not: {reason}")


def _possible(one: Hypothesis) -> str:
    sure = f" ({one.confidence:.0%})" if one.confidence is not None else ""
    return f"{one.cause}{sure}{f', if {one.waits_for}' if one.waits_for and one.confidence is None else ''}"


def _who(bundle: Bundle) -> str:
    focus = bundle.focus
    if focus.node is None:
        return bundle.ticket.invariant
    return (
        f"{focus.node}, {focus.role} of {focus.group}"
        if focus.role and focus.group not in (None, "", focus.role)
        else focus.node
    )


def _step(ticket: int, kind: StepKind, text: str) -> AgentStep:
    return AgentStep(ticket, kind, one_line(without_secrets(text), _MAX_CHARS))
