"""The half that looks: asks PD, every server's own port, and Prometheus, and merges what they say.

What the container engine knows is handed in (``tell_containers``): the engine's client lives in a worker of its own,
which pushes each event, so that a container that died is down in the next look.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

from operator_protocol.models import EvidenceItem, Scalar
from operatord.clock import Clock
from operatord.subjects.base import Invariant, Observation, SubjectSpec
from operatord.subjects.tikv import evidence, health, invariants
from operatord.subjects.tikv.answers import Directory, PDSeen, StoreSeen
from operatord.subjects.tikv.directory import PDWatch, Word
from operatord.subjects.tikv.metrics import Metrics
from operatord.subjects.tikv.pd.models import Store
from operatord.subjects.tikv.roster import PDSlot, Roster, StoreSlot, places
from operatord.subjects.tikv.settings import Settings, addresses
from operatord.subjects.tikv.status import Pulse
from operatord.subjects.tikv.views import UNTOLD, Container, Reach, through_engine

_MARGIN_S = 0.03
"""Kept back from the deadline for reading and merging."""
_PULSE_S = 0.25
"""A server's own port answers from memory; a look does not wait longer for one that is frozen."""
_SILENT_PULSE_S = 0.05
"""For one that did not answer before either: its answer, when it comes, waits for the next look."""


class TiKVProbe:
    """``SubjectProbe`` of a TiKV cluster; keeps its connections."""

    def __init__(self, spec: SubjectSpec, *, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        settings = self._settings = Settings.read(spec.options)
        self._clock = clock
        self._wall = wall
        tls = settings.tls
        self._roster = Roster(
            clock, tls.context() if tls else None, addresses(settings.status), addresses(settings.data)
        )
        pds = [server for server in spec.members if is_pd(server.id)]
        scheme = "https" if tls else "http"
        endpoints = settings.endpoints or tuple(f"{scheme}://{server.host}:{server.port}" for server in pds)
        for server in pds:
            self._roster.expect_pd(server.id, server.host, server.port)
        for host, port in [] if pds else places(endpoints):
            self._roster.expect_pd(f"{host}:{port}", host, port)
        for server in spec.members:
            if not is_pd(server.id):
                self._roster.expect_store(server)
        self._attached = not pds
        self._pd = PDWatch(endpoints, tls, settings, clock)
        self._metrics = Metrics(settings.prometheus, settings.prometheus_every_s, settings.stale_metrics_s, clock)
        self._containers: dict[str, Container] = {}
        self._unnamed = UNTOLD
        """Of a node that the engine has not told of."""
        self._invariants = invariants.of(settings)

    def tell_containers(self, states: Mapping[str, Mapping[str, Scalar]], trouble: str = "") -> None:
        """What the engine says of each node's container: ``{"tikv1": {"state": "exited", "exit_code": 137, …}}``.

        The names of the fields are those of ``views.Container``. It takes the place of all that was told before; a
        node that is not named has no container that is known of. With ``trouble`` the engine is lost, and no container
        is known of.
        """
        self._containers = {} if trouble else {name: Container.read(fields) for name, fields in states.items()}
        self._unnamed = Container("unknown", trouble=trouble) if trouble and not self._attached else UNTOLD

    async def observe(self, deadline_s: float) -> Observation:
        """One look, finished within ``deadline_s`` whatever the servers do."""
        seen, _ = await self._look(deadline_s)
        return seen

    async def evidence(self, node_id: str | None, deadline_s: float) -> list[EvidenceItem]:
        """What PD, the server itself, the engine and Prometheus say of ``node_id``; numbered from 1."""
        seen, directory = await self._look(deadline_s)
        return evidence.of(seen, directory, self._metrics.scrape(), node_id)

    def invariants(self) -> Sequence[Invariant]:
        """What must hold, with the thresholds and grace periods of the spec."""
        return self._invariants

    async def close(self) -> None:
        """Give the connections back."""
        self._roster.close()
        await self._metrics.close()
        await self._pd.close()

    async def _look(self, deadline_s: float) -> tuple[Observation, Directory]:
        at, mono = self._wall(), self._clock()
        budget_s = max(0.05, deadline_s - _MARGIN_S)
        pulse_s = min(budget_s, _PULSE_S)
        due = self._roster.due(self._settings.probes_per_look)
        pulses = [pd.pulse for pd in self._roster.pds.values() if pd.pulse is not None]
        word, *_ = await asyncio.gather(
            self._pd.ask(budget_s),
            self._metrics.refresh(budget_s),
            _beat(pulses, pulse_s),
            self._ask_stores(due, pulse_s),
        )
        known = self._take(word)
        if self._attached and word.members is not None:
            await self._pd.also_ask([url for member in word.members.members for url in member.client_urls])
        pds = [self._pd_seen(slot, word) for slot in self._roster.pds.values()]
        alive = sum(not self._is_lost(one) for one in pds)
        directory = self._pd.judge(word, alive, len(pds), self._metrics.regions())
        stores = self._stores_seen(word, known, directory)
        ages = [*(one.scrape_age_s for one in pds), *(one.scrape_age_s for one in stores)]
        self._metrics.heard(of_ours=any(age_s is not None for age_s in ages))
        seen = health.observation(
            directory, pds, stores, self._metrics.scrape(), silence_s=self._settings.silence_s, at=at, mono=mono
        )
        return seen, directory

    async def _ask_stores(self, due: Sequence[StoreSlot], deadline_s: float) -> None:
        status = [slot.pulse for slot in due if slot.pulse is not None]
        data = [slot.data for slot in due if slot.data is not None]
        await _beat([*status, *data], deadline_s)
        for slot in due:
            self._roster.asked(slot)

    def _take(self, word: Word) -> dict[str, Store] | None:
        """Bring the roster up to date; returns the stores that PD has, None when it said nothing of them."""
        if word.members is not None:
            self._roster.take_members(word.members)
        if not word.bootstrapped:
            return {}
        return self._roster.take_stores(word.stores) if word.stores is not None else None

    def _is_lost(self, pd: PDSeen) -> bool:
        return pd.container.signal == "down" or pd.reach.sight(self._settings.silence_s) == "gone"

    def _container(self, slot: PDSlot | StoreSlot) -> Container:
        return self._containers.get(slot.id, self._unnamed)

    def _reach(self, slot: PDSlot | StoreSlot) -> Reach:
        return through_engine(slot.reach(), self._container(slot), self._settings.silence_s)

    def _pd_seen(self, slot: PDSlot, word: Word) -> PDSeen:
        member = slot.member
        leader = word.members.leader if word.members is not None else None
        instance = next(
            (host for url in (member.client_urls if member else ()) for host in [url.partition("://")[2]]), ""
        )
        return PDSeen(
            id=slot.id,
            address=slot.address,
            reach=self._reach(slot),
            container=self._container(slot),
            member=member,
            healthy=self._pd.healthy().get(member.member_id) if member is not None else None,
            leads=leader.member_id == member.member_id if leader is not None and member is not None else None,
            scrape_age_s=self._metrics.age_s(instance),
        )

    def _stores_seen(self, word: Word, known: Mapping[str, Store] | None, directory: Directory) -> list[StoreSeen]:
        stores = known if known is not None and directory.known else None
        now_at, mono = self._wall(), self._clock()
        evicting = frozenset(word.evicting) if word.evicting is not None else None
        return [self._store_seen(slot, stores, evicting, now_at, mono) for slot in self._roster.stores.values()]

    def _store_seen(
        self,
        slot: StoreSlot,
        known: Mapping[str, Store] | None,
        evicting: frozenset[int] | None,
        now_at: float,
        mono: float,
    ) -> StoreSeen:
        store = known.get(slot.id) if known is not None else None
        heartbeat_age_s = None
        if store is not None and store.last_heartbeat_at is not None:
            heartbeat_age_s = max(0.0, now_at - store.last_heartbeat_at)
        return StoreSeen(
            id=slot.id,
            address=slot.address,
            store=store,
            unknown_to_pd=known is not None and store is None,
            store_id=slot.store_id,
            reach=self._reach(slot),
            data=slot.data.contact if slot.data is not None else "unasked",
            data_silent_for_s=slot.data.silent_for_s if slot.data is not None else 0.0,
            container=self._container(slot),
            beats=slot.beats(),
            heartbeat_age_s=heartbeat_age_s,
            evicting=slot.store_id in evicting if evicting is not None else None,
            draining_still_s=mono - slot.draining[1] if slot.draining is not None else None,
            figures=self._metrics.of(slot.status_address),
            scrape_age_s=self._metrics.age_s(slot.status_address),
        )


def is_pd(node_id: str) -> bool:
    """Whether a member of a spec is a PD: its name says so (``pd0``)."""
    return node_id.startswith("pd")


async def _beat(pulses: Iterable[Pulse], deadline_s: float) -> None:
    await asyncio.gather(
        *(pulse.beat(min(deadline_s, _SILENT_PULSE_S) if pulse.waits else deadline_s) for pulse in pulses)
    )
