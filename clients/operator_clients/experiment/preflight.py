"""What can be known before anything is done: whether the daemon has what the experiment names."""

from collections.abc import Mapping
from typing import Any

from operator_clients.ctl.output import maps
from operator_clients.experiment.model import Experiment, FaultStep, LoadStep, RestartStep
from operator_clients.experiment.outcome import Stop
from operator_clients.experiment.stage import Stage
from operator_protocol.errors import UnknownCommand

_RANDOM = "random"


def check_names(stage: Stage, experiment: Experiment) -> None:
    """Kinds of faults, their parameters, targets and processes exist here. Raises ``Stop`` with all that do not."""
    problems = _faults(stage, experiment) + _processes(stage, experiment)
    if problems:
        raise Stop("refused", "; ".join(problems))


def check_load(stage: Stage, experiment: Experiment, load: Mapping[str, Any]) -> None:
    """A steady state that speaks of the load needs one."""
    steady = experiment.steady_state
    if steady is None or experiment.load is not None or load.get("running"):
        return
    about = [
        one.text for one in steady.all if any(path[0] == "workload" or path == ("baseline",) for path in one.paths)
    ]
    if about:
        raise Stop("refused", f"{about[0]!r} speaks of the load, but none runs: add a [load] with a rate, or start one")


def _faults(stage: Stage, experiment: Experiment) -> list[str]:
    steps = [(number, step) for number, step in enumerate(experiment.steps, 1) if isinstance(step, FaultStep)]
    nodes = stage.world.state.nodes
    targets = {_RANDOM, *nodes, *(node.role for node in nodes.values())}
    problems = [
        f"step {number}: there is no target {step.target!r}; there are {', '.join(sorted(targets))}"
        for number, step in steps
        if nodes and step.target and not step.target.startswith("$") and step.target not in targets
    ]
    try:
        kinds = {str(kind.get("name")): kind for kind in maps(stage.perform("faults").get("kinds"))} if steps else {}
    except UnknownCommand:
        kinds = {}  # a daemon without a catalogue says so at the injection
    for number, step in steps if kinds else []:
        kind = kinds.get(step.kind)
        if kind is None:
            problems.append(f"step {number}: no fault is called {step.kind!r}; there are {', '.join(kinds)}")
            continue
        if kind.get("missing"):
            problems.append(f"step {number}: {step.kind} cannot be injected here: {kind['missing']}")
        known = [str(param.get("name")) for param in maps(kind.get("params"))]
        problems += [
            f"step {number}: {step.kind} has no parameter {name!r}; it has {', '.join(known) or 'none'}"
            for name in step.params
            if name not in known
        ]
    return problems


def _processes(stage: Stage, experiment: Experiment) -> list[str]:
    known = stage.world.state.processes
    return [
        f"step {number}: there is no process {step.process!r}; there are {', '.join(sorted(known))}"
        for number, step in enumerate(experiment.steps, 1)
        if isinstance(step, RestartStep) and not step.process.startswith("$") and known and step.process not in known
    ]


def uses_load(experiment: Experiment) -> bool:
    """Whether the run changes the load, so that it must be put back."""
    return experiment.load is not None or any(isinstance(step, LoadStep) for step in experiment.steps)
