"""Whether the agent may act at all, and how far: the mode it was started in, and the kill switch."""

from operator_protocol.errors import Conflict
from operator_protocol.models import AgentState
from operator_protocol.records import to_body
from operator_protocol.topics import AGENT_SWITCH
from operatord.actions.pace import Pace
from operatord.actions.proposing import Terms
from operatord.actions.register import Outlets
from operatord.actions.switch import Switch


class Authority:
    """Tells of each change of the switch, by a command or by hand."""

    def __init__(self, terms: Terms, pace: Pace, switch: Switch, outlets: Outlets) -> None:
        self._terms = terms
        self._pace = pace
        self._switch = switch
        self._outlets = outlets
        self._was_off = False

    @property
    def off(self) -> bool:
        """Whether the switch says that nothing may be done."""
        return self._switch.off

    @property
    def executes(self) -> bool:
        """Whether something may be done without asking anybody."""
        return self._terms.policy.autonomy == "execute" and not self._switch.off

    def state(self) -> AgentState:
        """For everybody to see."""
        return AgentState(
            on=not self._switch.off,
            autonomy=self._terms.policy.autonomy,
            execute_up_to=self._terms.policy.execute_up_to,
            off_reason=self._switch.reason,
            approval_expires=self._terms.expires_s,
            actions_per_minute=self._pace.per_minute,
            cooldown=self._pace.cooldown_s,
        )

    def require(self) -> None:
        """Raise ``Conflict`` where nothing may be approved or executed."""
        self._switch.require_on()
        if self._terms.policy.observes:
            raise Conflict(
                "the agent only observes: actions are recommended, none is approved or executed",
                "start with: operatord start --autonomy approve",
            )

    def begin(self) -> None:
        """Tell how it stands at the start."""
        self._was_off = self._switch.off
        self._tell()
        if self._was_off:
            self._log_off()

    def turn_off(self, by: str, why: str) -> None:
        """Throw the switch. Raises ``Unavailable`` when it cannot be thrown."""
        was_off = self._switch.off
        self._switch.turn_off(by, why)
        if not was_off:
            self._switched(off=True, by=by, why=why)

    def turn_on(self, by: str) -> bool:
        """Whether it was off until now. Raises ``Unavailable`` when the file cannot be removed."""
        was_off = self._switch.off
        self._switch.turn_on()
        if was_off:
            self._switched(off=False, by=by, why="")
        return was_off

    def noticed(self, *, off: bool) -> bool:
        """Somebody has just looked: tell if it was switched by hand; whether it is on again since the last look."""
        if off == self._was_off:
            return False
        self._switched(off=off, by="", why=self._switch.reason)
        return not off

    def _switched(self, *, off: bool, by: str, why: str) -> None:
        self._was_off = off
        self._tell()
        self._outlets.audit({"event": "agent", "what": "off" if off else "on", "actor": by, "why": why})
        if off:
            self._log_off()
        else:
            self._outlets.log("the agent is on again")

    def _tell(self) -> None:
        self._outlets.publish(AGENT_SWITCH, to_body(self.state()))

    def _log_off(self) -> None:
        self._outlets.log(f"the agent is off ({self._switch.reason}): no action is taken")
