"""What a decision table is made of, and the signs and rows that mean the same for every subject.

Rows of a table stand from the special to the general; the first row whose needs are all found and which nothing rules
out is the answer.

Weights are judgements, not measurements: the share of the remaining doubt that an engineer would drop for having seen
that item too. So every item counts, none makes up for a need, and no answer is ever certain.
"""

from dataclasses import dataclass
from typing import Literal

from operatord.workers.agent.rules import signs
from operatord.workers.agent.rules.causes import Cause
from operatord.workers.agent.rules.signs import Find, about, anywhere


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


ENDED = Sign(about("process_ended"), "the process of {node} ended")
SILENT = Sign(about("node_down"), "{node} stopped answering", 0.25)
ALONE = Sign(anywhere("bystanders_up"), "the other nodes kept answering, so it is not the host or the network", 0.1)
NOTICED = Sign(anywhere("log_peers_noticed"), "its peers noticed by themselves", 0.1)
TAKEOVER = Sign(anywhere("failover"), "its group elected another primary", 0.1)
DIP = Sign(anywhere("load_dipped"), "clients felt it at that moment", 0.1)

NOT_ENDED = Sign(about("process_lives"), "the process of {node} never ended")
KILLED_NOT_STOPPED = Sign(
    signs.killed_without_a_word, "SIGKILL ended it, while a server that is asked to stop says so and exits by itself"
)
KILLED_NOT_CRASHED = Sign(
    signs.killed_without_a_word, "SIGKILL ended it, while a crash ends by another signal and leaves a report"
)
WAS_CLEAN = Sign(signs.ended_cleanly, "it ended the way a server ends that was asked to stop")
WAS_CRASH = Sign(signs.ended_by_crash, "its own status says that it failed")
SOON_BACK = Sign(signs.restarted_soon, "it was running again within seconds: a restart, not a loss")
BY_KERNEL = Sign(about("oom_killed"), "it was the kernel that ended {node}, for want of memory")
ENDED_NOT_PAUSED = Sign(about("process_ended"), "a paused process has not ended, and this one did")
ENDED_NOT_CUT_OFF = Sign(about("process_ended"), "its process ended: no network is needed to explain the silence")
ENDED_NOT_LOADED = Sign(about("process_ended"), "load slows a server down, and the process of {node} ended")
ANSWERED = Sign(signs.answered, "{node} answered throughout")

ENDS: tuple[Row, ...] = (
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
            NOT_ENDED,
        ),
    ),
    Row(
        "process_stopped",
        0.9,
        needs=(ENDED, Sign(about("stopped_by_command"), "it was stopped by command")),
        helps=(SILENT, ALONE),
        against=(SOON_BACK, NOT_ENDED),
    ),
    Row(
        "process_stopped",
        0.72,
        needs=(
            ENDED,
            Sign(about("log_shutdown"), "its own log announces the shutdown"),
        ),
        helps=(Sign(signs.ended_cleanly, "its status is that of a clean end", 0.5), SILENT, ALONE),
        against=(SOON_BACK, WAS_CRASH, NOT_ENDED),
    ),
    Row(
        "process_stopped",
        0.68,
        needs=(Sign(signs.ended_cleanly, "its status is that of a clean end"),),
        helps=(SILENT, ALONE),
        against=(SOON_BACK, KILLED_NOT_STOPPED, WAS_CRASH, NOT_ENDED),
    ),
    Row(
        "process_killed",
        0.8,
        needs=(Sign(signs.ended_by_kill, "signal 9 ended the process of {node}"),),
        helps=(
            SILENT,
            Sign(about("log_silent"), "its log breaks off without a word of a shutdown", 0.2),
            NOTICED,
            TAKEOVER,
            DIP,
            ALONE,
        ),
        against=(SOON_BACK, WAS_CLEAN, WAS_CRASH, BY_KERNEL, NOT_ENDED),
    ),
    Row(
        "process_killed",
        0.45,
        needs=(
            Sign(signs.ended_somehow, "the process of {node} ended, with what status is not known"),
            Sign(about("log_silent"), "its log breaks off without a word of a shutdown or a crash"),
        ),
        helps=(SILENT, NOTICED, TAKEOVER, DIP, ALONE),
        against=(SOON_BACK, BY_KERNEL, NOT_ENDED),
    ),
    Row(
        "process_crashed",
        0.62,
        needs=(Sign(signs.ended_by_crash, "the process of {node} ended with a status of failure"),),
        helps=(Sign(about("log_crash"), "its log has a crash report", 0.6), SILENT, ALONE),
        against=(SOON_BACK, KILLED_NOT_CRASHED, WAS_CLEAN, NOT_ENDED),
    ),
)
"""How a process may have ended: the same everywhere."""

KILLED_BY_KERNEL = Row(
    "memory_pressure",
    0.85,
    needs=(Sign(about("oom_killed"), "the kernel ended {node} for want of memory"),),
    helps=(Sign(about("process_ended"), "its end is on record", 0.3), ALONE),
)

OVERLOAD = Row(
    "overload",
    0.58,
    needs=(Sign(signs.many_slow, "several nodes are slow at once"),),
    helps=(
        Sign(anywhere("load_dipped"), "the load does not get through any more", 0.25),
        Sign(anywhere("bystanders_up"), "no node is down", 0.15),
    ),
    against=(
        Sign(signs.only_one_slow, "{node} alone is slow"),
        ENDED_NOT_LOADED,
        Sign(about("node_down"), "an overloaded cluster answers late, but {node} did not answer at all"),
    ),
    component="subject",
)
SLOW_NODE = Row(
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
)
NO_FAULT = Row(
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
)
UNKNOWN = Row(
    "unknown",
    0.15,
    helps=(
        Sign(signs.own_violation, "the invariant is violated", 0.1),
        Sign(about("process_ended"), "the process of {node} ended, but how is not on record", 0.1),
        Sign(about("node_down"), "{node} does not answer", 0.1),
        Sign(about("node_unknown"), "whether {node} answers could not be told"),
    ),
)
