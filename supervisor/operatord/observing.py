"""How the daemon looks at its subject: through the monitor worker, one fresh look at a time."""

import asyncio
import time

from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError
from operator_protocol.models import Violation
from operator_protocol.records import from_body, to_body
from operator_protocol.state import State
from operatord.bus.ingest import Ingest
from operatord.config import Config
from operatord.subjects.base import Observation, SubjectSpec

WORKER = "monitor"
_LOOK_TIMEOUT_S = 3.0


class Observer:
    """Configures the monitor and asks it to look."""

    def __init__(self, ingest: Ingest, config: Config) -> None:
        self._ingest = ingest
        self._config = config
        self._tasks: set[asyncio.Task[Observation]] = set()

    def configuration(self, spec: SubjectSpec, state: State) -> Body:
        """What a monitor needs to begin, or to go on where its predecessor was killed."""
        violations: list[Violation] = list(state.violations.values())
        return {
            "subject": to_body(spec),
            "interval_s": self._config.monitor.interval_s,
            "open_violations": [to_body(violation) for violation in violations],
        }

    async def look(self) -> Observation:
        """A look that starts after this call. One that cannot be made has ``ok`` None and says why."""
        try:
            return from_body(Observation, await self._ingest.request(WORKER, "observe", {}, timeout_s=_LOOK_TIMEOUT_S))
        except OperatorError as error:
            return Observation("", None, error.message, [], {}, time.time(), time.monotonic())

    def nudge(self) -> None:
        """Something happened: have the monitor look at once, without waiting for it."""
        if self._ingest.is_connected(WORKER):
            task = asyncio.create_task(self.look())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up the looks under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
