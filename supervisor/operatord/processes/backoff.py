"""When a worker that died is started again: a pure policy over its history.

The first restart is immediate, since a warm worker is back in milliseconds and most deaths are single. After that the
pauses grow exponentially up to a cap, with jitter so that workers that die of one cause do not return in step. A worker
that stayed ready for a while starts over. One that dies again and again within a window is given up.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """The numbers. Delays before jitter: 0, ``base_s``, ``base_s * 2``, … up to ``cap_s``."""

    base_s: float = 0.2
    cap_s: float = 10.0
    jitter: float = 0.2
    """Each delay is stretched or shortened by up to this fraction of itself."""
    stable_after_s: float = 5.0
    """Ready for this long: the next death counts as the first."""
    flap_deaths: int | None = 10
    """This many deaths within ``flap_window_s`` and it is given up; None never gives up."""
    flap_window_s: float = 60.0

    def delay_s(self, step: int, chance: float) -> float:
        """Pause before restart number ``step`` (from 0); ``chance`` in [0, 1) places it within the jitter."""
        if step == 0:
            return 0.0
        # The exponent is bounded: 2.0**1024 is an error, and long before it the cap has been reached.
        delay = min(self.cap_s, self.base_s * 2.0 ** min(step - 1, 64))
        return delay * (1 + self.jitter * (2 * chance - 1))


@dataclass(frozen=True, slots=True)
class History:
    """What the policy remembers of one worker."""

    step: int = 0
    deaths: tuple[float, ...] = ()
    """Monotonic times of the deaths that still count."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a death: wait ``delay_s``, or give up (None)."""

    delay_s: float | None
    history: History


def after_death(
    policy: BackoffPolicy, history: History, *, now: float, ready_since: float | None, chance: float
) -> Verdict:
    """Decide about a death at ``now`` of a worker that had been ready since ``ready_since`` (None: never was)."""
    step = history.step
    if ready_since is not None and now - ready_since >= policy.stable_after_s:
        step = 0
    deaths = (*(at for at in history.deaths if now - at < policy.flap_window_s), now)
    if policy.flap_deaths is not None:
        deaths = deaths[-policy.flap_deaths :]
        if len(deaths) == policy.flap_deaths:
            return Verdict(None, History())
    else:
        deaths = ()
    return Verdict(policy.delay_s(step, chance), replace(history, step=step + 1, deaths=deaths))
