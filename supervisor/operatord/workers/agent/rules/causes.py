"""The causes that a diagnosis may name: a fixed list, so that answers can be counted and compared."""

from typing import Literal, get_args

Cause = Literal[
    "process_killed",
    "process_stopped",
    "process_crashed",
    "process_paused",
    "process_restarted",
    "shard_lost",
    "slow_node",
    "replication_broken",
    "memory_pressure",
    "network_partition",
    "overload",
    "no_quorum",
    "disk_full",
    "leaders_evicted",
    "clients_unserved",
    "engine_lost",
    "stop_and_go",
    "cpu_starved",
    "packet_loss",
    "network_slow",
    "network_narrow",
    "handed_over",
    "no_fault",
    "unknown",
]

CAUSES: tuple[str, ...] = get_args(Cause)

TITLES: dict[Cause, str] = {
    "process_killed": "killed from outside (SIGKILL)",
    "process_stopped": "stopped cleanly",
    "process_crashed": "crashed",
    "process_paused": "paused: alive but not running",
    "process_restarted": "restarted",
    "shard_lost": "every node of a shard lost",
    "slow_node": "one node slow",
    "replication_broken": "replication broken between live nodes",
    "memory_pressure": "out of memory, or nearly",
    "network_partition": "cut off from the other nodes",
    "overload": "more load than the nodes can serve",
    "no_quorum": "no leader: too few members live to elect one",
    "disk_full": "disk full, or nearly",
    "leaders_evicted": "leaders driven away by a scheduler",
    "clients_unserved": "alive, but serving no clients",
    "engine_lost": "the container engine does not answer",
    "stop_and_go": "stopped and continued again and again",
    "cpu_starved": "kept from its processor",
    "packet_loss": "its packets get lost",
    "network_slow": "its line is slow: everything takes longer on the way",
    "network_narrow": "its line is narrow: it carries less than is asked of it",
    "handed_over": "primary no more, in good order: its replica was told to take over",
    "no_fault": "nothing wrong now",
    "unknown": "not known",
}
