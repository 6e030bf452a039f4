"""Every query that is asked, with its unit, in one table.

Series of TiKV carry the scrape target (``tikv0:20180``, the *status* address) as ``instance``, while PD knows a store
by its address (``tikv0:20160``): joining is done on the status address, never on the text of the other. PD's series
come from every PD; only the leader's are current.
"""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["1/s", "s", "bytes", "cores", "count", "ratio"]

WINDOW = "1m"
"""Four scrapes of 15 s: with fewer, ``rate`` has holes."""

_REQUESTS = 'type=~"raw_get|raw_put|kv_.*"'
_OF_LEADER = "and on(instance) etcd_server_is_leader == 1"


@dataclass(frozen=True, slots=True)
class Query:
    """A query by name; ``by`` is the label that its series are told apart by, empty for one figure."""

    name: str
    expression: str
    unit: Unit
    by: str = "instance"
    meaning: str = ""


QUERIES: tuple[Query, ...] = (
    Query("up", 'up{job="tikv"}', "count", meaning="1 while Prometheus can scrape the store"),
    Query(
        "scrape_age",
        'time() - max by (instance) (timestamp(up{job=~"tikv|pd"}))',
        "s",
        meaning="age of the newest scrape: what is older speaks of the past",
    ),
    Query(
        "ops",
        f'sum by (instance) (rate(tikv_grpc_msg_duration_seconds_count{{type!="kv_gc"}}[{WINDOW}]))',
        "1/s",
        meaning="requests served",
    ),
    Query(
        "p99",
        "histogram_quantile(0.99, sum by (le, instance) "
        f"(rate(tikv_grpc_msg_duration_seconds_bucket{{{_REQUESTS}}}[{WINDOW}])))",
        "s",
        meaning="99th percentile of what clients wait for",
    ),
    Query(
        "raft_log_lag",
        f"histogram_quantile(0.99, sum by (le, instance) (rate(tikv_raftstore_log_lag_bucket[{WINDOW}])))",
        "count",
        meaning="log entries by which followers are behind",
    ),
    Query("cpu", f'rate(process_cpu_seconds_total{{job="tikv"}}[{WINDOW}])', "cores", meaning="processor time used"),
    Query(
        "available",
        'tikv_store_size_bytes{type="available"}',
        "bytes",
        meaning="free space; TiKV refreshes it every 60 s",
    ),
    Query("capacity", 'tikv_store_size_bytes{type="capacity"}', "bytes", meaning="size of the disk"),
    Query("leaders", 'tikv_raftstore_region_count{type="leader"}', "count", meaning="regions that it leads"),
    Query("regions", 'tikv_raftstore_region_count{type="region"}', "count", meaning="regions that it has a peer of"),
    Query("slow_score", "tikv_raftstore_slow_score", "ratio", meaning="1 is well, 100 is as slow as can be"),
    Query("scheduler_pending", "sum by (instance) (tikv_scheduler_contex_total)", "count", meaning="writes under way"),
    Query(
        "unreachable",
        f'sum by (instance) (rate(tikv_server_report_failure_msg_total{{type="unreachable"}}[{WINDOW}]))',
        "1/s",
        meaning="messages that it could not deliver to other stores",
    ),
    Query(
        "pd_stores",
        f'pd_cluster_status{{type=~"store_.*_count"}} {_OF_LEADER}',
        "count",
        by="type",
        meaning="stores in each state, as the leader of PD counts them",
    ),
    Query(
        "pd_regions",
        f'pd_regions_status{{type=~".*-region-count"}} {_OF_LEADER}',
        "count",
        by="type",
        meaning="regions with a problem; PD's own alert for missing peers spells the type wrongly and cannot fire",
    ),
)

BY_NAME = {query.name: query for query in QUERIES}
