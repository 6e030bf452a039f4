"""How far the agent may go by itself."""

from dataclasses import dataclass
from typing import get_args

from operator_protocol.errors import BadRequest
from operator_protocol.models import Autonomy, Risk

AUTONOMIES: tuple[Autonomy, ...] = get_args(Autonomy)
RISKS: tuple[Risk, ...] = get_args(Risk)
"""From harmless to harmful."""


@dataclass(frozen=True, slots=True)
class Policy:
    """``observe``: nothing is done. ``approve``: a person decides. ``execute``: up to a risk it is done at once."""

    autonomy: Autonomy = "approve"
    execute_up_to: Risk = "safe"

    @property
    def observes(self) -> bool:
        """True when recommendations stay recommendations."""
        return self.autonomy == "observe"

    def executes(self, risk: Risk) -> bool:
        """Whether an action of that risk is run without asking anybody."""
        return self.autonomy == "execute" and RISKS.index(risk) <= RISKS.index(self.execute_up_to)

    def __str__(self) -> str:
        return f"execute:{self.execute_up_to}" if self.autonomy == "execute" else self.autonomy


def read_policy(text: str, execute_up_to: Risk = "safe") -> Policy:
    """``observe``, ``approve``, ``execute``, or ``execute:RISK``. Raises ``BadRequest`` naming what there is."""
    mode, colon, limit = text.partition(":")
    autonomy = next((one for one in AUTONOMIES if one == mode), None)
    risk = next((one for one in RISKS if one == limit), None) if colon else execute_up_to
    if autonomy is None or risk is None or (colon and autonomy != "execute"):
        raise BadRequest(
            f"{text!r} is no autonomy", f"{', '.join(AUTONOMIES)}, or execute:RISK with one of {', '.join(RISKS)}"
        )
    return Policy(autonomy, risk)
