"""Every option of the subject (``[subject.tikv]``) that the looking half reads: default, unit and lowest value."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from operator_protocol.errors import BadRequest
from operator_protocol.models import Scalar


@dataclass(frozen=True, slots=True)
class Settings:
    """Options as typed values; ``read`` builds them from the flat map of the configuration."""

    pd: str = ""
    """URLs of PDs, separated by commas; empty: those of the spec's members. PDs that these tell of are asked, too."""
    prometheus: str = ""
    """URL of a Prometheus that scrapes the cluster; empty for none."""
    status: str = ""
    """``NAME=HOST:PORT,…``: where status ports are reached from here, when not where PD says they are."""
    data: str = ""
    """``NAME=HOST:PORT,…``: where the stores' data ports are reached from here; only these are tried."""
    tls_ca: str = ""
    """PEM file of the authority that signed the cluster's certificates; empty for plain HTTP."""
    tls_cert: str = ""
    tls_key: str = ""

    silence_s: float = field(default=1.0, metadata={"min": 0})
    """A server that accepts connections but has not answered for this long is down; until then it is degraded."""
    probes_per_look: int = field(default=100, metadata={"min": 1})
    """Status ports asked in one look, the doubtful first; of a larger cluster the others wait for their turn."""
    prometheus_every_s: float = field(default=5.0, metadata={"min": 0.1})
    """Metrics are asked for this often; TiKV refreshes some of them once a minute."""
    regions_every_s: float = field(default=5.0, metadata={"min": 0.1})
    regions_listed: int = field(default=5_000, metadata={"min": 0})
    """PD counts regions with a problem by listing them: not asked for in a cluster of more regions than this, where
    only Prometheus tells. Statistics of all regions are asked for every ``regions_every_s`` there, not in each look."""
    health_every_s: float = field(default=2.0, metadata={"min": 0.1})
    """PD asks its members one after the other, and waits 3 s for each that is frozen."""

    store_down_grace_s: float = field(default=0.0, metadata={"min": 0})
    store_disconnected_grace_s: float = field(default=2.0, metadata={"min": 0})
    offline_stuck_s: float = field(default=1_800.0, metadata={"min": 1})
    """A store that is being drained and has lost no region for this long is stuck."""
    pd_unhealthy_grace_s: float = field(default=0.0, metadata={"min": 0})
    pd_leader_grace_s: float = field(default=5.0, metadata={"min": 0})
    """Longer than an election (about 4 s until timestamps are served again), so that one that works is no violation."""
    quorum_margin: int = field(default=1, metadata={"min": 0})
    """PDs that may be lost before the majority is; fewer is a violation, in clusters that had them."""
    quorum_margin_grace_s: float = field(default=2.0, metadata={"min": 0})
    p99_ms: float = field(default=200.0, metadata={"min": 0.001})
    p99_grace_s: float = field(default=5.0, metadata={"min": 0})
    low_space_share: float = field(default=0.2, metadata={"min": 0, "max": 1})
    """PD's own limit: under this share of the disk it places no more replicas there."""
    low_space_grace_s: float = field(default=0.0, metadata={"min": 0})
    region_grace_s: float = field(default=30.0, metadata={"min": 0})
    """Of regions that miss a peer or have one that is down: PD repairs most of them by itself."""
    leader_imbalance_share: float = field(default=0.5, metadata={"min": 0, "max": 1})
    """Of the mean: a store that leads more or less by this share, and by ``leader_imbalance_least`` at least."""
    leader_imbalance_least: int = field(default=5, metadata={"min": 1})
    leader_imbalance_grace_s: float = field(default=60.0, metadata={"min": 0})
    """The balance is restored at PD's pace, one leader after the other."""
    leaders_evicted_grace_s: float = field(default=0.0, metadata={"min": 0})
    raft_log_lag: int = field(default=5_000, metadata={"min": 1})
    """Entries; TiKV's own alert."""
    raft_log_lag_grace_s: float = field(default=10.0, metadata={"min": 0})
    scheduler_pending: int = field(default=1_000, metadata={"min": 1})
    """Writes that wait in a store's scheduler."""
    scheduler_grace_s: float = field(default=10.0, metadata={"min": 0})
    stale_metrics_s: float = field(default=60.0, metadata={"min": 0.5})
    """Four scrapes of 15 s: what is older speaks of the past."""
    stale_metrics_grace_s: float = field(default=0.0, metadata={"min": 0})
    data_port_grace_s: float = field(default=0.5, metadata={"min": 0})

    @classmethod
    def read(cls, options: Mapping[str, Scalar]) -> "Settings":
        """Check ``options`` and fill in defaults. Raises ``BadRequest`` naming the key that is wrong."""
        known = {item.name: item for item in dataclasses.fields(cls)}
        values: dict[str, str | int | float] = {}
        for key, value in options.items():
            item = known.get(key)
            if item is None:
                raise BadRequest(f"subject.tikv has no option {key!r}", f"known: {', '.join(known)}")
            values[key] = _text(key, value) if item.type is str else _number(key, value, item)
        settings = cls(**values)  # type: ignore[arg-type]  # each value was checked against its field just above
        for text in (settings.status, settings.data):
            addresses(text)
        return settings

    def to_options(self) -> dict[str, Scalar]:
        """The flat map, complete with defaults, as it travels in a ``SubjectSpec``."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}


def urls(text: str) -> tuple[str, ...]:
    """The URLs in a list with commas; ``http://`` is added where there is no scheme."""
    words = [word.strip().rstrip("/") for word in text.split(",") if word.strip()]
    return tuple(word if "://" in word else f"http://{word}" for word in words)


def addresses(text: str) -> dict[str, tuple[str, int]]:
    """``NAME=HOST:PORT,…`` as a map. Raises ``BadRequest``."""
    found = {}
    for word in (word.strip() for word in text.split(",") if word.strip()):
        name, equals, address = word.partition("=")
        host, port = split_address(address)
        if not (name and equals and host and port):
            raise BadRequest(
                f"not an address by name: {word!r}", "write NAME=HOST:PORT,…, such as tikv0=10.0.0.1:20180"
            )
        found[name] = (host, port)
    return found


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[::1]:port``; port 0 where there is none."""
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isascii() and port.isdigit() else (address.strip("[]"), 0)


def _text(key: str, value: Scalar) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"subject.tikv.{key} must be a text, not {value!r}")
    return value


def _number(key: str, value: Scalar, item: "dataclasses.Field[object]") -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest(f"subject.tikv.{key} must be a number, not {value!r}")
    if item.type is int and not isinstance(value, int):
        raise BadRequest(f"subject.tikv.{key} must be a whole number, not {value!r}")
    low, high = item.metadata["min"], item.metadata.get("max")
    if not low <= value or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"{low} to {high}"
        raise BadRequest(f"subject.tikv.{key} is {value}; it must be {bounds}")
    return value if item.type is int else float(value)
