"""Commands in flight: which a viewer sends at all, how long it waits for what they come to, and who is told."""

from collections.abc import Mapping
from typing import Any

from operator_clients.viewer.overlays.overlay import Then
from operator_clients.viewer.source import Source
from operator_protocol.errors import Conflict, OperatorError
from operator_protocol.events import Outcome
from operator_protocol.requests import unreachable

_DEADLINE_S = 60.0
_LONGER_S = {"approve": 660.0, "act": 660.0, "diagnose": 180.0, "recover": 120.0, "restart": 120.0}
"""An action waits for its turn as long as for its approval, and is then verified; a model may think for a while."""
READS = frozenset(
    {
        *("action", "actions", "activity", "devops", "export", "fault.check", "faults", "hello"),
        *("messages", "ping", "presence", "processes", "snapshot", "status", "ticket", "tickets"),
    }
)
"""Commands that change nothing; a test holds them to the daemon's own table."""


class InFlight:
    """Those that have no outcome yet."""

    def __init__(self, source: Source, start_command: str, *, readonly: bool) -> None:
        """``start_command`` is the hint where nobody can take one; ``readonly`` refuses what changes something."""
        self._source = source
        self._start_command = start_command
        self._readonly = readonly
        self._names: dict[str, str] = {}
        """By id; empty for one that nobody asked for by a key."""
        self._then: dict[str, Then] = {}

    def names(self) -> tuple[str, ...]:
        """What the footer shows as under way."""
        return tuple(filter(None, self._names.values()))

    def send(
        self, cmd: str, args: Mapping[str, Any], then: Then | None, *, joined: bool, quiet: bool
    ) -> OperatorError | None:
        """Send one without waiting; returns why it was not sent, which ``then`` is not told."""
        error = self._refusal(cmd, joined=joined)
        if error is not None:
            return error
        try:
            command_id = self._source.send(cmd, args, deadline_s=_deadline_s(cmd, args))
        except OperatorError as raised:
            return raised
        self._names[command_id] = "" if quiet else cmd
        if then is not None:
            self._then[command_id] = then
        return None

    def ended(self, outcome: Outcome) -> bool:
        """Hand ``outcome`` to whoever waits for it; false for one that the footer does not tell of."""
        quiet = self._names.pop(outcome.id, None) == ""
        if (then := self._then.pop(outcome.id, None)) is not None:
            then(outcome)
        return not quiet

    def _refusal(self, cmd: str, *, joined: bool) -> OperatorError | None:
        """Why this viewer does not even send it."""
        if self._readonly and cmd not in READS:
            return Conflict(f"read-only: {cmd} changes something", "start a viewer without --readonly")
        if not joined or self._source.status in ("stale", "lost"):
            error = unreachable(self._source.endpoint)
            return type(error)(error.message, f"start one with: {self._start_command}")
        return None


def _deadline_s(cmd: str, args: Mapping[str, Any]) -> float:
    """How long the outcome is waited for; a countdown comes on top."""
    countdown = args.get("countdown")
    return _LONGER_S.get(cmd, _DEADLINE_S) + (countdown if isinstance(countdown, int | float) else 0.0)
