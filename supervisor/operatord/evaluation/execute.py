"""Runs a plan, trial after trial, through whatever can run one.

Each result is kept before the next trial begins; a run that was interrupted goes on where it stopped. Whatever goes
wrong with a trial makes it *not run*; it is never graded, and the next one gets its chance. Only what says that nothing
can be run any more (``Hopeless``) ends the run.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from operator_protocol.errors import InternalError, OperatorError, Unavailable
from operatord.clock import Clock
from operatord.evaluation.plan import Trial
from operatord.evaluation.seen import Seen, not_run


class Hopeless(Unavailable):
    """No trial can be run any more: the daemon is gone, the disk is full."""


class Runner(Protocol):
    """Runs single trials on a live subject."""

    async def run(self, trial: Trial) -> Seen:
        """One trial, from a healthy subject to a healthy subject.

        Resets the subject first, and undoes what the trial injected whatever happens, also when it is cancelled. What
        keeps the trial from being run (the subject does not become healthy, a fault is refused, the API says 429) is
        raised as an ``OperatorError``, or returned as ``seen.not_run``. Raises ``Hopeless`` if the next one would fail
        as well.
        """
        ...


class Keeper(Protocol):
    """Keeps results; ``results.Results`` does."""

    def done(self) -> set[int]:
        """The numbers of the trials that were run already."""
        ...

    def keep(self, trial: Trial, seen: Seen) -> None:
        """Keep what a trial showed."""
        ...


async def execute(
    trials: Sequence[Trial],
    runner: Runner,
    keeper: Keeper,
    log: Callable[[str], None],
    *,
    deadline_s: float,
    clock: Clock = time.monotonic,
) -> int:
    """Run those of ``trials`` that were not run yet, each within ``deadline_s``; how many could not be.

    A trial that could not be run is tried again in the next call.
    """
    failed = 0
    done = keeper.done()
    for place, trial in enumerate(trials, 1):
        if trial.number in done:
            continue
        log(f"{place}/{len(trials)} {trial.label}")
        began = clock()
        try:
            seen = await _bounded(runner, trial, deadline_s)
        except Hopeless:
            raise
        except OperatorError as error:
            seen = not_run(str(error), clock() - began)
        if seen.status == "not_run":
            failed += 1
            log(f"  not run: {seen.reason}")
        keeper.keep(trial, seen)
    return failed


async def _bounded(runner: Runner, trial: Trial, deadline_s: float) -> Seen:
    try:
        async with asyncio.timeout(deadline_s):
            return await runner.run(trial)
    except TimeoutError:
        raise Unavailable(f"not done within {deadline_s:g} s") from None
    except OperatorError:
        raise
    except Exception as error:  # a defect of the runner is not a failure of who is measured
        raise InternalError(f"{type(error).__name__}: {error}") from error
