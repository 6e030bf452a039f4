"""What PD answers, as records: the fields that are used, read leniently, since PD adds some with each version.

A field that PD leaves out because it is zero is zero here; one that is missing although it must not be makes the
answer one of another version, which is an error (``BadAnswer``), never a default that looks healthy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from operator_protocol.errors import Unavailable
from operatord.subjects.tikv.pd.units import duration_s, size_bytes, timestamp

StoreState = Literal["Up", "Disconnected", "Down", "Offline", "Tombstone"]
STORE_STATES: tuple[StoreState, ...] = ("Up", "Disconnected", "Down", "Offline", "Tombstone")


class BadAnswer(Unavailable):
    """PD answered something that is not what this version of the API says."""


class Fields:
    """One JSON object, read field by field; ``where`` names it in errors."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise BadAnswer(f"PD: {where} is {type(value).__name__}, not an object", "is this a PD of version 8?")
        self._map: Mapping[str, Any] = value
        self._where = where

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        return cast("str", self._typed(name, str, default))

    def number(self, name: str, default: int | None = None) -> int:
        """An integer of up to 64 bits."""
        value = self._typed(name, int, default)
        if value is True or value is False:
            raise self._bad(name, value)
        return cast("int", value)

    def real(self, name: str, default: float | None = None) -> float:
        """Any number."""
        value = self._map.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._bad(name, value)
        return float(value)

    def truth(self, name: str, default: bool | None = None) -> bool:
        """True or false."""
        return cast("bool", self._typed(name, bool, default))

    def texts(self, name: str) -> tuple[str, ...]:
        """An array of texts; missing is empty."""
        return tuple(str(item) for item in self.items(name))

    def items(self, name: str) -> Sequence[object]:
        """An array; missing and null are empty, as Go writes both."""
        value = self._map.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._bad(name, value)
        return value

    def children(self, name: str) -> "list[Fields]":
        """An array of objects."""
        return [Fields(item, f"{self._where}.{name}[]") for item in self.items(name)]

    def child(self, name: str) -> "Fields":
        """An object that must be there."""
        return Fields(self._map.get(name), f"{self._where}.{name}")

    def counts(self, name: str) -> dict[int, int]:
        """A map of store ids (texts in JSON) to counts; missing is empty."""
        value = self._map.get(name)
        if value is None:
            return {}
        try:
            return {int(key): int(count) for key, count in dict(value).items()}
        except (TypeError, ValueError) as error:
            raise self._bad(name, value) from error

    def size(self, name: str) -> float | None:
        """Bytes of a size text; None where it is missing."""
        return self._read(name, size_bytes)

    def duration(self, name: str) -> float | None:
        """Seconds of a duration text; None where it is missing."""
        return self._read(name, duration_s)

    def time(self, name: str) -> float | None:
        """Seconds since the epoch of a time text; None where it is missing."""
        return self._read(name, timestamp)

    def has(self, name: str) -> bool:
        """Whether there is such a field."""
        return name in self._map

    def _read(self, name: str, convert: Any) -> float | None:
        text = self._map.get(name)
        if text is None:
            return None
        try:
            return float(convert(text))
        except (TypeError, ValueError, AttributeError) as error:
            raise self._bad(name, text) from error

    def _typed(self, name: str, kind: type, default: object) -> object:
        value = self._map.get(name, default)
        if not isinstance(value, kind):
            raise self._bad(name, value)
        return value

    def _bad(self, name: str, value: object) -> BadAnswer:
        said = "missing" if value is None else f"{value!r:.60}"
        return BadAnswer(f"PD: {self._where}.{name} is {said}", "is this a PD of version 8?")


@dataclass(frozen=True, slots=True)
class Member:
    """A PD of the cluster (``/members``)."""

    name: str
    member_id: int
    client_urls: tuple[str, ...]
    version: str = ""

    @classmethod
    def read(cls, fields: Fields) -> "Member":
        """From an entry of ``members``, or ``leader``."""
        return cls(
            fields.text("name"),
            fields.number("member_id"),
            fields.texts("client_urls"),
            fields.text("binary_version", ""),
        )


@dataclass(frozen=True, slots=True)
class Members:
    """All PDs and the one that leads; ``leader`` is None while there is none."""

    cluster_id: int
    members: tuple[Member, ...]
    leader: Member | None

    @classmethod
    def read(cls, value: object) -> "Members":
        """From ``GET /members``."""
        fields = Fields(value, "members")
        leader = Member.read(fields.child("leader")) if fields.has("leader") and _is_object(value, "leader") else None
        members = tuple(Member.read(item) for item in fields.children("members"))
        return cls(fields.child("header").number("cluster_id", 0), members, leader if leader and leader.name else None)


@dataclass(frozen=True, slots=True)
class MemberHealth:
    """An entry of ``GET /health``: what one PD says of another."""

    name: str
    member_id: int
    healthy: bool

    @classmethod
    def read_all(cls, value: object) -> "tuple[MemberHealth, ...]":
        """From ``GET /health``, an array."""
        found = []
        for item in _array(value, "health"):
            fields = Fields(item, "health[]")
            found.append(cls(fields.text("name", ""), fields.number("member_id"), fields.truth("health")))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Store:
    """A TiKV store, as PD sees it: sizes in bytes, as rounded as PD writes them."""

    id: int
    address: str
    status_address: str
    state: StoreState
    version: str = ""
    labels: Mapping[str, str] | None = None
    capacity: float | None = None
    available: float | None = None
    used: float | None = None
    leader_count: int = 0
    region_count: int = 0
    slow_score: float | None = None
    pending_peers: int = 0
    busy: bool = False
    last_heartbeat_at: float | None = None
    uptime_s: float | None = None

    @classmethod
    def read(cls, value: object) -> "Store":
        """From ``GET /store/{id}``, or an entry of ``stores``."""
        whole = Fields(value, "store")
        store, status = whole.child("store"), whole.child("status")
        state = store.text("state_name")
        if state not in STORE_STATES:
            raise BadAnswer(f"PD: store.state_name is {state!r}", f"known: {', '.join(STORE_STATES)}")
        heartbeat_ns = store.number("last_heartbeat", 0)
        labels = {item.text("key"): item.text("value", "") for item in store.children("labels")}
        return cls(
            id=store.number("id"),
            address=store.text("address"),
            status_address=store.text("status_address", ""),
            state=state,
            version=store.text("version", ""),
            labels=labels,
            capacity=status.size("capacity"),
            available=status.size("available"),
            used=status.size("used_size"),
            leader_count=status.number("leader_count", 0),
            region_count=status.number("region_count", 0),
            slow_score=status.real("slow_score") if status.has("slow_score") else None,
            pending_peers=status.number("pending_peer_count", 0),
            busy=status.truth("is_busy", default=False),
            last_heartbeat_at=heartbeat_ns / 1e9 if heartbeat_ns else status.time("last_heartbeat_ts"),
            uptime_s=status.duration("uptime"),
        )

    @classmethod
    def read_all(cls, value: object) -> "tuple[Store, ...]":
        """From ``GET /stores``."""
        return tuple(cls.read(item) for item in Fields(value, "stores").items("stores"))


@dataclass(frozen=True, slots=True)
class RegionStats:
    """``GET /stats/region``: how the regions lie. Sizes in bytes (PD counts MiB)."""

    count: int
    empty: int
    size: float
    keys: int
    leaders: Mapping[int, int]
    """Store id to regions that it leads."""
    peers: Mapping[int, int]

    @classmethod
    def read(cls, value: object) -> "RegionStats":
        """From its answer."""
        fields = Fields(value, "stats")
        return cls(
            count=fields.number("count", 0),
            empty=fields.number("empty_count", 0),
            size=fields.real("storage_size", 0.0) * 1024 * 1024,
            keys=fields.number("storage_keys", 0),
            leaders=fields.counts("store_leader_count"),
            peers=fields.counts("store_peer_count"),
        )


@dataclass(frozen=True, slots=True)
class Peer:
    """A replica of a region."""

    id: int
    store_id: int
    role: str = ""

    @classmethod
    def read(cls, fields: Fields) -> "Peer":
        """From an entry of ``peers``, or ``leader``."""
        return cls(fields.number("id", 0), fields.number("store_id", 0), fields.text("role_name", ""))


@dataclass(frozen=True, slots=True)
class Region:
    """A region; ``leader`` is None while PD knows of none."""

    id: int
    start_key: str
    end_key: str
    peers: tuple[Peer, ...]
    leader: Peer | None
    down_peers: tuple[tuple[int, float], ...] = ()
    """Store id, and for how many seconds it has been down."""
    pending_peers: tuple[int, ...] = ()
    """Store ids."""

    @classmethod
    def read(cls, value: object) -> "Region":
        """From ``GET /region/id/{id}``, or an entry of ``regions``."""
        fields = Fields(value, "region")
        leader = Peer.read(fields.child("leader")) if _is_object(value, "leader") else None
        return cls(
            id=fields.number("id"),
            start_key=fields.text("start_key", ""),
            end_key=fields.text("end_key", ""),
            peers=tuple(Peer.read(item) for item in fields.children("peers")),
            leader=leader if leader and leader.store_id else None,
            down_peers=tuple(
                (item.child("peer").number("store_id"), item.real("down_seconds", 0.0))
                for item in fields.children("down_peers")
            ),
            pending_peers=tuple(item.number("store_id") for item in fields.children("pending_peers")),
        )


def region_count(value: object) -> int:
    """``count`` of ``GET /regions/check/…``."""
    return Fields(value, "regions").number("count", 0)


def regions(value: object) -> tuple[Region, ...]:
    """From ``GET /regions…``."""
    return tuple(Region.read(item) for item in Fields(value, "regions").items("regions"))


def operated(value: object) -> tuple[int, ...]:
    """Region ids of ``GET /operators?object``; an operator that names none is passed over."""
    fields = [Fields(item, "operator") for item in _array(value, "operators") if isinstance(item, dict)]
    return tuple(one.number("region_id") for one in fields if one.has("region_id"))


def names(value: object) -> tuple[str, ...]:
    """An array of texts: schedulers, operators."""
    return tuple(str(item) for item in _array(value, "names"))


def _array(value: object, where: str) -> Sequence[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadAnswer(f"PD: {where} is {type(value).__name__}, not an array", "is this a PD of version 8?")
    return value


def _is_object(value: object, name: str) -> bool:
    return isinstance(value, dict) and isinstance(value.get(name), dict)
