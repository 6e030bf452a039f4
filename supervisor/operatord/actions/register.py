"""Actions that are not over yet, and the one place where an action changes.

Each change is written to the store, published, put into the audit log and noted on the ticket: who, what, why, result.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from operator_protocol import topics
from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError
from operator_protocol.models import Action
from operator_protocol.records import to_body
from operatord.actions.store import ActionStore
from operatord.clock import Clock
from operatord.tickets.desk import TicketDesk

_TOPICS = {
    "proposed": topics.ACTION_PROPOSED,
    "approved": topics.ACTION_APPROVED,
    "rejected": topics.ACTION_REJECTED,
    "expired": topics.ACTION_EXPIRED,
    "running": topics.ACTION_STARTED,
    "succeeded": topics.ACTION_FINISHED,
    "failed": topics.ACTION_FINISHED,
}
_OVER = ("rejected", "expired", "succeeded", "failed")


@dataclass(frozen=True, slots=True)
class Outlets:
    """Who is told of each change."""

    publish: Callable[[str, Body], None]
    audit: Callable[[Mapping[str, object]], None]
    log: Callable[[str], None]


@dataclass(slots=True)
class Entry:
    """One action that is not over; ``action`` is how it stands."""

    action: Action
    due_mono: float
    """When it is dropped, unless it runs."""
    by_policy: bool = False
    """Approved without asking anybody."""
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Register:
    """Entries by the number of their action."""

    def __init__(self, store: ActionStore, tickets: TicketDesk, outlets: Outlets, wall: Clock) -> None:
        self._store = store
        self._tickets = tickets
        self._publish, self._audit, self._log = outlets.publish, outlets.audit, outlets.log
        self._wall = wall
        self._entries: dict[int, Entry] = {}

    def add(self, action: Action, due_mono: float) -> Entry:
        """A proposal. Raises ``Unavailable`` when it cannot be written."""
        numbered = self._store.add(action)
        entry = self._entries[numbered.id] = Entry(numbered, due_mono)
        self._record(numbered, numbered.proposed_by, numbered.reason)
        self._tell(numbered, numbered.proposed_by)
        return entry

    def all(self) -> list[Entry]:
        """All of them, oldest first."""
        return list(self._entries.values())

    def find(self, number: int) -> Entry | None:
        """The one of that number, if it is not over."""
        return self._entries.get(number)

    def pending(self, kind: str, target: str) -> Entry | None:
        """There is at most one of each kind and target."""
        return next((one for one in self.all() if (one.action.kind, one.action.target) == (kind, target)), None)

    def begin(self, entry: Entry) -> None:
        """It runs from now on. Raises ``Unavailable`` when that cannot be written: then it must not be done."""
        running = replace(entry.action, status="running", started_at=self._wall(), expires_at=None)
        self._store.save(running)
        entry.action = running
        self._record(running, running.decided_by, running.reason)
        self._tell(running, running.decided_by)

    def become(self, entry: Entry, action: Action, *, by: str, why: str = "") -> None:
        """Any other change. What cannot be written is said, and holds all the same: nothing is done because of it."""
        entry.action = action
        # A daemon that is killed in between has told of it twice in the end, and not never.
        self._record(action, by, why)
        try:
            self._store.save(action)
        except OperatorError as error:
            self._log(str(error))
        if action.status in _OVER:
            self._entries.pop(action.id, None)
        self._tell(action, by)
        if action.status in _OVER:
            entry.over.set()

    def _record(self, action: Action, by: str, why: str) -> None:
        self._audit(
            {
                "event": "action",
                "what": action.status,
                "action": action.id,
                "kind": action.kind,
                "target": action.target,
                "params": dict(action.params),
                "risk": action.risk,
                "ticket": action.ticket,
                "actor": by,
                "why": why,
                "result": action.result,
            }
        )

    def _tell(self, action: Action, by: str) -> None:
        self._publish(_TOPICS[action.status], to_body(action))
        self._log(
            f"{describe(action)} {action.status}, by {by or 'nobody'}" + (f": {action.result}" * bool(action.result))
        )
        if action.ticket is not None:
            self._note(action.ticket, action, by)

    def _note(self, number: int, action: Action, by: str) -> None:
        try:
            self._tickets.say(number, "action", to_body(action), who=by)
            if action.status == "running":
                self._tickets.begin_action(number, who=by)
            elif action.status in ("succeeded", "failed"):
                note = f"{describe(action)} {action.status}: {action.result}"
                self._tickets.end_action(number, succeeded=action.status == "succeeded", note=note, who=by)
        except OperatorError as error:
            self._log(f"ticket {number} could not be told of action {action.id}: {error}")


def describe(action: Action) -> str:
    """``action 3 (start_server valkey-0)``."""
    return f"action {action.id} ({action.kind} {action.target})"
