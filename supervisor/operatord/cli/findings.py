"""What ``operatord doctor`` found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from operator_protocol.errors import OperatorError

Verdict = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    detail: str
    hint: str = ""


def guarded(what: str, look: Callable[[], str]) -> Finding:
    """What ``look`` says, or the error that it raises."""
    try:
        return Finding(what, "ok", look())
    except OperatorError as error:
        return Finding(what, "failed", error.message, error.hint)
