"""Who belongs to the cluster, and what is remembered of each from look to look.

Three lists are joined: the members of the spec (containers of ours, by service), PD's own members, PD's stores. A
store is a member of ours if its address names the service (``tikv0:20160``) or its status address is where the member
answers. Any other store gets the first label of its host for a name, or ``store-ID`` where that says nothing.
"""

import ipaddress
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from operatord.clock import Clock
from operatord.subjects.base import Member as Server
from operatord.subjects.tikv.pd.models import Member, Members, Store
from operatord.subjects.tikv.settings import split_address
from operatord.subjects.tikv.status import GRPC_GREETING, PING, STATUS, Pulse, http_question
from operatord.subjects.tikv.views import UNASKED, Reach

_RETRY_UNREACHABLE_S = 15.0
"""A port that never could be reached from here is tried again this often: names are resolved in threads."""
_USABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)
"""What a node may be called: it is typed, printed, and part of topics."""
_BEAT_MARGIN_S = 1.0
"""A heartbeat that PD shows this shortly after a store fell silent was sent before that."""


@dataclass(slots=True)
class PDSlot:
    """One PD."""

    id: str
    address: str
    pulse: Pulse | None
    """None for one that is a member and has never been started: nobody knows where it is."""
    member: Member | None = None

    def reach(self) -> Reach:
        """How its port was found last."""
        return _reach(self.pulse)


@dataclass(slots=True)
class StoreSlot:
    """One store."""

    id: str
    address: str = ""
    store_id: int | None = None
    status_address: str = ""
    """As PD has it: the label of its metrics."""
    pulse: Pulse | None = None
    data: Pulse | None = None
    ours: bool = False
    failing_since: float | None = None
    """Since when its port does not answer, on the clock."""
    next_try: float = 0.0
    heartbeat_at: float | None = None
    """PD's wall clock."""
    heard_at: float | None = None
    """When a new heartbeat was seen, on the clock."""
    told_since: float | None = None
    """The ``failing_since`` after which PD has told of its heartbeats: the first it tells may be from before."""
    draining: tuple[int, float] | None = None
    """While it is being drained: regions left, and since when there are so many."""

    def reach(self) -> Reach:
        """How its status port was found last."""
        return _reach(self.pulse)

    def beats(self) -> bool:
        """Whether PD heard from it since it fell silent to us."""
        if self.failing_since is None or self.heard_at is None:
            return False
        return self.heard_at > self.failing_since + _BEAT_MARGIN_S

    def heard(self, store: Store, now: float) -> None:
        """Note what PD tells of it."""
        if self.failing_since is not None and self.told_since != self.failing_since:
            self.told_since, self.heartbeat_at = self.failing_since, store.last_heartbeat_at
        elif _is_newer(store.last_heartbeat_at, self.heartbeat_at):
            # A PD that leads since a moment ago may know of an older one only.
            self.heartbeat_at, self.heard_at = store.last_heartbeat_at, now
        if store.state != "Offline":
            self.draining = None
        elif self.draining is None or store.region_count < self.draining[0]:
            self.draining = (store.region_count, now)

    def close(self) -> None:
        """Give the connections back."""
        for pulse in (self.pulse, self.data):
            if pulse is not None:
                pulse.close()


def _is_newer(beat: float | None, known: float | None) -> bool:
    return beat is not None and (known is None or beat > known)


@dataclass(slots=True)
class Roster:
    """All servers, in a stable order: those of the spec first."""

    clock: Clock
    tls: ssl.SSLContext | None = None
    status_at: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    data_at: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    pds: dict[str, PDSlot] = field(default_factory=dict)
    stores: dict[str, StoreSlot] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    """Names that were given."""
    _by_place: dict[str, str] = field(default_factory=dict)
    """Members of the spec by where they answer."""
    _cursor: int = 0

    def expect_pd(self, name: str, host: str, port: int) -> None:
        """A PD that is known before PD says anything."""
        self.pds[name] = PDSlot(name, f"{host}:{port}", self._pulse(host, port, PING))

    def expect_store(self, server: Server) -> None:
        """A store of the spec; its host and port are those of its status port, as reached from here."""
        slot = StoreSlot(server.id, f"{server.host}:{server.port}", ours=True)
        slot.pulse = self._pulse(server.host, server.port, STATUS)
        self.stores[server.id] = self._with_data(slot)
        self._by_place[slot.address] = server.id

    def take_members(self, members: Members) -> None:
        """PD's word on who it consists of. Places that had no name until now get theirs."""
        named: set[str] = set()
        for member in members.members:
            usable = _USABLE.fullmatch(member.name) and member.name not in named
            name = member.name if usable else f"pd-{member.member_id}"
            named.add(name)
            if name not in self.pds:
                self.pds[name] = self._placed(name, member)
            self.pds[name].member = member
        for name in [name for name in self.pds if name not in named]:
            gone = self.pds.pop(name)
            if gone.pulse is not None:
                gone.pulse.close()

    def _placed(self, name: str, member: Member) -> PDSlot:
        """A slot for a PD that was learnt of: that of the place which had no name until now, or a new one."""
        there = [split_address(url.partition("://")[2]) for url in member.client_urls]
        known = next((one for one in self.pds.values() if split_address(one.address) in there), None)
        if known is not None:
            del self.pds[known.id]
            return PDSlot(name, known.address, known.pulse)
        if not there:
            return PDSlot(name, "", None)
        host, port = there[0]
        return PDSlot(name, f"{host}:{port}", self._pulse(host, port, PING))

    def take_stores(self, stores: Sequence[Store]) -> dict[str, Store]:
        """PD's word on the stores, by the name of the node; those that are gone are dropped, save the spec's."""
        now = self.clock()
        found: dict[str, Store] = {}
        for store in stores:
            if store.state == "Tombstone":
                continue
            name = self._names.get(store.id) or self._name(store)
            if name in found:
                name = f"store-{store.id}"
            self._names[store.id] = name
            slot = self.stores.get(name)
            if slot is None:
                slot = self.stores[name] = self._with_data(StoreSlot(name))
            if slot.address != store.address or slot.status_address != store.status_address:
                self._moved(slot, store)
            slot.store_id = store.id
            slot.heard(store, now)
            found[name] = store
        for name in [name for name, slot in self.stores.items() if name not in found and not slot.ours]:
            self.stores.pop(name).close()
        return found

    def due(self, most: int) -> list[StoreSlot]:
        """The stores whose port is to be asked in this look: the doubtful ones, then the others in turn."""
        now = self.clock()
        able = [slot for slot in self.stores.values() if slot.pulse is not None and slot.next_try <= now]
        if len(able) <= most:
            return able
        doubtful = [slot for slot in able if slot.failing_since is not None][:most]
        steady = [slot for slot in able if slot.failing_since is None]
        count = min(len(steady), max(most - len(doubtful), most // 4))
        start = self._cursor % len(steady) if steady else 0
        self._cursor = start + count
        return [*doubtful, *(steady * 2)[start : start + count]]

    def asked(self, slot: StoreSlot) -> None:
        """Note how asking its port went."""
        pulse = slot.pulse
        if pulse is None:
            return
        if pulse.contact == "answered":
            slot.failing_since = None
        elif pulse.contact == "unreachable" and pulse.answered_at is None:
            slot.next_try = self.clock() + _RETRY_UNREACHABLE_S
        elif slot.failing_since is None:
            slot.failing_since = self.clock()

    def close(self) -> None:
        """Give all connections back."""
        for pd in self.pds.values():
            if pd.pulse is not None:
                pd.pulse.close()
        for store in self.stores.values():
            store.close()

    def _pulse(self, host: str, port: int, path: str) -> Pulse:
        return Pulse(host, port, http_question(f"{host}:{port}", path), self.clock, tls=self.tls)

    def _with_data(self, slot: StoreSlot) -> StoreSlot:
        if slot.id in self.data_at:
            host, port = self.data_at[slot.id]
            slot.data = Pulse(host, port, GRPC_GREETING, self.clock, tls=self.tls, keep=False)
        return slot

    def _moved(self, slot: StoreSlot, store: Store) -> None:
        """PD has another address for it than before: for a store that is not ours, its port is there now."""
        slot.address, slot.status_address = store.address, store.status_address
        if slot.ours:
            return
        host, port = self.status_at.get(slot.id) or split_address(store.status_address)
        if slot.pulse is not None:
            slot.pulse.close()
        slot.pulse = self._pulse(host, port, STATUS) if host and port else None
        slot.failing_since, slot.next_try = None, 0.0

    def _name(self, store: Store) -> str:
        host = split_address(store.address)[0]
        for name in (host, split_address(store.status_address)[0], self._by_place.get(store.status_address, "")):
            if name in self.stores and self.stores[name].ours:
                return name
        label = host.partition(".")[0]
        usable = _USABLE.fullmatch(label) and not _is_ip(host) and label not in self._taken and label not in self.pds
        name = label if usable else f"store-{store.id}"
        self._taken.add(name)
        return name


def _reach(pulse: Pulse | None) -> Reach:
    if pulse is None:
        return UNASKED
    return Reach(pulse.contact, pulse.silent_for_s, pulse.answered_at is not None, pulse.answering_for_s)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def places(endpoints: Iterable[str]) -> list[tuple[str, int]]:
    """Host and port of URLs; a port that is not given is PD's."""
    found = [split_address(url.partition("://")[2].partition("/")[0]) for url in endpoints]
    return [(host, port or 2379) for host, port in found]
