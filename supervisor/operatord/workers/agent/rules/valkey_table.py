"""The decision table for a Valkey cluster."""

from collections.abc import Mapping

from operatord.workers.agent.rules import signs
from operatord.workers.agent.rules.causes import Cause
from operatord.workers.agent.rules.rows import (
    ALONE,
    ANSWERED,
    DIP,
    ENDED_NOT_CUT_OFF,
    ENDED_NOT_PAUSED,
    ENDS,
    KILLED_BY_KERNEL,
    NO_FAULT,
    NOTICED,
    OVERLOAD,
    SLOW_NODE,
    TAKEOVER,
    UNKNOWN,
    Row,
    Sign,
)
from operatord.workers.agent.rules.signs import about, anywhere

_LIVES = Sign(about("process_lives"), "its process has not ended", 0.15)
_QUICK = Sign(about("quick_pings"), "some pings to {node} are as quick as ever: it is not the way that takes the time")
_NEVER_STOPPED = Sign(about("never_stopped"), "no glance found {node} stopped")
_CPU_FREE = Sign(about("cpu_free"), "{node} gets its processor when it wants it")
_LINE_CLEAN = Sign(about("line_clean"), "what {node} sends arrives at the first try")
_STOP_AND_GO = Sign(about("stop_and_go"), "{node} is stopped by a signal most of the time, which explains its lateness")
_CPU_WAITING = Sign(about("cpu_waiting"), "{node} waits for its processor, which explains its lateness")
_LOSSY = Sign(signs.loses, "what gets lost on the way is sent again, which explains the lateness")
_SLOW = Sign(signs.slow, "it answers later than its limit", 0.2)
_NARROW = Sign(about("line_narrow"), "small answers are quick and only large ones take long")
_ONLY = Sign(signs.only_one_slow, "no other node is slow", 0.15)

TABLE: tuple[Row, ...] = (
    Row(
        "shard_lost",
        0.8,
        needs=(Sign(signs.group_gone, "not one node of {group} answered"),),
        helps=(
            Sign(anywhere("process_ended"), "their processes ended", 0.35),
            Sign(anywhere("load_dipped"), "clients felt it", 0.1),
        ),
        against=(Sign(anywhere("group_member_up"), "{group} still had a node that answered"),),
        component="group",
    ),
    KILLED_BY_KERNEL,
    *ENDS,
    Row(
        "memory_pressure",
        0.7,
        needs=(
            Sign(signs.own_ticket("memory_headroom"), "it is asked what takes the memory"),
            Sign(about("headroom_gone"), "the cgroup of {node} has next to no room left"),
        ),
        helps=(
            Sign(signs.memory_not_its_own, "{node} itself uses little: something else in its cgroup does", 0.3),
            Sign(about("log_memory"), "it says so itself", 0.2),
            Sign(about("node_up"), "{node} itself answers", 0.15),
        ),
        against=(Sign(about("process_ended"), "the process of {node} ended, which says more than what it had left"),),
    ),
    Row(
        "process_paused",
        0.8,
        needs=(
            Sign(signs.stopped_in_kernel, "the kernel has, or had, the process of {node} stopped by a signal"),
            Sign(about("node_down"), "{node} does not answer, or did not for a while"),
        ),
        helps=(
            Sign(about("process_lives"), "the process has not ended", 0.3),
            Sign(signs.accepted_but_silent, "its port still accepts connections", 0.2),
            TAKEOVER,
            DIP,
            ALONE,
        ),
        against=(ENDED_NOT_PAUSED, ANSWERED, Sign(about("stop_and_go"), "{node} was stopped only at times")),
    ),
    Row(
        "clients_unserved",
        0.65,
        needs=(Sign(signs.heard_by_peers, "{node} answers no client, while its peers go on hearing from it"),),
        helps=(
            Sign(about("process_lives"), "its process has not ended", 0.2),
            Sign(signs.running_in_kernel, "the kernel has it running", 0.2),
            DIP,
            ALONE,
        ),
        against=(
            ENDED_NOT_PAUSED,
            Sign(signs.stopped_in_kernel, "the kernel has the process stopped"),
            Sign(signs.small_answers_only, "some of it comes through, which a pause of clients would not let"),
            ANSWERED,
        ),
    ),
    Row(
        "packet_loss",
        0.7,
        needs=(Sign(signs.loses, "{node} has to send again much more than the others"),),
        helps=(
            _SLOW,
            Sign(about("node_down"), "at times it did not answer at all", 0.1),
            _LIVES,
            Sign(about("cpu_free"), "it gets its processor when it wants it", 0.15),
            Sign(about("never_stopped"), "no glance found it stopped", 0.1),
            DIP,
        ),
        against=(
            ENDED_NOT_CUT_OFF,
            _STOP_AND_GO,
            _LINE_CLEAN,
            Sign(
                signs.cut_off_for_good, "chance loses some of everything, and here all of what its peers send is lost"
            ),
        ),
    ),
    Row(
        "process_paused",
        0.5,
        needs=(
            Sign(about("process_lives"), "the process of {node} has not ended"),
            Sign(about("node_down"), "{node} does not answer, or did not for a while"),
        ),
        helps=(
            Sign(signs.accepted_but_silent, "its port still accepted connections", 0.25),
            Sign(signs.same_process_back, "the same process went on where it had stopped", 0.35),
            TAKEOVER,
            ALONE,
        ),
        against=(
            ENDED_NOT_PAUSED,
            ANSWERED,
            Sign(signs.running_in_kernel, "the kernel has the process running, not stopped"),
            Sign(about("stop_and_go"), "{node} was stopped only at times"),
        ),
    ),
    Row(
        "network_partition",
        0.55,
        needs=(Sign(about("isolated"), "{node} answers us but not its peers"),),
        helps=(Sign(about("process_lives"), "the process has not ended", 0.3), TAKEOVER, NOTICED),
        against=(ENDED_NOT_CUT_OFF, Sign(signs.stopped_in_kernel, "the kernel has the process stopped")),
    ),
    Row(
        "network_partition",
        0.4,
        needs=(Sign(signs.cut_off, "neither we nor its peers reach {node}, though its process runs"),),
        helps=(
            Sign(about("process_lives"), "the process has not ended", 0.15),
            Sign(about("line_dead"), "nothing arrives at it", 0.5),
            TAKEOVER,
        ),
        against=(
            ENDED_NOT_CUT_OFF,
            Sign(signs.stopped_in_kernel, "the kernel has the process stopped"),
            Sign(signs.accepted_but_silent, "its port still accepts connections, so the network reaches it"),
            ANSWERED,
        ),
    ),
    Row(
        "stop_and_go",
        0.75,
        needs=(Sign(about("stop_and_go"), "many glances at {node} found it stopped by a signal, others did not"),),
        helps=(
            _SLOW,
            Sign(about("node_up"), "it does answer", 0.2),
            _ONLY,
            Sign(anywhere("load_steady"), "throughput hides it, as that of one slow node does", 0.1),
            Sign(about("quick_pings"), "between the stops it is quick", 0.15),
        ),
        against=(
            Sign(about("process_ended"), "the process of {node} ended: it is gone, not slow"),
            _NEVER_STOPPED,
            Sign(signs.stopped_for_good, "{node} is stopped, and did not go on in between"),
        ),
    ),
    Row(
        "cpu_starved",
        0.7,
        needs=(Sign(about("cpu_waiting"), "{node} waits for its processor most of the time"),),
        helps=(
            Sign(signs.limited, "its cgroup holds it back", 0.3),
            _SLOW,
            _ONLY,
            Sign(about("never_stopped"), "no glance found it stopped", 0.15),
            Sign(about("line_clean"), "nothing it sends is lost", 0.1),
        ),
        against=(
            Sign(about("process_ended"), "the process of {node} ended: it is gone, not slow"),
            _STOP_AND_GO,
            _CPU_FREE,
        ),
    ),
    Row(
        "network_slow",
        0.65,
        needs=(Sign(about("line_late"), "even the quickest ping to {node} takes long"),),
        helps=(
            _SLOW,
            _ONLY,
            Sign(about("cpu_free"), "it gets its processor when it wants it", 0.25),
            Sign(about("never_stopped"), "no glance found it stopped", 0.15),
            Sign(about("line_clean"), "nothing is lost", 0.1),
        ),
        against=(ENDED_NOT_CUT_OFF, _STOP_AND_GO, _CPU_WAITING, _LOSSY, _NARROW, _QUICK),
    ),
    Row(
        "network_narrow",
        0.6,
        needs=(Sign(about("line_narrow"), "large answers of {node} take long"),),
        helps=(
            _SLOW,
            Sign(about("quick_pings"), "small ones do not", 0.25),
            Sign(about("cpu_free"), "it gets its processor when it wants it", 0.25),
            Sign(about("never_stopped"), "no glance found it stopped", 0.15),
            _ONLY,
        ),
        against=(ENDED_NOT_CUT_OFF, _STOP_AND_GO, _CPU_WAITING, _LOSSY),
    ),
    Row(
        "network_narrow",
        0.4,
        needs=(Sign(signs.choked, "what is small comes through to and from {node}, and what is large does not"),),
        helps=(
            Sign(about("cpu_free"), "it gets its processor when it wants it", 0.15),
            Sign(about("never_stopped"), "no glance found it stopped", 0.1),
            DIP,
        ),
        against=(ENDED_NOT_CUT_OFF, _STOP_AND_GO, _CPU_WAITING, _LOSSY),
    ),
    Row(
        "memory_pressure",
        0.7,
        needs=(Sign(signs.memory_short, "{node} is short of memory"),),
        helps=(
            Sign(about("log_memory"), "it says so itself", 0.35),
            Sign(about("figure"), "the figure shows the growth", 0.15),
        ),
        against=(Sign(signs.memory_ample, "{node} used little memory before the onset"),),
    ),
    Row(
        "disk_full",
        0.65,
        needs=(Sign(about("disk_grown"), "the data directory of {node} holds more than it should"),),
        helps=(
            Sign(about("log_disk"), "its log tells of it", 0.3),
            Sign(signs.disk_not_its_own, "its own data is a fraction of that", 0.35),
            Sign(about("node_up"), "{node} itself answers", 0.15),
        ),
        against=(Sign(about("process_ended"), "the process of {node} ended: a full disk does not do that to it"),),
    ),
    OVERLOAD,
    SLOW_NODE,
    Row(
        "replication_broken",
        0.62,
        needs=(Sign(signs.replication_short, "replication in {group} does not hold"),),
        helps=(
            Sign(about("node_up"), "{node} answers", 0.25),
            Sign(anywhere("group_member_up"), "its peer answers", 0.25),
            Sign(anywhere("log_other"), "the logs tell of the broken link", 0.25),
        ),
        against=(
            Sign(signs.peer_ended, "a process of {group} ended, and a link cannot outlive its end"),
            Sign(about("node_down"), "{node} does not answer, which explains the link"),
        ),
    ),
    Row(
        "handed_over",
        0.75,
        needs=(Sign(about("handed_over"), "{node} gave its slots to its replica while both were up"),),
        helps=(
            Sign(anywhere("failover"), "the replica is the primary now", 0.2),
            Sign(about("node_up"), "{node} answered throughout", 0.3),
            Sign(anywhere("load_steady"), "clients did not notice", 0.1),
        ),
        against=(
            Sign(about("process_ended"), "the process of {node} ended, and its replica took its place for that"),
            Sign(about("node_down"), "{node} did not answer, and its replica took its place for that"),
            Sign(about("isolated"), "{node} was cut off, and its replica took its place for that"),
        ),
    ),
    NO_FAULT,
    UNKNOWN,
)

RIVALS: Mapping[Cause, tuple[Cause, ...]] = {
    "process_killed": (
        "process_stopped", "process_paused", "process_crashed", "memory_pressure", "network_partition",
        "process_restarted",
    ),
    "process_stopped": ("process_killed", "process_crashed", "process_restarted", "process_paused"),
    "process_crashed": ("process_killed", "process_stopped", "memory_pressure", "process_paused"),
    "process_paused": (
        "process_killed", "network_partition", "stop_and_go", "clients_unserved", "slow_node", "process_restarted",
    ),
    "process_restarted": ("process_killed", "process_stopped", "process_crashed", "process_paused"),
    "shard_lost": ("network_partition", "process_paused", "overload", "replication_broken"),
    "clients_unserved": ("process_paused", "network_partition", "packet_loss", "process_killed", "handed_over"),
    "stop_and_go": ("cpu_starved", "process_paused", "network_slow", "packet_loss", "overload"),
    "cpu_starved": ("stop_and_go", "network_slow", "network_narrow", "packet_loss", "overload"),
    "packet_loss": ("network_partition", "cpu_starved", "stop_and_go", "network_slow", "network_narrow"),
    "network_slow": ("cpu_starved", "stop_and_go", "packet_loss", "network_narrow", "overload"),
    "network_narrow": ("network_slow", "cpu_starved", "stop_and_go", "packet_loss", "overload"),
    "slow_node": ("stop_and_go", "cpu_starved", "packet_loss", "network_slow", "overload", "process_paused"),
    "replication_broken": ("process_killed", "process_paused", "network_partition", "memory_pressure"),
    "memory_pressure": ("slow_node", "cpu_starved", "disk_full", "overload", "process_killed"),
    "disk_full": ("memory_pressure", "slow_node", "cpu_starved", "process_killed"),
    "network_partition": ("process_paused", "process_killed", "packet_loss", "handed_over", "overload"),
    "overload": ("slow_node", "memory_pressure", "cpu_starved", "process_killed"),
    "handed_over": ("process_killed", "process_paused", "network_partition", "slow_node"),
    "no_fault": ("process_killed", "process_paused", "slow_node"),
    "unknown": (
        "clients_unserved", "network_partition", "process_paused", "process_killed", "process_stopped", "slow_node",
        "no_fault",
    ),
}  # fmt: skip
"""What else could look like this, the nearest first: the alternatives that an answer must have considered."""
