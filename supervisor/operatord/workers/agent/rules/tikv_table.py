"""The decision table for a TiKV cluster.

Ends of processes mean the same everywhere, so those rows are the common ones. The others are about what a container
may suffer while it runs, about PD's majority, and about what PD was told to do.
"""

from collections.abc import Mapping
from dataclasses import replace

from operatord.workers.agent.rules import signs
from operatord.workers.agent.rules.causes import Cause
from operatord.workers.agent.rules.rows import (
    ANSWERED,
    DIP,
    ENDS,
    KILLED_BY_KERNEL,
    NO_FAULT,
    OVERLOAD,
    SLOW_NODE,
    UNKNOWN,
    Row,
    Sign,
)
from operatord.workers.agent.rules.signs import about, anywhere

_MOVED = Sign(about("leaders_moved"), "its regions elected other leaders", 0.1)
_LIVES = Sign(about("process_lives"), "its container never ended", 0.25)
_ENDED = Sign(about("process_ended"), "its container ended")
_PAUSED = Sign(signs.stopped_in_kernel, "its container is paused")
_NOTICED = Sign(anywhere("log_peers_noticed"), "other stores wrote that they cannot reach it", 0.15)
_ALONE = Sign(anywhere("bystanders_up"), "the other nodes kept answering, so it is not the host", 0.1)


TABLE: tuple[Row, ...] = (
    Row(
        "engine_lost",
        0.85,
        needs=(Sign(signs.engine_lost, "the engine that the containers run on did not answer"),),
        helps=(Sign(anywhere("load_dipped"), "clients felt it, whose ports the engine forwards", 0.2),),
        component="subject",
    ),
    Row(
        "no_quorum",
        0.7,
        needs=(Sign(signs.leaderless, "PD had no leader"),),
        helps=(
            Sign(anywhere("quorum_lost"), "too few PDs answer to elect one", 0.5),
            Sign(anywhere("process_ended"), "their containers ended", 0.3),
            Sign(anywhere("load_dipped"), "clients felt it", 0.1),
        ),
        component="group",
    ),
    KILLED_BY_KERNEL,
    *(replace(row, helps=(*row.helps, _MOVED)) for row in ENDS),
    Row(
        "process_paused",
        0.85,
        needs=(
            Sign(signs.stopped_in_kernel, "the engine has, or had, the container of {node} paused"),
            Sign(about("node_down"), "{node} does not answer, or did not for a while"),
        ),
        helps=(_LIVES, _MOVED, _NOTICED, DIP, _ALONE),
        against=(_ENDED, ANSWERED),
    ),
    Row(
        "network_partition",
        0.6,
        needs=(Sign(about("isolated"), "{node} answers us, while PD hears nothing from it"),),
        helps=(_LIVES, _MOVED, _NOTICED, DIP),
        against=(_ENDED, _PAUSED),
    ),
    Row(
        "network_partition",
        0.55,
        needs=(Sign(signs.unreached_but_running, "the container of {node} runs, and its ports cannot be reached"),),
        helps=(
            Sign(signs.lost_by_cluster, "PD hears nothing from it either", 0.3),
            _LIVES,
            _MOVED,
            _NOTICED,
            DIP,
            _ALONE,
        ),
        against=(
            _ENDED,
            _PAUSED,
            Sign(signs.accepted_but_silent, "its port still accepts connections, so the network reaches it"),
            ANSWERED,
        ),
    ),
    Row(
        "process_paused",
        0.45,
        needs=(
            Sign(about("process_lives"), "the container of {node} has not ended"),
            Sign(signs.accepted_but_silent, "its port accepts connections and nothing answers"),
        ),
        helps=(Sign(signs.same_process_back, "it went on where it had stopped", 0.35), _MOVED, _NOTICED, _ALONE),
        against=(_ENDED, ANSWERED),
    ),
    Row(
        "clients_unserved",
        0.75,
        needs=(Sign(about("clients_unserved"), "{node} answers on its status port, and not its clients"),),
        helps=(_LIVES, DIP, _MOVED, _NOTICED, _ALONE),
        against=(_ENDED, _PAUSED, Sign(about("node_down"), "{node} does not answer at all")),
    ),
    Row(
        "leaders_evicted",
        0.8,
        needs=(Sign(about("evicting"), "PD was told to drive the leaders of {node} away"),),
        helps=(
            Sign(about("leaders_moved"), "and it did", 0.3),
            Sign(about("node_up"), "{node} itself is well", 0.2),
            Sign(anywhere("load_steady"), "clients did not notice", 0.1),
        ),
        against=(_ENDED, Sign(about("node_down"), "{node} does not answer, which moves its leaders by itself")),
    ),
    Row(
        "disk_full",
        0.75,
        needs=(Sign(about("disk_short"), "the disk of {node} is nearly full"),),
        helps=(
            Sign(about("log_disk"), "its log tells of it", 0.4),
            Sign(about("node_up"), "{node} itself answers", 0.15),
        ),
        against=(_ENDED, Sign(about("node_down"), "{node} does not answer, which no want of space explains")),
    ),
    OVERLOAD,
    SLOW_NODE,
    NO_FAULT,
    UNKNOWN,
)

RIVALS: Mapping[Cause, tuple[Cause, ...]] = {
    "engine_lost": ("no_quorum", "process_stopped", "network_partition", "no_fault"),
    "no_quorum": ("network_partition", "process_paused", "overload"),
    "process_killed": (
        "process_stopped", "process_paused", "process_crashed", "network_partition", "disk_full", "process_restarted",
    ),
    "process_stopped": ("process_killed", "process_crashed", "process_restarted", "process_paused"),
    "process_crashed": ("process_killed", "process_stopped", "disk_full", "process_paused"),
    "process_paused": ("process_killed", "network_partition", "clients_unserved", "leaders_evicted"),
    "process_restarted": ("process_killed", "process_stopped", "process_crashed", "process_paused"),
    "memory_pressure": ("process_stopped", "process_crashed", "process_paused"),
    "network_partition": ("process_paused", "process_killed", "clients_unserved", "leaders_evicted"),
    "clients_unserved": ("process_paused", "network_partition", "process_killed", "overload"),
    "leaders_evicted": ("process_killed", "network_partition", "slow_node", "process_paused"),
    "disk_full": ("process_killed", "process_crashed", "slow_node"),
    "slow_node": ("overload", "disk_full", "process_paused", "process_killed"),
    "overload": ("slow_node", "disk_full", "process_killed"),
    "no_fault": ("process_killed", "process_paused", "slow_node", "leaders_evicted"),
    "unknown": ("process_killed", "process_paused", "network_partition", "slow_node", "no_fault"),
}  # fmt: skip
"""What else could look like this, the nearest first."""
