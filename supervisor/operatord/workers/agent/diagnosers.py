"""Who answers: Claude where that is wanted and possible, and the rules whenever it does not."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from operator_protocol.models import AgentStep, Diagnosis, Scalar
from operatord.clock import Clock
from operatord.subjects.base import SubjectProbe
from operatord.tickets.dossier import Dossier
from operatord.workers.agent import steps
from operatord.workers.agent.answer.markdown import render
from operatord.workers.agent.bundle.findings import Bundle
from operatord.workers.agent.claude.failure import GaveUp, Reason
from operatord.workers.agent.redaction import without_secrets
from operatord.workers.agent.settings import KEY_VARIABLE, AgentSettings

if TYPE_CHECKING:  # more than half a second, and not wanted without a key
    from operatord.workers.agent.claude.diagnoser import Claude

_LONGEST_PAUSE_S = 900.0
_FAILED_AGAIN_S = 3_600.0
"""What was to be mended by somebody is tried again after this long."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What Claude has to say to a ticket."""

    diagnosis: Diagnosis | None
    bundle: Bundle
    reason: Reason | None = None
    """Why there is no diagnosis; None also where nobody was asked."""
    usage: dict[str, Scalar] | None = None
    retry_after_s: float | None = None
    """When it makes sense to ask again for this ticket; None if it does not."""


class Asking:
    """Asks Claude, and stays away from an API that fails: tickets must not wait for it one after the other."""

    def __init__(self, settings: AgentSettings, clock: Clock = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._claude: Claude | None = None
        self._not_before = 0.0
        self._failures = 0
        self._last: Reason | None = None

    @property
    def is_wanted(self) -> bool:
        """True where Claude is to be asked; ``auto`` is a matter of a key."""
        if self._settings.diagnoser != "auto":
            return self._settings.diagnoser == "claude"
        return bool(self._settings.key_file or os.environ.get(KEY_VARIABLE))

    async def ask(
        self, dossier: Dossier, bundle: Bundle, probe: SubjectProbe, tell: Callable[[AgentStep], None]
    ) -> Opinion:
        """Its opinion, at the latest after ``deadline_s``; never raises for anything that Claude does or does not."""
        wait_s = self._not_before - self._clock()
        if wait_s > 0 and self._last is not None:
            reason = replace(self._last, text=f"{self._last.text}; it is asked again in {wait_s:.0f} s")
            return Opinion(None, bundle, reason, retry_after_s=wait_s)
        tell(steps.thought(bundle.ticket.id, f"asking {self._settings.model}"))
        try:
            claude = await self._open()
            diagnosis, richer = await claude.diagnose(dossier, bundle, probe, tell)
        except GaveUp as error:
            return Opinion(None, bundle, error.reason, error.usage, self._failed(error.reason))
        except Exception as error:  # a defect of ours, or of the library: the ticket is answered all the same
            reason = Reason("transient", without_secrets(f"{type(error).__name__}: {error}")[:200])
            return Opinion(None, bundle, reason, None, self._failed(reason))
        self._failures, self._last = 0, None
        return Opinion(diagnosis, richer)

    async def close(self) -> None:
        """Give the connections back."""
        if self._claude is not None:
            await self._claude.close()

    async def _open(self) -> "Claude":
        if self._claude is None:
            # Half a second of imports, more on a busy host: in a thread, since the worker has to beat meanwhile.
            self._claude = await asyncio.to_thread(self._make)
        return self._claude

    def _make(self) -> "Claude":
        from operatord.workers.agent.claude.diagnoser import Claude

        return Claude(self._settings, clock=self._clock)

    def _failed(self, reason: Reason) -> float | None:
        """Note the failure; when to ask again for this ticket, if at all."""
        if reason.kind == "unfit":
            return None  # the API is well, and the same question would be answered alike
        self._failures += 1
        pause_s = min(_LONGEST_PAUSE_S, self._settings.backoff_s * 2 ** (self._failures - 1))
        if reason.kind == "spent":
            return None
        if reason.kind == "lasting":
            pause_s = _FAILED_AGAIN_S
        pause_s = max(pause_s, reason.retry_after_s or 0.0)
        self._not_before, self._last = self._clock() + pause_s, reason
        return pause_s if reason.kind == "transient" else None


def with_reason(diagnosis: Diagnosis, bundle: Bundle, opinion: Opinion, model: str) -> Diagnosis:
    """The rules' ``diagnosis`` with a word on why it is theirs."""
    if opinion.reason is None:
        return diagnosis
    remark = f"{model} was asked and did not answer: {opinion.reason.text}; this is the answer of the rules"
    told = replace(diagnosis, remarks=[remark, *diagnosis.remarks], usage=opinion.usage or diagnosis.usage)
    return replace(told, markdown=render(told, bundle.ticket))
