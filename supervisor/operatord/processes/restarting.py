"""What follows when a supervised process has ended: nothing, another start, or giving up. Pure policy.

How soon, and how often in a row, is ``backoff``'s; here stands which ends are failures and which failures are worth
another try. A worker is always wanted. What is exec'd says so itself (``ProcessSpec``). A subject's server has no rule:
its death is an event, and somebody else's business.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from operatord.processes.backoff import BackoffPolicy, History, after_death
from operatord.processes.lifecycle import Event
from operatord.processes.reaper import ExitStatus
from operatord.processes.spec import EX_CONFIG, Restart


@dataclass(frozen=True, slots=True)
class RestartRule:
    """When a process is started again."""

    restart: Restart = "always"
    success_codes: tuple[int, ...] = (0,)
    no_restart_codes: tuple[int, ...] = (EX_CONFIG,)
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)


class Decision(NamedTuple):
    """What happens to the process now."""

    event: Event
    reason: str
    history: History
    delay_s: float | None = None
    """Pause before the next try, with ``DIED`` only."""


def after_end(
    rule: RestartRule | None,
    ended: ExitStatus | None,
    history: History,
    *,
    reason: str,
    now: float,
    ready_since: float | None,
    chance: float,
) -> Decision:
    """Decide about a process that ended as ``ended`` says, or could not be started (None), for ``reason``."""
    if rule is None:
        return Decision(Event.DIED_FOR_GOOD, reason, history)
    code = None if ended is None else ended.code
    if code is not None and code in rule.no_restart_codes:
        return Decision(Event.DIED_FOR_GOOD, f"{reason}, which another start would not change", history)
    succeeded = code is not None and code in rule.success_codes
    if succeeded and rule.restart != "always":
        return Decision(Event.ENDED, reason, history)
    if rule.restart == "never":
        return Decision(Event.DIED_FOR_GOOD, f"{reason}; it is not to be started again", history)
    verdict = after_death(rule.backoff, history, now=now, ready_since=ready_since, chance=chance)
    if verdict.delay_s is None:
        given_up = f"{reason}; given up after {rule.backoff.flap_deaths} deaths"
        return Decision(Event.DIED_FOR_GOOD, given_up, verdict.history)
    return Decision(Event.DIED, reason, verdict.history, verdict.delay_s)
