"""Which frames an experiment needs to see."""

from operator_clients.experiment.model import ExpectStep, Experiment, RestartStep, WaitStep
from operator_protocol import topics

_ALWAYS = ("cluster.", "workload.", "violation.", "ticket.", "fault.", "agent.diagnosis", topics.HEARTBEAT)
_STATES = "process."


def topics_of(experiment: Experiment) -> tuple[str, ...]:
    """Topics and families. The output of processes, which may be much, only if a step waits for it."""
    wanted = set(_ALWAYS)
    conditions = list(experiment.steady_state.all) if experiment.steady_state else []
    for step in experiment.steps:
        if isinstance(step, WaitStep):
            wanted.add(step.event)
        elif isinstance(step, ExpectStep):
            conditions += step.that
        elif isinstance(step, RestartStep):
            wanted.add(_STATES if step.process.startswith("$") else topics.process_state(step.process))
    for path in (path for condition in conditions for path in condition.paths if path[0] == "process"):
        # Which process ``$target`` is turns out later, so all of them are followed.
        wanted.add(_STATES if path[1].startswith("$") else topics.process_state(path[1]))
    return tuple(sorted(wanted))
