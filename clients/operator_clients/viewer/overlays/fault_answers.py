"""What the daemon would answer to a fault, node by node, before it is asked for."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from operator_clients.format import clean
from operator_clients.viewer.overlays.overlay import Ask
from operator_protocol.errors import BadRequest, DaemonUnreachable, OperatorError, UnknownCommand
from operator_protocol.events import Outcome
from operator_protocol.models import FaultAnswer, Node
from operator_protocol.records import from_body

RANDOM = "random"
"""As a target: any node of the role that the subject breaks by default."""
_CHECK = "fault.check"


class Verdict(NamedTuple):
    """The answer for one target."""

    allowed: bool | None
    """None: it is not known."""
    text: str
    hint: str = ""


class FaultAnswers:
    """The newest answers of the guard rails, and of what the kind itself checks on the host."""

    def __init__(self, look: Ask) -> None:
        self.default_role = ""
        """Of a random target; empty until the daemon has said it."""
        self._look = look
        self._answers: dict[str, FaultAnswer] = {}
        self._problem: Verdict | None = None
        self._asked = 0

    def ask(self, kind: str, params: Mapping[str, str], *, force: bool) -> None:
        """Ask anew; until the answer is there, what is known stays."""
        self._asked += 1
        number = self._asked

        def then(outcome: Outcome) -> None:
            if number == self._asked:
                self._take(outcome)

        self._look(_CHECK, {"kind": kind, "target": None, "force": force, "params": dict(params)}, then)

    def about(self, target: str, nodes: Iterable[Node]) -> Verdict:
        """The answer for a node, a role or ``random``."""
        if self._problem is not None:
            return self._problem
        if target in self._answers:
            return _verdict(self._answers[target])
        if not self._answers:
            return Verdict(None, "asking the guard rails…")
        role = self.default_role if target == RANDOM else target
        found = [self._answers[one.id] for one in nodes if one.role == role and one.id in self._answers]
        if not found:
            return Verdict(None, f"nothing is known of {clean(target)}")
        allowed = [clean(one.target) for one in found if one.allowed]
        if allowed:
            return Verdict(
                True, f"allowed: one of {', '.join(allowed)}" if len(allowed) > 1 else f"allowed: {allowed[0]}"
            )
        return _verdict(found[0])

    def random_targets(self, nodes: Iterable[Node]) -> list[str]:
        """``random``, then the roles that it does not stand for anyway."""
        return [RANDOM, *sorted({one.role for one in nodes} - {self.default_role})]

    def _take(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._problem = _problem(outcome.error)
            return
        result = outcome.result or {}
        self._problem = None
        self.default_role = str(result.get("default_role") or self.default_role)
        self._answers = {}
        for body in result.get("answers") or []:
            try:
                answer = from_body(FaultAnswer, body)
            except BadRequest:
                continue
            self._answers[answer.target] = answer


def _verdict(answer: FaultAnswer) -> Verdict:
    if answer.allowed:
        return Verdict(True, f"allowed on {clean(answer.target)}")
    return Verdict(False, clean(answer.reason), clean(answer.hint))


def _problem(error: OperatorError) -> Verdict:
    if isinstance(error, UnknownCommand):
        return Verdict(None, "this daemon does not say beforehand: the guard rails answer when the fault is asked for")
    if isinstance(error, DaemonUnreachable):
        return Verdict(None, clean(error.message))
    return Verdict(False, clean(error.message), clean(error.hint))
