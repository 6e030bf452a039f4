"""The decision table: for each cause what it needs, what speaks for it, what rules it out.

Rows stand from the special to the general; the first row whose needs are all found and which nothing rules out is the
answer.

Weights are judgements, not measurements: the share of the remaining doubt that an engineer would drop for having seen
that item too. So every item counts, none makes up for a need, and no answer is ever certain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from operatord.workers.agent import signs
from operatord.workers.agent.causes import Cause
from operatord.workers.agent.signs import Find, about, anywhere


@dataclass(frozen=True, slots=True)
class Sign:
    """Something to look for, and what it means when it is found. ``{node}`` and ``{group}`` are filled in."""

    find: Find
    means: str
    weight: float = 0.0
    """Share of the remaining doubt that it removes, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to arrive at a cause."""

    cause: Cause
    base: float
    """Confidence with the needs alone."""
    needs: tuple[Sign, ...] = ()
    helps: tuple[Sign, ...] = ()
    against: tuple[Sign, ...] = ()
    component: Literal["node", "group", "subject"] = "node"


_ENDED = Sign(about("process_ended"), "the process of {node} ended")
_SILENT = Sign(about("node_down"), "{node} stopped answering", 0.25)
_ALONE = Sign(anywhere("bystanders_up"), "the other nodes kept answering, so it is not the host or the network", 0.1)
_NOTICED = Sign(anywhere("log_peers_noticed"), "its peers noticed by themselves", 0.1)
_TAKEOVER = Sign(anywhere("failover"), "its group elected another primary", 0.1)
_DIP = Sign(anywhere("load_dipped"), "clients felt it at that moment", 0.1)

_NOT_ENDED = Sign(about("process_lives"), "the process of {node} never ended")
_KILLED_NOT_STOPPED = Sign(
    signs.killed_without_a_word, "SIGKILL ended it, while a server that is asked to stop says so and exits by itself"
)
_KILLED_NOT_CRASHED = Sign(
    signs.killed_without_a_word, "SIGKILL ended it, while a crash ends by another signal and leaves a report"
)
_WAS_CLEAN = Sign(signs.ended_cleanly, "it ended the way a server ends that was asked to stop")
_WAS_CRASH = Sign(signs.ended_by_crash, "its own status says that it failed")
_SOON_BACK = Sign(signs.restarted_soon, "it was running again within seconds: a restart, not a loss")
_ENDED_NOT_PAUSED = Sign(about("process_ended"), "a paused process has not ended, and this one did")
_ENDED_NOT_CUT_OFF = Sign(about("process_ended"), "its process ended: no network is needed to explain the silence")
_ENDED_NOT_LOADED = Sign(about("process_ended"), "load slows a server down, and the process of {node} ended")
_ANSWERED = Sign(signs.answered, "{node} answered throughout")

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
    Row(
        "process_restarted",
        0.72,
        needs=(Sign(signs.restarted_soon, "{node} runs as a new process shortly after"),),
        helps=(
            Sign(about("process_ended"), "the end of the old process is on record", 0.3),
            Sign(about("node_returned"), "{node} answers again", 0.25),
            Sign(about("new_identity"), "{node} has a new identity", 0.15),
        ),
        against=(
            Sign(signs.not_restarted, "the process ended and was not started again soon after"),
            _NOT_ENDED,
        ),
    ),
    Row(
        "process_stopped",
        0.72,
        needs=(
            _ENDED,
            Sign(about("log_shutdown"), "its own log announces the shutdown"),
        ),
        helps=(Sign(signs.ended_cleanly, "its status is that of a clean end", 0.5), _SILENT, _ALONE),
        against=(_SOON_BACK, _WAS_CRASH, _NOT_ENDED),
    ),
    Row(
        "process_stopped",
        0.68,
        needs=(Sign(signs.ended_cleanly, "its status is that of a clean end"),),
        helps=(_SILENT, _ALONE),
        against=(_SOON_BACK, _KILLED_NOT_STOPPED, _WAS_CRASH, _NOT_ENDED),
    ),
    Row(
        "process_killed",
        0.8,
        needs=(Sign(signs.ended_by_kill, "signal 9 ended the process of {node}"),),
        helps=(
            _SILENT,
            Sign(about("log_silent"), "its log breaks off without a word of a shutdown", 0.2),
            _NOTICED,
            _TAKEOVER,
            _DIP,
            _ALONE,
        ),
        against=(_SOON_BACK, _WAS_CLEAN, _WAS_CRASH, _NOT_ENDED),
    ),
    Row(
        "process_killed",
        0.45,
        needs=(
            Sign(signs.ended_somehow, "the process of {node} ended, with what status is not known"),
            Sign(about("log_silent"), "its log breaks off without a word of a shutdown or a crash"),
        ),
        helps=(_SILENT, _NOTICED, _TAKEOVER, _DIP, _ALONE),
        against=(_SOON_BACK, _NOT_ENDED),
    ),
    Row(
        "process_crashed",
        0.62,
        needs=(Sign(signs.ended_by_crash, "the process of {node} ended with a status of failure"),),
        helps=(Sign(about("log_crash"), "its log has a crash report", 0.6), _SILENT, _ALONE),
        against=(_SOON_BACK, _KILLED_NOT_CRASHED, _WAS_CLEAN, _NOT_ENDED),
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
            _TAKEOVER,
            _DIP,
            _ALONE,
        ),
        against=(_ENDED_NOT_PAUSED, _ANSWERED),
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
            _TAKEOVER,
            _ALONE,
        ),
        against=(
            _ENDED_NOT_PAUSED,
            _ANSWERED,
            Sign(signs.running_in_kernel, "the kernel has the process running, not stopped"),
        ),
    ),
    Row(
        "network_partition",
        0.55,
        needs=(Sign(about("isolated"), "{node} answers us but not its peers"),),
        helps=(Sign(about("process_lives"), "the process has not ended", 0.3), _TAKEOVER, _NOTICED),
        against=(_ENDED_NOT_CUT_OFF, Sign(signs.stopped_in_kernel, "the kernel has the process stopped")),
    ),
    Row(
        "network_partition",
        0.4,
        needs=(Sign(signs.cut_off, "neither we nor its peers reach {node}, though its process runs"),),
        helps=(Sign(about("process_lives"), "the process has not ended", 0.15), _TAKEOVER),
        against=(
            _ENDED_NOT_CUT_OFF,
            Sign(signs.stopped_in_kernel, "the kernel has the process stopped"),
            Sign(signs.accepted_but_silent, "its port still accepts connections, so the network reaches it"),
            _ANSWERED,
        ),
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
        "overload",
        0.58,
        needs=(Sign(signs.many_slow, "several nodes are slow at once"),),
        helps=(
            Sign(anywhere("load_dipped"), "the load does not get through any more", 0.25),
            Sign(anywhere("bystanders_up"), "no node is down", 0.15),
        ),
        against=(
            Sign(signs.only_one_slow, "{node} alone is slow"),
            _ENDED_NOT_LOADED,
            Sign(about("node_down"), "an overloaded cluster answers late, but {node} did not answer at all"),
        ),
        component="subject",
    ),
    Row(
        "slow_node",
        0.6,
        needs=(Sign(signs.slow, "{node} answers later than its limit"),),
        helps=(
            Sign(about("node_up"), "it does answer", 0.3),
            Sign(anywhere("load_steady"), "throughput hides it, as that of one slow node does", 0.2),
            Sign(signs.only_one_slow, "no other node is slow", 0.3),
            Sign(about("figure"), "the figure shows the step", 0.15),
        ),
        against=(
            Sign(signs.many_slow, "several nodes are slow at once"),
            Sign(about("process_ended"), "the process of {node} ended: it is gone, not slow"),
            Sign(about("node_down"), "{node} did not answer at all"),
        ),
    ),
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
        "no_fault",
        0.75,
        needs=(Sign(anywhere("all_clear"), "nothing is wrong now"),),
        helps=(
            Sign(signs.own_violation_ended, "what was violated holds again by itself", 0.3),
            Sign(anywhere("load_steady"), "clients felt nothing", 0.15),
        ),
        against=(
            Sign(about("process_ended"), "a process ended"),
            Sign(about("node_down"), "{node} does not answer, or did not for a while"),
            Sign(signs.own_violation, "the invariant is still violated"),
        ),
        component="subject",
    ),
    Row(
        "unknown",
        0.15,
        helps=(
            Sign(signs.own_violation, "the invariant is violated", 0.1),
            Sign(about("process_ended"), "the process of {node} ended, but how is not on record", 0.1),
            Sign(about("node_down"), "{node} does not answer", 0.1),
            Sign(about("node_unknown"), "whether {node} answers could not be told"),
        ),
    ),
)

RIVALS: Mapping[Cause, tuple[Cause, ...]] = {
    "process_killed": (
        "process_stopped",
        "process_paused",
        "process_crashed",
        "memory_pressure",
        "network_partition",
        "process_restarted",
    ),
    "process_stopped": ("process_killed", "process_crashed", "process_restarted", "process_paused"),
    "process_crashed": ("process_killed", "process_stopped", "memory_pressure", "process_paused"),
    "process_paused": ("process_killed", "network_partition", "overload", "slow_node", "process_restarted"),
    "process_restarted": ("process_killed", "process_stopped", "process_crashed", "process_paused"),
    "shard_lost": ("network_partition", "process_paused", "overload", "replication_broken"),
    "slow_node": ("overload", "process_paused", "memory_pressure", "process_killed"),
    "replication_broken": ("process_killed", "process_paused", "network_partition", "memory_pressure"),
    "memory_pressure": ("slow_node", "overload", "process_killed"),
    "network_partition": ("process_paused", "process_killed", "overload"),
    "overload": ("slow_node", "memory_pressure", "process_killed"),
    "no_fault": ("process_killed", "process_paused", "slow_node"),
    "unknown": ("process_killed", "process_stopped", "process_paused", "slow_node", "no_fault"),
}
"""What else could look like this, the nearest first: the alternatives that an answer must have considered."""
