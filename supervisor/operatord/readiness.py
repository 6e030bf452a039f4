"""What has to be ready before something else may start: by readiness, never by sleeping.

Names stand for anything that can become ready: a process, the first look at the cluster, the cluster being healthy.
Each is started as soon as everything it needs is ready, so what does not depend on each other starts side by side, and
one that fails takes only those along that need it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from operator_protocol.errors import BadRequest, DeadlineExceeded, OperatorError, Unavailable

Needs = Mapping[str, Iterable[str]]
"""Name to the names of what it needs."""


class Milestones:
    """What has been ready at least once in this run."""

    def __init__(self) -> None:
        self._reached: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def reach(self, name: str) -> None:
        """``name`` is ready; whoever waits for it goes on. Again is fine."""
        self._reached[name].set()

    def has(self, name: str) -> bool:
        """Whether ``name`` has been ready."""
        return self._reached[name].is_set()

    async def wait(self, name: str, timeout_s: float | None = None) -> None:
        """Return as soon as ``name`` is, or has been, ready. Raises ``DeadlineExceeded``."""
        try:
            await asyncio.wait_for(self._reached[name].wait(), timeout_s)
        except TimeoutError:
            raise DeadlineExceeded(f"{name} was not reached within {timeout_s:g} s") from None


def start_order(needs: Needs) -> list[str]:
    """The names, each after all that it needs.

    Raises ``BadRequest`` for a need that is no name, and for a cycle, naming it.
    """
    wanted = {name: tuple(others) for name, others in needs.items()}
    for name, others in wanted.items():
        for other in others:
            if other not in wanted:
                raise BadRequest(f"{name} needs {other!r}, which there is not", f"there are {', '.join(wanted)}")
    try:
        return list(TopologicalSorter(wanted).static_order())
    except CycleError as error:
        # graphlib lists a cycle from what is needed to what needs it.
        cycle = " -> ".join(reversed(error.args[1]))
        raise BadRequest(f"these wait for each other: {cycle}", "break the circle") from None


async def start_in_order(needs: Needs, start: Callable[[str], Awaitable[object]]) -> dict[str, OperatorError]:
    """Call ``start`` for each name once what it needs is ready; it returns when its name is, or raises.

    Returns those that did not become ready, with the reason: ``start``'s own error, or ``Unavailable`` for one that was
    not started because of what it needs. Any other exception than ``OperatorError`` cancels the rest and is raised.
    """
    order = start_order(needs)
    failed: dict[str, OperatorError] = {}
    settled = {name: asyncio.Event() for name in order}

    async def bring_up(name: str) -> None:
        for other in needs[name]:
            await settled[other].wait()
        missing = [other for other in needs[name] if other in failed]
        try:
            if missing:
                raise Unavailable(f"{name} was not started: it needs {', '.join(missing)}")
            await start(name)
        except OperatorError as error:
            failed[name] = error
        settled[name].set()

    try:
        async with asyncio.TaskGroup() as group:
            for name in order:
                group.create_task(bring_up(name))
    except ExceptionGroup as defects:
        raise defects.exceptions[0] from None
    return failed
