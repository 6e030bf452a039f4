"""What Prometheus adds to a look: latency, lag and queues of each store, by the address that it scrapes.

Figures are asked for in the background and kept with their age. One whose scrape is old is not used: it would show a
store as it was, and a store that went slow or silent since would look well.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from operatord.clock import Clock
from operatord.subjects.tikv.answers import Scrape
from operatord.subjects.tikv.prometheus.client import PrometheusClient, by_label
from operatord.subjects.tikv.prometheus.queries import BY_NAME
from operatord.subjects.tikv.standing import Standing

ASKED = ("up", "p99", "ops", "cpu", "raft_log_lag", "scheduler_pending")
"""Of each store, by name of the query; PD itself tells the rest, and newer."""
_DEADLINE_S = 5.0
_REGION_SUFFIX = "-region-count"


@dataclass(frozen=True, slots=True)
class _Told:
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By instance, then by name; what is NaN, infinite or missing is not in it."""
    ages: Mapping[str, float] = field(default_factory=dict)
    """Seconds since its last scrape, by instance."""
    regions: Mapping[str, int] = field(default_factory=dict)


class Metrics:
    """Asks one Prometheus, or none if ``url`` is empty."""

    def __init__(self, url: str, every_s: float, stale_s: float, clock: Clock) -> None:
        self._client = PrometheusClient(url) if url else None
        self._every_s = every_s
        self._stale_s = stale_s
        self._clock = clock
        self._since = clock()
        self._told_at = self._since
        """When it told anything of the servers that are looked at last."""
        self._standing: Standing[_Told] | None = None
        self._scraped_at: dict[str, float] = {}
        """When each target was scraped last, on the clock. A target that is gone from the answers only ages."""

    async def refresh(self, deadline_s: float) -> None:
        """Ask in the background if it is time; at first, wait for up to ``deadline_s``."""
        if self._client is None:
            return
        if self._standing is None:
            client = self._client
            self._standing = Standing(lambda: self._ask(client), self._every_s, self._clock)
            self._since = self._told_at = self._clock()
        await self._standing.first(deadline_s)

    def scrape(self) -> Scrape:
        """How the asking goes."""
        if self._client is None:
            return Scrape()
        age_s = self._standing.age_s() if self._standing else None
        error = self._standing.error if self._standing else None
        silent_for_s = self._clock() - self._since if age_s is None else age_s
        fresh = age_s is not None and age_s <= self._stale_s
        return Scrape(
            configured=True,
            silent_for_s=silent_for_s,
            trouble=error.message if error else "",
            fresh=fresh,
            empty_for_s=self._clock() - self._told_at if fresh else 0.0,
        )

    def heard(self, *, of_ours: bool) -> None:
        """Note whether it has ever scraped any of the servers that are looked at."""
        if of_ours:
            self._told_at = self._clock()

    def age_s(self, instance: str) -> float | None:
        """Seconds since the target was scraped last; None for one that never was."""
        at = self._scraped_at.get(instance)
        return None if at is None else self._clock() - at

    def of(self, instance: str) -> Mapping[str, float]:
        """Figures of a target by name of the query; empty when they are of the past."""
        told = self._standing.value if self._standing else None
        age_s = self.age_s(instance)
        if told is None or age_s is None or age_s > self._stale_s or not self.scrape().fresh:
            return {}
        return told.figures.get(instance, {})

    def regions(self) -> Mapping[str, int] | None:
        """Regions by problem, as PD's leader counts them; None when it is not known."""
        told = self._standing.value if self._standing else None
        return told.regions if told is not None and told.regions and self.scrape().fresh else None

    async def close(self) -> None:
        """Give the connections back."""
        if self._standing is not None:
            await self._standing.close()
        if self._client is not None:
            await self._client.close()

    async def _ask(self, client: PrometheusClient) -> _Told:
        names = (*ASKED, "scrape_age", "pd_regions")
        began = self._clock()
        answers = await asyncio.gather(
            *(client.query(BY_NAME[name].expression, deadline_s=_DEADLINE_S) for name in names)
        )
        found = {name: by_label(answer, BY_NAME[name].by) for name, answer in zip(names, answers, strict=True)}
        figures: dict[str, dict[str, float]] = {}
        for name in ASKED:
            for instance, value in found[name].items():
                figures.setdefault(instance, {})[name] = value
        for instance, age_s in found["scrape_age"].items():
            self._scraped_at[instance] = began - age_s
        regions = {kind.removesuffix(_REGION_SUFFIX): int(count) for kind, count in found["pd_regions"].items()}
        return _Told(figures, found["scrape_age"], regions)
