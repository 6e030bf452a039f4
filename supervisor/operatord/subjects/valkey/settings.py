"""Every option of the subject (``[subject.valkey]``), with its default, its unit and its lowest value."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from operator_protocol.errors import BadRequest
from operator_protocol.models import Scalar

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """Options as typed values; ``read`` builds them from the flat map of the configuration."""

    base_port: int = field(default=0, metadata={"min": 0, "max": 55_529})
    """First of six ports (the bus ports are 10,000 above); 0 picks free ones."""
    cluster_node_timeout_ms: int = field(default=1_000, metadata={"min": 100})
    """After this long without an answer the cluster itself holds a node for failed."""
    start_timeout_s: float = field(default=20.0, metadata={"min": 1})
    """A cluster that is not healthy by then did not start."""
    silence_s: float = field(default=0.8, metadata={"min": 0})
    """A node that accepts connections but has not answered for this long is down; until then it is degraded."""

    node_down_grace_s: float = field(default=0.0, metadata={"min": 0})
    node_cut_off_grace_s: float = field(default=3.0, metadata={"min": 0})
    """Longer than the others take to notice that a node that was started again is back."""
    cluster_state_grace_s: float = field(default=3.0, metadata={"min": 0})
    """Longer than a failover takes (1.5 to 1.8 s), so that one that works is not a violation of its own."""
    slot_uncovered_grace_s: float = field(default=3.0, metadata={"min": 0})
    primary_without_replica_grace_s: float = field(default=5.0, metadata={"min": 0})
    replication_link_grace_s: float = field(default=5.0, metadata={"min": 0})
    """Longer than a resynchronisation of the demo's data takes (about 1 s)."""
    replication_lag_bytes: int = field(default=4 * MIB, metadata={"min": 1})
    """Under half of the default replication backlog (10 MiB); at the default load it is 30 s of writes."""
    replication_lag_grace_s: float = field(default=3.0, metadata={"min": 0})
    memory_bytes: int = field(default=256 * MIB, metadata={"min": MIB})
    """Limit of ``used_memory`` of a node without ``maxmemory``; with it, nine tenths of that."""
    memory_grace_s: float = field(default=5.0, metadata={"min": 0})
    headroom_bytes: int = field(default=48 * MIB, metadata={"min": 0})
    """What the cgroup of a node must still have room for; 0 to not look."""
    headroom_grace_s: float = field(default=2.0, metadata={"min": 0})
    disk_bytes: int = field(default=512 * MIB, metadata={"min": MIB})
    """Limit of the files in the data directory of a node: twice ``memory_bytes``, for a snapshot and a log of it."""
    disk_grace_s: float = field(default=2.0, metadata={"min": 0})
    throttled_share: float = field(default=0.25, metadata={"min": 0.01, "max": 1})
    """Of the periods of its cgroup; what Kubernetes alerts on as well (CPUThrottlingHigh)."""
    stopped_share: float = field(default=0.15, metadata={"min": 0.01, "max": 1})
    """Of the glances at it."""
    retrans_share: float = field(default=0.05, metadata={"min": 0.001, "max": 1})
    """Of the TCP segments; with those of bystanders of a lossy node at 0.03 to 0.05, and a healthy one under 0.005."""
    strain_grace_s: float = field(default=3.0, metadata={"min": 0})
    """Of these and of ``transfer_ms``; their figures are those of the last 4 s."""
    transfer_ms: float = field(default=10.0, metadata={"min": 0.1})
    """By how much longer than a ping the answer to a whole look (about 9 kB) may take, at its quickest in 4 s; a
    healthy node shows 0.3 to 2 ms, behind a line of 256 KiB/s it is 20."""
    p99_ms: float = field(default=10.0, metadata={"min": 0.1})
    """A healthy node under the default load shows 0.1 to 1 ms; one that is stopped 70 % of the time about 14 ms."""
    p99_grace_s: float = field(default=5.0, metadata={"min": 0})

    workload_rate: float = field(default=2_000.0, metadata={"min": 1})
    """Operations per second of the load that belongs to this subject."""
    workload_threads: int = field(default=8, metadata={"min": 1})
    workload_records: int = field(default=1_000, metadata={"min": 1})

    @classmethod
    def read(cls, options: Mapping[str, Scalar]) -> "Settings":
        """Check ``options`` and fill in defaults. Raises ``BadRequest`` naming the key that is wrong."""
        known = {item.name: item for item in dataclasses.fields(cls)}
        values: dict[str, int | float] = {}
        for key, value in options.items():
            item = known.get(key)
            if item is None:
                raise BadRequest(f"subject.valkey has no option {key!r}", f"known: {', '.join(known)}")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadRequest(f"subject.valkey.{key} must be a number, not {value!r}")
            if item.type is int and not isinstance(value, int):
                raise BadRequest(f"subject.valkey.{key} must be a whole number, not {value!r}")
            low, high = item.metadata["min"], item.metadata.get("max")
            if value < low or (high is not None and value > high):
                bounds = f"at least {low}" if high is None else f"{low} to {high}"
                raise BadRequest(f"subject.valkey.{key} is {value}; it must be {bounds}")
            values[key] = value if item.type is int else float(value)
        return cls(**values)  # type: ignore[arg-type]  # each value was checked against its field just above

    def to_options(self) -> dict[str, Scalar]:
        """The flat map, complete with defaults, as it travels in a ``SubjectSpec``."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
