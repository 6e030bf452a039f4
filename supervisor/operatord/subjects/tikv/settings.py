"""Every option of the subject (``[subject.tikv]``) that the looking half reads: default, unit and lowest value."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from operator_protocol.errors import BadRequest
from operator_protocol.models import Scalar
from operatord.subjects.tikv.pd.tls import Tls


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
    """PEM file of the authority that signed the cluster's certificates; empty for those that the system trusts."""
    tls_cert: str = ""
    """PEM file with our client certificate; empty for none."""
    tls_key: str = ""
    """PEM file with its key; empty when ``tls_cert`` has it as well."""

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
    engine_lost_grace_s: float = field(default=1.0, metadata={"min": 0})
    """An engine that is merely restarted, with its containers living on, is back after a few."""

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
        settings._check_urls()
        return settings

    @property
    def tls(self) -> Tls | None:
        """How the cluster is spoken to; None for plain HTTP."""
        secure = self.tls_ca or self.tls_cert or any(url.startswith("https:") for url in self.endpoints)
        return Tls(self.tls_ca, self.tls_cert, self.tls_key) if secure else None

    @property
    def endpoints(self) -> tuple[str, ...]:
        """URLs of the PDs that are named, each with its port."""
        return urls(self.pd, secure=bool(self.tls_ca or self.tls_cert))

    def _check_urls(self) -> None:
        if self.tls_key and not self.tls_cert:
            raise BadRequest("subject.tikv.tls_key is set without tls_cert", "a key belongs to a certificate")
        schemes = {url.partition(":")[0] for url in self.endpoints}
        if self.pd and not schemes:
            raise BadRequest(
                f"subject.tikv.pd names no PD: {self.pd!r}", "write http://HOST:2379, or several with commas"
            )
        if len(schemes) > 1:
            raise BadRequest("subject.tikv.pd mixes http and https", "all servers of a cluster speak the same")
        if self.tls is not None and "http" in schemes:
            raise BadRequest("subject.tikv.pd says http, and tls_ca or tls_cert is set", "write https:// in its URLs")
        if self.prometheus:
            _split(self.prometheus, "prometheus", paths=True)

    def to_options(self) -> dict[str, Scalar]:
        """The flat map, complete with defaults, as it travels in a ``SubjectSpec``."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}


def urls(text: str, *, secure: bool = False) -> tuple[str, ...]:
    """The URLs of PDs in a list with commas; scheme and port 2379 are added where they are missing.

    Raises ``BadRequest`` for what can be none.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    scheme = "https" if secure else "http"
    return tuple(_split(word if "://" in word else f"{scheme}://{word}", "pd") for word in words)


def _split(url: str, key: str, *, paths: bool = False) -> str:
    """The URL without what does not belong there."""
    hint = "write http://HOST:PORT or https://HOST:PORT"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadRequest(f"subject.tikv.{key}: {url!r} is no URL: {error}", hint) from error
    if parts.scheme not in ("http", "https") or not host or any(char.isspace() for char in url):
        raise BadRequest(f"subject.tikv.{key}: {url!r} is no URL of a server", hint)
    if paths:
        return url
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise BadRequest(f"subject.tikv.{key}: {url!r} has more than a host and a port", hint)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or 2379}"


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
