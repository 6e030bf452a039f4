"""Asking PD: what every look needs within its deadline, and what takes longer in the background.

Without a leader PD lets a request wait for 3 s before it says so, which is longer than a look. So a look that got no
answer leaves a patient question behind, and the next ones know what came of it.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from operator_protocol.errors import DeadlineExceeded, OperatorError
from operatord.clock import Clock
from operatord.subjects.tikv.answers import Directory, Leadership
from operatord.subjects.tikv.pd.client import NoLeader, NotBootstrapped, PDClient
from operatord.subjects.tikv.pd.models import Members, RegionStats, Store
from operatord.subjects.tikv.pd.tls import Tls
from operatord.subjects.tikv.settings import Settings
from operatord.subjects.tikv.standing import Standing

T = TypeVar("T")

PROBLEMS = ("miss-peer", "down-peer", "pending-peer")
_PATIENCE_S = 6.0
"""PD waits up to 3 s for a leader, and a follower as long for its answer."""
_REMEMBERED_S = 10.0
"""An answer that does not come with each look counts for this long."""
_HEALTH_PATIENCE_S = 12.0
"""Of five PDs four may be frozen, at 3 s each."""
_STALE_HEALTH_S = 15.0


@dataclass(frozen=True, slots=True)
class Word:
    """What PD said, as far as it did."""

    members: Members | None
    stores: tuple[Store, ...] | None
    stats: RegionStats | None
    evicting: tuple[int, ...] | None
    errors: tuple[OperatorError, ...]
    """Why something is missing; a cluster that no store has joined yet is not among them."""
    bootstrapped: bool = True


class PDWatch:
    """Asks the PDs of one cluster."""

    def __init__(self, endpoints: Sequence[str], tls: Tls | None, settings: Settings, clock: Clock) -> None:
        self._tls = tls
        self._settings = settings
        self._clock = clock
        self._client = PDClient(endpoints, tls=tls)
        self._retired: list[PDClient] = []
        self._regions: int | None = None
        self._evicting: tuple[tuple[int, ...], float] = (), 0.0
        """The stores that were being evicted by the last answer, and when it came. It is two requests, and the first
        that does not fit into a look."""
        self._patient = Standing(lambda: self._client.members(deadline_s=_PATIENCE_S), 0.0, clock)
        self._health = Standing(self._ask_health, settings.health_every_s, clock)
        self._stats = Standing(
            lambda: self._client.region_stats(deadline_s=_PATIENCE_S), settings.regions_every_s, clock
        )
        self._problems = Standing(self._ask_problems, settings.regions_every_s, clock)

    async def ask(self, deadline_s: float) -> Word:
        """One look's questions, all at once."""
        client = self._client
        members, stores, stats, evicting, *_ = await asyncio.gather(
            _tried(client.members(deadline_s=deadline_s)),
            _tried(client.stores(deadline_s=deadline_s)),
            _tried(self._region_stats(client, deadline_s)),
            _tried(client.evicting(deadline_s=deadline_s)),
            self._health.first(deadline_s),
        )
        if isinstance(evicting, tuple):
            self._evicting = evicting, self._clock()
        needed = (members, stores, stats)
        errors = tuple(one for one in needed if isinstance(one, OperatorError) and not isinstance(one, NotBootstrapped))
        if errors:
            self._patient.nudge()
        if isinstance(stats, RegionStats):
            self._regions = stats.count
            self._problems.nudge()
        return Word(
            members=members if isinstance(members, Members) else None,
            stores=stores if isinstance(stores, tuple) else None,
            stats=stats if isinstance(stats, RegionStats) else None,
            evicting=evicting if isinstance(evicting, tuple) else self._still_evicting(),
            errors=errors,
            bootstrapped=not any(isinstance(one, NotBootstrapped) for one in needed),
        )

    def judge(self, word: Word, alive: int, members: int, told_elsewhere: Mapping[str, int] | None) -> Directory:
        """What follows from ``word``, with ``alive`` of ``members`` PDs not known to be down."""
        problems = self._problems.fresh(3 * self._settings.regions_every_s + _PATIENCE_S)
        if not word.errors:
            leader = word.members.leader if word.members else None
            return Directory(
                leadership="led" if leader else "none",
                trouble="" if leader else _leaderless(alive, members),
                leader=leader.name if leader else "",
                bootstrapped=word.bootstrapped,
                stats=word.stats,
                problems=problems if problems is not None else told_elsewhere,
            )
        leadership = self._leadership(word, alive, members)
        trouble = _leaderless(alive, members) if leadership == "none" else word.errors[0].message
        return Directory(leadership, trouble)

    def healthy(self) -> Mapping[int, bool]:
        """What PD says of its members, by member id; empty when it has not said so lately, or could not just now."""
        return (self._health.fresh(_STALE_HEALTH_S) or {}) if self._health.error is None else {}

    async def also_ask(self, urls: Sequence[str]) -> None:
        """Ask these PDs, too."""
        missing = [url for url in urls if url.rstrip("/") not in self._client.endpoints]
        if missing:
            self._retired.append(self._client)
            self._client = PDClient([*self._client.endpoints, *missing], tls=self._tls)

    async def close(self) -> None:
        """Give the connections back."""
        for standing in (self._patient, self._health, self._stats, self._problems):
            await standing.close()
        for client in (*self._retired, self._client):
            await client.close()

    def _still_evicting(self) -> tuple[int, ...] | None:
        """For a look without an answer. That none was evicted is not remembered: it may have begun since, and a fault
        that is not seen to hold any more is over."""
        stores, told_at = self._evicting
        return stores if stores and self._clock() - told_at <= _REMEMBERED_S else None

    def _leadership(self, word: Word, alive: int, members: int) -> Leadership:
        if any(isinstance(error, NoLeader) for error in word.errors) or alive * 2 <= members:
            return "none"
        patient = self._patient
        lately = patient.error is not None and self._clock() - patient.error_at <= _REMEMBERED_S
        if lately and isinstance(patient.error, NoLeader | DeadlineExceeded):
            return "none"
        return "unknown"

    async def _region_stats(self, client: PDClient, deadline_s: float) -> RegionStats:
        """PD goes over all regions for these: of a large cluster they are asked for at leisure."""
        known = self._stats.fresh(2 * self._settings.regions_every_s + _PATIENCE_S)
        if known is None or self._regions is None or self._regions <= self._settings.regions_listed:
            found = await client.region_stats(deadline_s=deadline_s)
            self._stats.keep(found)
            return found
        self._stats.nudge()
        return known

    async def _ask_health(self) -> dict[int, bool]:
        found = await self._client.health(deadline_s=_HEALTH_PATIENCE_S)
        return {one.member_id: one.healthy for one in found}

    async def _ask_problems(self) -> dict[str, int] | None:
        if self._regions is None or self._regions > self._settings.regions_listed:
            return None
        counts = [await self._client.regions_with(problem, deadline_s=_PATIENCE_S) for problem in PROBLEMS]
        return dict(zip(PROBLEMS, counts, strict=True))


async def _tried(work: Awaitable[T]) -> T | OperatorError:
    try:
        return await work
    except OperatorError as error:
        return error


def _leaderless(alive: int, members: int) -> str:
    needed = members // 2 + 1
    return f"no PD leader ({alive} of {members} PDs live, {needed} are needed)"
