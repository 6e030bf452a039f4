"""The desk where actions are decided upon: what is proposed, who says yes or no, what has run out of time."""

import asyncio
import time
from collections.abc import Callable, Mapping

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, Conflict, OperatorError, Unavailable
from operator_protocol.models import Action, ActionKind, ActionStatus, AgentState, Scalar
from operator_protocol.state import State
from operator_protocol.topics import AGENT_DIAGNOSIS, CLUSTER_HEALTH, TICKET_RESOLVED, VIOLATION_CLOSED
from operatord.actions import decisions
from operatord.actions.authority import Authority
from operatord.actions.execution import DAEMON, Execution, Means
from operatord.actions.pace import Pace
from operatord.actions.proposing import Proposer, Terms
from operatord.actions.register import Entry, Outlets, Register, describe
from operatord.actions.registry import Registry
from operatord.actions.store import ActionStore
from operatord.actions.switch import Switch
from operatord.actions.verification import Verification
from operatord.clock import Clock
from operatord.durations import format_duration
from operatord.tickets.desk import TicketDesk

_REMEMBERED = 200
"""Of what was rejected, the newest that a start looks at: a ticket that is older than those has been told enough."""


class ActionDesk:
    """Takes diagnoses, decisions and orders. Lives on one event loop; hears nothing before ``open``."""

    def __init__(
        self,
        registry: Registry,
        terms: Terms,
        pace: Pace,
        switch: Switch,
        outlets: Outlets,
        *,
        state: Callable[[], State],
        held: Callable[[], bool] = lambda: False,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._authority = Authority(terms, pace, switch, outlets)
        self._switch = switch
        self._registry = registry
        self._terms = terms
        self._pace = pace
        self._outlets = outlets
        self._state = state
        self._held = held
        self._clock = clock
        self._wall = wall
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False

    def open(self, store: ActionStore, tickets: TicketDesk) -> None:
        """Begin. What an earlier run left is settled: what waited is expired, what ran has failed, nothing is done."""
        if store.notice:
            self._outlets.log(store.notice)
        self._store = store
        self._tickets = tickets
        self._register = Register(store, tickets, self._outlets, self._wall)
        means = Means(
            self._registry,
            self._register,
            tickets,
            Verification(self._state),
            self._pace,
            self._switch,
            self._held,
            self._kept_down,
            self._clock,
            self._wall,
        )
        self._execution = Execution(means)
        self._proposer = Proposer(means, self._execution, self._outlets, self._terms, self._approve)
        for action in store.unfinished():
            settled = decisions.settled(action, self._wall())
            self._register.become(Entry(settled, 0.0), settled, by=DAEMON, why="an earlier run of the daemon left it")
        for action in store.newest("rejected", _REMEMBERED):
            if decisions.was_declined(action):
                self._proposer.declined(action)
        self._authority.begin()
        self._is_open = True

    async def close(self) -> None:
        """Take nothing on any more. What waits is expired, what runs is interrupted and reported as such."""
        if not self._is_open:
            return
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for entry in self._register.all():
            if entry.action.status != "running":
                self._expire(entry, "the daemon is stopping")
        await self._execution.close()
        self._store.close()

    # what happens

    def see(self, topic: str, body: Body) -> None:
        """Take in a frame: diagnoses become proposals, what is resolved needs none, looks may verify what runs."""
        if not self._is_open:
            return
        if topic == AGENT_DIAGNOSIS and isinstance(body.get("ticket"), int):
            # What is recommended is read from the ticket, which only the daemon writes.
            self._soon(body["ticket"], may_execute=True)
        elif topic == TICKET_RESOLVED:
            for entry in self._register.all():
                if entry.action.ticket == body["id"] and entry.action.status != "running":
                    self._expire(entry, f"ticket {body['id']} was resolved without it")
        elif topic in (CLUSTER_HEALTH, VIOLATION_CLOSED):
            self._execution.wake()

    def tick(self) -> None:
        """What time and the switch's file bring about; due about once a second."""
        if not self._is_open:
            return
        now, off = self._clock(), self._authority.off
        for entry in self._register.all():
            status = entry.action.status
            if status == "running":
                continue
            if off and status == "approved":
                self._execution.stop(entry)
            elif entry.by_policy and self._held():
                # It is the story that waits, not a person's decision.
                entry.due_mono = now + self._terms.expires_s
            elif now >= entry.due_mono:
                self._expire(entry, self._why_expired(entry))
        if self._authority.noticed(off=off):
            self._propose_again()
        self._execution.wake()

    def release(self) -> None:
        """What waited for the story may begin."""
        if self._is_open:
            self._execution.wake()

    # what is decided

    async def consider(self, number: int, *, may_execute: bool = True) -> list[Action]:
        """Make proposals of what the diagnosis of a ticket recommends, see ``Proposer.consider``."""
        return await self._proposer.consider(number, may_execute=may_execute)

    async def approve(self, number: int, by: str) -> Action:
        """A person says yes. Raises ``NotFound``, or ``Conflict`` with what stands against it now."""
        entry = self._waiting(number)
        try:
            await self._execution.check(entry.action)
        except OperatorError as error:
            hint = error.hint or "it stays proposed until it expires; reject it, or look at the ticket"
            raise type(error)(f"{describe(entry.action)} does not apply now: {error.message}", hint) from error
        entry = self._waiting(number)
        self._approve(entry, by)
        return entry.action

    def reject(self, number: int, by: str, why: str = "") -> Action:
        """A person says no; also to what was approved and has not begun. Raises ``NotFound``, ``Conflict``."""
        self._require_open()
        entry = self._register.find(number)
        if entry is None or entry.action.status == "running":
            raise decisions.too_late(entry.action if entry else self._store.get(number))
        self._proposer.declined(entry.action)
        rejected = decisions.rejected(entry.action, by, why, self._wall())
        self._register.become(entry, rejected, by=by, why=why)
        self._execution.wake()
        return rejected

    async def rehearse(self, kind: str, target: str, params: Mapping[str, Scalar], ticket: int | None = None) -> str:
        """What ``act`` would do, in one line. Raises what stands against it; mode, switch and pace are not asked."""
        return await self._execution.check(self._order(kind, target, params, ticket, ""))

    async def act(
        self, kind: str, target: str, params: Mapping[str, Scalar], by: str, ticket: int | None = None
    ) -> Action:
        """A person orders an action: proposed and approved at once.

        Raises ``NotFound``, ``BadRequest``, and ``Conflict`` for a precondition, the switch, the mode, the cooldown,
        the limit, or an action of the same kind on the same target that is not over.
        """
        order = self._order(kind, target, params, ticket, by)
        self._require_may_act()
        await self._execution.check(order)
        self._require_may_act()
        if pending := self._register.pending(kind, target):
            how = f"operatorctl approve {pending.action.id}" if pending.action.status == "proposed" else "wait for it"
            raise Conflict(f"{describe(pending.action)} is {pending.action.status} already", how)
        seconds, why = self._pace.wait_s(target)
        if seconds > 0:
            raise Conflict(f"{why} takes {format_duration(seconds)} more", "try again then")
        entry = self._register.add(order, self._clock() + self._terms.expires_s)
        self._approve(entry, by)
        return entry.action

    async def finished(self, number: int) -> Action:
        """How an action ended, as soon as it has."""
        entry = self._register.find(number)
        if entry is None:
            return self._store.get(number)
        await entry.over.wait()
        return entry.action

    def turn_off(self, by: str, why: str = "") -> None:
        """The kill switch: nothing begins any more. Raises ``Unavailable`` when it cannot be thrown."""
        self._authority.turn_off(by, why)
        self.tick()

    def turn_on(self, by: str) -> None:
        """The agent may act again. Raises ``Unavailable`` when the file of the switch cannot be removed."""
        if self._authority.turn_on(by):
            self._propose_again()

    # what is known

    def kinds(self) -> list[ActionKind]:
        """The catalogue."""
        return list(self._registry.kinds().values())

    def get(self, number: int) -> Action:
        """One action. Raises ``NotFound``."""
        self._require_open()
        return self._store.get(number)

    def newest(self, status: ActionStatus | None = None, limit: int = 50) -> list[Action]:
        """The last ones, newest first."""
        self._require_open()
        return self._store.newest(status, limit)

    def pending(self) -> list[Action]:
        """Those that are not over, oldest first."""
        return [entry.action for entry in self._register.all()] if self._is_open else []

    def waits_for(self, number: int) -> str:
        """What keeps an approved action from beginning; empty for others."""
        entry = self._register.find(number)
        return self._execution.waits_for(entry) if entry and entry.action.status == "approved" else ""

    def agent(self) -> AgentState:
        """Whether the agent may act, and how far."""
        return self._authority.state()

    @property
    def executes(self) -> bool:
        """Whether something may be done without asking anybody."""
        return self._is_open and self._authority.executes

    def _kept_down(self, target: str) -> bool:
        process = self._state().processes.get(target)
        return process is not None and process.stopped_by_command

    def _propose_again(self) -> None:
        """What was recommended while the agent was off; to a person, since some time has passed."""
        for ticket in self._tickets.unresolved():
            self._soon(ticket.id, may_execute=False)

    def _soon(self, number: int, *, may_execute: bool) -> None:
        async def consider() -> None:
            try:
                await self.consider(number, may_execute=may_execute)
            except OperatorError as error:
                self._outlets.log(f"ticket {number}: nothing is proposed: {error}")

        task = asyncio.create_task(consider(), name=f"actions for ticket {number}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _order(self, kind: str, target: str, params: Mapping[str, Scalar], ticket: int | None, by: str) -> Action:
        self._require_open()
        known = self._registry.kind(kind)
        if not target:
            raise BadRequest(f"{kind} needs a target")
        now = self._wall()
        complete = self._registry.complete(kind, params)
        expires_at = now + self._terms.expires_s
        return decisions.ordered(known, target, complete, ticket=ticket, by=by, now=now, expires_at=expires_at)

    def _approve(self, entry: Entry, by: str) -> None:
        now = self._wall()
        entry.due_mono = self._clock() + self._terms.expires_s
        approved = decisions.approved(entry.action, by, now, now + self._terms.expires_s)
        self._register.become(entry, approved, by=by, why=approved.reason)
        self._execution.begin(entry)

    def _waiting(self, number: int) -> Entry:
        """The entry of a proposal that may be approved now."""
        self._require_may_act()
        entry = self._register.find(number)
        if entry is not None and entry.action.status == "proposed" and self._clock() >= entry.due_mono:
            self._expire(entry, self._why_expired(entry))
        if entry is None or entry.action.status != "proposed":
            raise decisions.too_late(entry.action if entry else self._store.get(number))
        return entry

    def _why_expired(self, entry: Entry) -> str:
        after = format_duration(self._terms.expires_s)
        if entry.action.status == "proposed":
            return f"nobody decided within {after}"
        return f"it could not begin within {after} of its approval: it waited for {self._execution.waits_for(entry)}"

    def _expire(self, entry: Entry, why: str) -> None:
        self._register.become(entry, decisions.expired(entry.action, why), by=DAEMON, why=why)
        self._execution.wake()

    def _require_open(self) -> None:
        if not self._is_open:
            raise Unavailable("the daemon is starting or stopping: no action is taken", "try again in a moment")

    def _require_may_act(self) -> None:
        self._require_open()
        self._authority.require()
