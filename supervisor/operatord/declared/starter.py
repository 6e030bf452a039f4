"""What the daemon does with declared processes: start each when what it depends on is ready, stop them in reverse.

A dependency counts once it has been ready since the daemon started: nothing is stopped or restarted because something
else was. The same holds for the parts of the daemon that a process may wait for (``naming.BUILT_IN``).
"""

import asyncio
from collections.abc import Callable, Mapping

from operator_protocol.errors import OperatorError
from operator_protocol.models import ProcessState
from operatord.declared.sections import ProcessSection
from operatord.declared.specs import to_spec
from operatord.declared.watch import ReadinessWatch, make_watch
from operatord.processes.commands import ChildCommands
from operatord.processes.table import ProcessTable
from operatord.readiness import Milestones

_KILL_S = 1.0
"""For what does not obey its stop signal, on top of its own time."""
_LONGEST_STOP_S = 40.0
"""The keeper gives the whole daemon a minute."""


class DeclaredProcesses:
    """The declared processes of one daemon, on top of its process table."""

    def __init__(
        self,
        sections: Mapping[str, ProcessSection],
        table: ProcessTable,
        commands: ChildCommands,
        *,
        log: Callable[[str], None],
    ) -> None:
        self._sections = sections
        self._table = table
        self._commands = commands
        self._log = log
        self._milestones = Milestones()
        """Of this part alone: a process may have the name of a milestone of the daemon's."""
        self._watches: dict[str, ReadinessWatch] = {}
        self._starts: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Add them to the table, which runs, and start each as soon as it may; does not wait for that."""
        for name, section in self._sections.items():
            self._table.add_process(to_spec(name, section))
            self._watches[name] = make_watch(
                name,
                section,
                self._commands,
                mark_ready=self._table.mark_ready,
                explain=self._table.explain,
            )
        for name in self._sections:
            self._starts[name] = asyncio.create_task(self._start(name))

    def reached(self, milestone: str) -> None:
        """``milestone`` (the name of a process, or ``cluster``) is ready; whoever waits for it goes on."""
        self._milestones.reach(milestone)

    def see(self, state: ProcessState) -> None:
        """Some process, declared or not, has changed."""
        if state.state == "ready":
            self.reached(state.name)
        if state.name in self._watches:
            self._watches[state.name].see(state)

    def said(self, name: str, line: str) -> None:
        """Some process, declared or not, printed ``line``."""
        if name in self._watches:
            self._watches[name].said(line)

    def take_over(self, name: str) -> None:
        """A person starts or stops it: it waits for nothing any more. For any name."""
        waiting = self._starts.pop(name, None)
        if waiting is not None:
            waiting.cancel()
            self._table.explain(name, "")

    @property
    def stop_budget_s(self) -> float:
        """How long ``stop`` may take when nobody obeys."""
        slowest = max((self._chain_s(name) for name in self._sections), default=0.0)
        return min(_LONGEST_STOP_S, slowest)

    async def stop(self) -> None:
        """Stop them all, each after those that depend on it."""
        for name in list(self._starts):
            self.take_over(name)
        stops: dict[str, asyncio.Task[None]] = {}
        for name in self._watches:
            stops[name] = asyncio.create_task(self._stop(name, stops))
        await asyncio.gather(*stops.values())
        for watch in self._watches.values():
            watch.close()

    async def _start(self, name: str) -> None:
        section = self._sections[name]
        while missing := [other for other in section.depends_on if not self._milestones.has(other)]:
            self._table.explain(name, f"waits for {', '.join(missing)}")
            await self._milestones.wait(missing[0])
        self._starts.pop(name, None)
        try:
            await self._table.start_worker(name)
        except OperatorError as error:
            self._log(f"{name}: {error.message}")

    async def _stop(self, name: str, stops: Mapping[str, "asyncio.Task[None]"]) -> None:
        dependents = [task for other, task in stops.items() if name in self._sections[other].depends_on]
        if dependents:
            await asyncio.wait(dependents)
        await self._table.stop(name)

    def _chain_s(self, name: str) -> float:
        """The stop of ``name`` and, one after the other, of what it depends on."""
        section = self._sections[name]
        below = max((self._chain_s(other) for other in section.depends_on if other in self._sections), default=0.0)
        return section.stop_timeout + _KILL_S + below
