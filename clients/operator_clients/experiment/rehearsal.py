"""``--dry-run``: what would be done, whether the daemon could do it, and how the steady state stands now."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from operator_clients.experiment.conditions import Verdict
from operator_clients.experiment.holding import Holding, broken_text, figure
from operator_clients.experiment.model import ACTIONS, Experiment
from operator_clients.experiment.outcome import Stop
from operator_clients.experiment.preflight import check_load, check_names
from operator_clients.experiment.stage import Stage
from operator_clients.experiment.steps import plan

_LOOK_S = 2.5
"""Looks come twice a second, samples once."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a dry run found."""

    experiment: Experiment
    problems: list[str]
    conditions: list[tuple[str, Verdict]]

    @property
    def ok(self) -> bool:
        """Nothing stands against running it. How the steady state is now does not count: it may be waited for."""
        return not self.problems

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "title": self.experiment.title,
            "file": self.experiment.path,
            "ok": self.ok,
            "problems": self.problems,
            "load": self.experiment.load.rate if self.experiment.load else None,
            "steady_state": [{"text": text, "holds": one.holds, "why": one.why} for text, one in self.conditions],
            "steps": [
                {"number": number, "action": ACTIONS[type(step)], "name": step.name, "plan": plan(step)}
                for number, step in enumerate(self.experiment.steps, 1)
            ],
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [f"{self.experiment.title}: nothing is changed by a dry run"]
        if self.experiment.load:
            lines.append(f"  load      {figure(self.experiment.load.rate, 'ops/s')}")
        for text, one in self.conditions:
            lines.append(f"  steady    {text}" if one.holds else f"  steady    now not: {broken_text(text, one)}")
        for number, step in enumerate(self.experiment.steps, 1):
            lines.append(f"  {number:>2}. {ACTIONS[type(step)]:<9} {plan(step)}")
        lines += [f"  problem: {problem}" for problem in self.problems]
        return [*lines, "it could be run now" if self.ok else "it cannot be run"]


def rehearse(experiment: Experiment, stage: Stage) -> Rehearsal:
    """Ask and look, for a few seconds at most."""
    problems = []
    stage.start()
    checks: tuple[Callable[[], None], ...] = (
        lambda: check_names(stage, experiment),
        lambda: check_load(stage, experiment, stage.perform("workload", {"action": "show"})),
    )
    for check in checks:
        try:
            check()
        except Stop as stop:
            problems.append(stop.reason)
    conditions: list[tuple[str, Verdict]] = []
    if experiment.steady_state is not None:
        holding = Holding(experiment.steady_state.all, 0.0)
        stage.until(lambda: holding.check(stage.world.read, stage.world.now()), _LOOK_S)
        conditions = [(one.text, verdict) for one, verdict in zip(holding.conditions, holding.verdicts, strict=True)]
    return Rehearsal(experiment, problems, conditions)
