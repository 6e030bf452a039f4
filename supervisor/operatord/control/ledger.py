"""What the audit log is told of commands, and the daemon's own log of those that change something.

A command that changes something has two records, ``begun`` and how it ended, so that one is there even if the daemon
dies of it. What only reads has one, and is counted after the first of its kind in a minute; likewise what is refused.
"""

from collections.abc import Callable, Mapping
from typing import Any

from operator_protocol.errors import OperatorError, UnknownCommand
from operatord.audit import AuditLog, plain
from operatord.control.access import Caller

BEGUN = "begun"
OK = "ok"


class Ledger:
    """Writes down who asked for what, and what became of it."""

    def __init__(self, log: Callable[[str], None], audit: AuditLog | None = None) -> None:
        self._log = log
        self._audit = audit

    def begun(self, caller: Caller, command_id: str, cmd: str, args: Mapping[str, Any]) -> None:
        """A command that changes something is about to run."""
        shown = plain(args)
        self._log(f"command {cmd} {shown} from {caller}")
        if self._audit is not None:
            self._audit.write(_record(caller, command_id, cmd, shown, BEGUN))

    def ended(self, caller: Caller, command_id: str, cmd: str, args: Mapping[str, Any], outcome: str) -> None:
        """How it ended: ``ok`` or the code of its error."""
        if self._audit is not None:
            self._audit.write(_record(caller, command_id, cmd, plain(args), outcome))

    def read(self, caller: Caller, command_id: str, cmd: str, args: Mapping[str, Any], outcome: str) -> None:
        """A command that changes nothing was answered, or one that was not even begun."""
        # A name that is none is anything at all: those are of one kind.
        kind = (caller.group, None if outcome == UnknownCommand.code else cmd, outcome)
        if self._audit is not None and not self._audit.again(kind):
            self._audit.write_first(kind, _record(caller, command_id, cmd, plain(args), outcome))

    def refused(self, caller: Caller, command_id: str, cmd: str, args: Mapping[str, Any], error: OperatorError) -> None:
        """Its sender may not send this."""
        record = _record(caller, command_id, cmd, plain(args), error.code) | {"reason": error.message}
        kind = (caller.group, cmd if caller.rights == "read" else None, error.code)
        if self._audit is None or self._audit.write_first(kind, record):
            self._log(f"refused {cmd} from {caller}: {error.message}")

    def malformed(self, caller: Caller, error: OperatorError) -> None:
        """A message that is no command."""
        if self._audit is not None and not self._audit.again(kind := (caller.group, None, error.code)):
            record = _record(caller, None, None, None, error.code) | {"reason": error.message}
            self._audit.write_first(kind, record)


def _record(caller: Caller, command_id: str | None, cmd: str | None, args: object, outcome: str) -> dict[str, object]:
    return {
        "event": "command",
        "actor": caller.actor,
        "declared": not caller.key,
        "peer": caller.where,
        "key": caller.key or None,
        "id": command_id,
        "cmd": cmd,
        "args": args,
        "outcome": outcome,
    }
