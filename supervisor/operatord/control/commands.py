"""All commands of the ``control`` socket."""

from typing import Any

from operatord.control import actions, coordination, faults, looking, processes, story, tickets, workload
from operatord.control.registry import Command

COMMANDS: tuple[Command[Any], ...] = (
    *looking.COMMANDS,
    *processes.COMMANDS,
    *faults.COMMANDS,
    *story.COMMANDS,
    *tickets.COMMANDS,
    *actions.COMMANDS,
    *workload.COMMANDS,
    *coordination.COMMANDS,
)
