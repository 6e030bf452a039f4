"""Follows one declared process through its incarnations and finds out when each of them is ready."""

import asyncio
import re
from collections.abc import Callable

from operator_protocol.errors import OperatorError
from operator_protocol.models import ProcessState
from operatord.declared.probes import Probe, make_probe
from operatord.declared.sections import ProcessSection
from operatord.processes.commands import ChildCommands

_SEARCHED_CHARS = 4096
"""Of each line: a careless pattern must not keep the daemon busy with a line of 64 KiB."""

MarkReady = Callable[[str, int], None]
"""Called with the name and the pid of the incarnation that is ready."""
Explain = Callable[[str, str], None]
"""Called with the name and why it is not ready yet, whenever that is something else."""


def make_watch(
    name: str, section: ProcessSection, commands: ChildCommands, *, mark_ready: MarkReady, explain: Explain
) -> "ReadinessWatch":
    """The watch of that process, as its section says."""
    ready = section.ready
    if ready is None:
        return ReadinessWatch(name, mark_ready=mark_ready, explain=explain)
    return ReadinessWatch(
        name,
        pattern=ready.log,
        probe=make_probe(section, commands),
        interval_s=ready.interval,
        mark_ready=mark_ready,
        explain=explain,
    )


class ReadinessWatch:
    """Tries ``probe``, or waits for a line that ``pattern`` is found in, while the process is ``starting``.

    Fed with every state (``see``) and every line (``said``) of that process. It has no patience of its own: the
    process table ends an incarnation that takes too long.
    """

    def __init__(
        self,
        name: str,
        *,
        pattern: str | None = None,
        probe: Probe | None = None,
        interval_s: float = 0.2,
        mark_ready: MarkReady,
        explain: Explain,
    ) -> None:
        self._name = name
        self._pattern = None if pattern is None else re.compile(pattern)
        self._probe = probe
        self._interval_s = interval_s
        self._mark_ready = mark_ready
        self._explain = explain
        self._pid: int | None = None
        self._task: asyncio.Task[None] | None = None

    def see(self, state: ProcessState) -> None:
        """The process changed, or was measured."""
        if state.state != "starting" or state.pid is None:
            self.close()
        elif state.pid != self._pid:
            self.close()
            self._pid = state.pid
            if self._pattern is not None:
                self._explain(self._name, f"no line yet that matches {self._pattern.pattern!r}")
            if self._probe is not None:
                self._task = asyncio.create_task(self._try(self._probe, state.pid))

    def said(self, line: str) -> None:
        """It printed ``line``."""
        if self._pid is not None and self._pattern is not None and self._pattern.search(line[:_SEARCHED_CHARS]):
            self._mark_ready(self._name, self._pid)

    def close(self) -> None:
        """Stop trying."""
        self._pid = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _try(self, probe: Probe, pid: int) -> None:
        said = ""
        while True:
            try:
                await probe.attempt()
            except OperatorError as error:
                if error.message != said:
                    said = error.message
                    self._explain(self._name, f"{probe.title}: {said}")
            else:
                self._mark_ready(self._name, pid)
                return
            await asyncio.sleep(self._interval_s)
