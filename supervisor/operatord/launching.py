"""The start of the subject: tried with the daemon, and again when somebody asks.

A start that fails does not end the daemon. Whoever attached sees the cluster as *unknown*, with what stood against it,
and may try again once that is mended; what earlier runs owe stays owed until then.
"""

import time
from collections.abc import Awaitable, Callable

from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, OperatorError, Unavailable
from operator_protocol.models import ClusterHealth
from operator_protocol.records import to_body
from operator_protocol.topics import CLUSTER_HEALTH
from operatord.subjects.base import Observation, SubjectControl

CLUSTER = "cluster"
"""What the subject as a whole is called beside the names of processes (``operatorctl restart cluster``)."""
AGAIN = f"operatorctl restart {CLUSTER}"
"""What starts it once more, as long as the daemon is up."""


class Launch:
    """Starts one subject. ``then`` is what follows as soon as it is up: workers, debts, load."""

    def __init__(
        self,
        subject: SubjectControl,
        publish: Callable[[str, Body], None],
        log: Callable[[str], None],
        *,
        then: Callable[[], Awaitable[None]],
    ) -> None:
        self._subject = subject
        self._publish = publish
        self._log = log
        self._then = then
        self._under_way = False
        self.is_up = False
        """True from the first start that succeeded."""
        self.error: OperatorError | None = None
        """Why the last start failed; None before, during and after one that did not."""

    async def first(self) -> None:
        """Start it, or see that it cannot be: that is in ``error``."""
        try:
            await self._start()
        except OperatorError as error:
            self._failed(error)

    async def again(self) -> None:
        """Start it after a start that failed, and return when it and what follows is up.

        Raises ``Conflict`` when it is up or being started, and what stands against it, typed.
        """
        if self.is_up:
            raise Conflict(f"the {CLUSTER} is up", "restart its nodes one by one, or: operatord stop")
        if self._under_way:
            raise Conflict(f"the {CLUSTER} is being started", "follow it with: operatorctl events -f")
        self._log(f"starting the {CLUSTER} again")
        try:
            await self._start()
        except OperatorError as error:
            self._failed(error)
            raise
        await self._then()

    def require_up(self, what: str) -> None:
        """Raise ``Unavailable`` unless it is up: ``what`` needs it."""
        if not self.is_up:
            reason = self.unknown().reason
            raise Unavailable(f"{what}: there is no {CLUSTER}, {reason}", f"once that is mended: {AGAIN}")

    def tick(self) -> None:
        """Say once a second that nothing is known: who attaches, or waits for it, must not have to ask."""
        if self.error is not None:
            seen = self.unknown()
            health = ClusterHealth(seen.subject, None, seen.reason, [], seen.observed_at, seen.observed_mono)
            self._publish(CLUSTER_HEALTH, to_body(health))

    def unknown(self) -> Observation:
        """What a look finds as long as there is nothing to look at."""
        reason = f"it was not started: {self.error.message}" if self.error is not None else "it is being started"
        return Observation(self._subject.name, None, reason, [], {}, time.time(), time.monotonic())

    async def _start(self) -> None:
        self._under_way, self.error = True, None
        try:
            await self._subject.start(self._log)
        except OSError as error:
            where = error.filename or "the system"
            raise Unavailable(f"{where}: {error.strerror}", "mend it, or choose other directories") from error
        finally:
            self._under_way = False
        self.is_up = True

    def _failed(self, error: OperatorError) -> None:
        self.error = error
        self._log(f"the {CLUSTER} was not started: {error.message}")
        if error.hint:
            self._log(error.hint)
        self.tick()
