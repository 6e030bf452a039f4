"""The course of a run: check, load, steady state, steps, undo, steady state again, judgement.

Whatever happens on the way ends up in the ``Outcome``; nothing is raised. From the first injection on, every way out
leads through the rollback.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from operator_clients.experiment.holding import Holding, Watch, broken_text
from operator_clients.experiment.judging import judge_run, judge_watch
from operator_clients.experiment.model import ACTIONS, Experiment, SteadyState, Step
from operator_clients.experiment.outcome import (
    ConditionResult,
    Expectation,
    Outcome,
    Rollback,
    SteadyResult,
    StepResult,
    StepState,
    Stop,
    VerdictWord,
)
from operator_clients.experiment.preflight import check_load, check_names, uses_load
from operator_clients.experiment.rollback import roll_back
from operator_clients.experiment.stage import COMMAND_S, Stage
from operator_clients.experiment.steps import perform_step, plan
from operator_clients.format import duration
from operator_protocol.errors import DaemonUnreachable, DeadlineExceeded, OperatorError

_STEP_STATES: Mapping[VerdictWord, StepState] = {
    "failed": "failed",
    "refused": "refused",
    "timed_out": "timed_out",
    "interrupted": "cut_short",
    "terminated": "cut_short",
    "daemon_lost": "cut_short",
}


class Engine:
    """One run of one experiment."""

    def __init__(self, experiment: Experiment, stage: Stage, rescue: Callable[[], Rollback]) -> None:
        self._experiment = experiment
        self._stage = stage
        self._rescue = rescue
        self._load_before: Mapping[str, Any] | None = None
        self._ended: list[Stop] = []
        """Why the run did not go on, the first one first."""
        self._watches: list[Watch] = []
        self._began_steps = False
        self.outcome = Outcome(
            started_at=time.time(),
            steps=[
                StepResult(number, ACTIONS[type(step)], step.name, step.line, plan(step))
                for number, step in enumerate(experiment.steps, 1)
            ],
        )

    def run(self) -> Outcome:
        """From the check to the judgement."""
        stage, outcome = self._stage, self.outcome
        stage.live.plain(f"{self._experiment.title} ({self._experiment.path})")
        self._guarded(self._forth)
        stage.watches = []
        stage.deaf = True
        rollback = self._undo()
        stage.deaf = False
        if self._began_steps and not self._lost and self._went_on:
            self._guarded(self._again)
        stage.deaf = True
        if not self._lost:
            self._guarded(self._restore_load)
        outcome.rollback = rollback
        self._judge(rollback)
        stage.live.end()
        return outcome

    # the way there

    def _forth(self) -> None:
        stage, experiment = self._stage, self._experiment
        stage.doing = "looking around"
        stage.start()
        status = stage.perform("status")
        self.outcome.began = stage.began
        self.outcome.boot_id = stage.feed.follower.boot_id or ""
        self.outcome.subject, self.outcome.version = str(status.get("subject", "")), str(status.get("version", ""))
        check_names(stage, experiment)
        load = stage.perform("workload", {"action": "show"})
        check_load(stage, experiment, load)
        if uses_load(experiment):
            self._load_before = load
        self._start_load(load)
        if experiment.steady_state is not None:
            self._before(experiment.steady_state)
        self._began_steps = True
        for step, result in zip(experiment.steps, self.outcome.steps, strict=True):
            self._do(step, result)

    def _start_load(self, load: Mapping[str, Any]) -> None:
        wanted = self._experiment.load
        if wanted is None:
            return
        self._stage.doing = "starting the load"
        if not load.get("running"):
            self._stage.perform("workload", {"action": "start", "rate": wanted.rate}, deadline_s=COMMAND_S)
            self._stage.say("load", f"started at {wanted.rate:,.0f} ops/s")
        elif load.get("rate") != wanted.rate:
            self._stage.perform("workload", {"action": "rate", "rate": wanted.rate})
            self._stage.say("load", f"set to {wanted.rate:,.0f} ops/s")

    def _before(self, steady: SteadyState) -> None:
        result = self.outcome.before = self._hold(steady, steady.within_s, "steady state before the steps")
        if not result.held:
            raise Stop("failed", f"no steady state within {duration(steady.within_s)}: {_in_the_way(result)}")
        self._watches = [Watch(one) for one in steady.conditions if one.during]
        self._stage.watches = list(self._watches)

    def _hold(self, steady: SteadyState, within_s: float, what: str) -> SteadyResult:
        stage = self._stage
        holding = Holding(steady.all, steady.hold_s)
        began = stage.world.now()

        def look() -> bool:
            held = holding.check(stage.world.read, stage.world.now())
            stage.doing = f"{what}: {holding.told()}"
            return held

        held = stage.until(look, within_s)
        took_s = round(stage.world.now() - began, 3)
        pairs = zip(holding.conditions, holding.verdicts, strict=True)
        result = SteadyResult(held, took_s, tuple(ConditionResult(one.text, verdict) for one, verdict in pairs))
        stage.notes.expectations.append(
            Expectation(
                f"{what}, held for {duration(steady.hold_s)}",
                "steady_state",
                held,
                limit=within_s,
                measured=took_s if held else None,
                unit="s",
                note="" if held else _in_the_way(result),
            )
        )
        told = (
            f"{len(steady.conditions)} conditions held for {duration(steady.hold_s)}" if held else _in_the_way(result)
        )
        stage.say("steady", told, "green" if held else "red")
        return result

    def _do(self, step: Step, result: StepResult) -> None:
        stage = self._stage
        stage.doing = f"{result.action}: {result.plan}"
        result.began_s = round(stage.elapsed_s(), 3)
        judged = len(stage.notes.expectations)
        try:
            result.told = perform_step(stage, step, result.number)
            result.state = "done"
        except (Stop, OperatorError) as error:
            stop = _stop(error)
            result.state, result.told = _STEP_STATES[stop.verdict], stop.reason
            raise
        finally:
            result.took_s = round(stage.elapsed_s() - result.began_s, 3)
            if any(not one.met for one in stage.notes.expectations[judged:]) and result.state == "done":
                result.state = "failed"
            word = result.action if result.state == "done" else result.state
            stage.say(word, result.told or result.plan)

    # the way back

    def _undo(self) -> Rollback:
        stage = self._stage
        if not self._lost:
            try:
                rollback = roll_back(stage)
            except DaemonUnreachable as error:
                self._ended.append(_stop(error))
            except OperatorError as error:
                self._ended.append(_stop(error))
                return Rollback(needed=True, verified=False, message=str(error))
            else:
                if rollback.needed:
                    stage.say("rollback", rollback.message, "green" if rollback.verified else "red")
                return rollback
        rollback = self._rescue()
        stage.live.plain(rollback.message)
        if rollback.verified:
            for track in stage.record.tracks.values():
                if track.owed:
                    track.recovered = stage.world.now()
        return rollback

    def _again(self) -> None:
        steady = self._experiment.steady_state
        if steady is not None:
            # Nothing that was seen before the last undo counts.
            recovered = [track.recovered for track in self._stage.record.tracks.values() if track.recovered is not None]
            self._stage.world.acted_at = max([self._stage.world.acted_at, *recovered])
            self.outcome.after = self._hold(steady, steady.again_within_s, "steady state after the steps")

    def _restore_load(self) -> None:
        before = self._load_before
        if before is None:
            return
        stage = self._stage
        stage.doing = "putting the load back"
        now = stage.perform("workload", {"action": "show"})
        if not before.get("running"):
            if now.get("running"):
                stage.perform("workload", {"action": "stop"})
                stage.say("load", "stopped, as it was before")
        elif not now.get("running"):
            stage.perform("workload", {"action": "start", "rate": before.get("rate")}, deadline_s=COMMAND_S)
            stage.say("load", "started again, as it was before")
        elif isinstance(before.get("rate"), int | float) and now.get("rate") != before.get("rate"):
            stage.perform("workload", {"action": "rate", "rate": before["rate"]})
            stage.say("load", f"back to {before['rate']:,.0f} ops/s")

    # the end

    @property
    def _lost(self) -> bool:
        return any(stop.verdict == "daemon_lost" for stop in self._ended)

    @property
    def _went_on(self) -> bool:
        """Whether it makes sense to wait for the steady state again: nobody asked us to leave."""
        return not any(stop.verdict in ("interrupted", "terminated") for stop in self._ended)

    def _guarded(self, part: Callable[[], None]) -> None:
        try:
            part()
        except (Stop, OperatorError) as error:
            stop = _stop(error)
            self._ended.append(stop)
            # What ends the run before its first step is said by the verdict, which follows at once.
            if self._began_steps and not any(result.told == stop.reason for result in self.outcome.steps):
                self._stage.say(stop.verdict.replace("_", " "), stop.reason, "red")

    def _judge(self, rollback: Rollback) -> None:
        stage, outcome = self._stage, self.outcome
        outcome.expectations = [*stage.notes.expectations, *(judge_watch(watch) for watch in self._watches)]
        if self._began_steps:
            outcome.expectations += judge_run(self._experiment.expect, stage.record, stage.world, rollback)
        outcome.gaps = list(stage.gaps)
        outcome.took_s = round(stage.elapsed_s(), 3)
        unmet = [one for one in outcome.expectations if not one.met]
        if self._ended:
            outcome.verdict, outcome.reason = self._ended[0].verdict, self._ended[0].reason
            if outcome.verdict == "daemon_lost":
                outcome.reason += f"; {rollback.message}"
        elif unmet:
            outcome.verdict, outcome.reason = "failed", f"not as expected: {unmet[0].what} ({unmet[0].where})"


def _stop(error: Stop | OperatorError) -> Stop:
    if isinstance(error, Stop):
        return error
    if isinstance(error, DaemonUnreachable):
        return Stop("daemon_lost", str(error))
    return Stop("timed_out" if isinstance(error, DeadlineExceeded) else "refused", str(error))


def _in_the_way(result: SteadyResult) -> str:
    broken = [broken_text(one.text, one.verdict) for one in result.conditions if not one.verdict.holds]
    return "; ".join(broken) or "it did not hold long enough"
