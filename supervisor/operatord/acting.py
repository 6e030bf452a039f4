"""The action desk of one daemon: what it may do by the configuration, with what, and who is told."""

from collections.abc import Callable

from operatord.actions.desk import ActionDesk
from operatord.actions.load import LoadActions
from operatord.actions.pace import Pace
from operatord.actions.policy import Policy
from operatord.actions.proposing import Terms
from operatord.actions.register import Outlets
from operatord.actions.registry import Registry
from operatord.actions.switch import FILE_NAME, Switch
from operatord.loading import LoadDesk
from operatord.options import DaemonOptions
from operatord.sockets import Sockets
from operatord.subjects.base import Acting, SubjectControl


def make_action_desk(
    options: DaemonOptions,
    subject: SubjectControl,
    load: LoadDesk,
    sockets: Sockets,
    log: Callable[[str], None],
    *,
    held: Callable[[], bool],
) -> ActionDesk:
    """Not open yet. ``held`` tells whether what needs no approval waits for the story of a demo."""
    agent = options.config.agent
    executors: list[Acting] = [LoadActions(load)]
    if isinstance(subject, Acting):
        executors.insert(0, subject)
    return ActionDesk(
        Registry(executors),
        Terms(Policy(agent.autonomy, agent.execute_up_to), agent.approval_expires_s),
        Pace(agent.actions_per_minute, agent.cooldown_s),
        Switch(options.state_dir / FILE_NAME),
        Outlets(sockets.broker.publish, sockets.audit.write, log),
        state=lambda: sockets.broker.memory.state,
        held=held,
    )
