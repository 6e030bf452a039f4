"""What can be looked for in a bundle: each function finds the items that show one thing, or none."""

import signal
from collections.abc import Callable
from typing import TypeAlias

from operatord.workers.agent.bundle.findings import Bundle, Fact, Finding
from operatord.workers.agent.bundle.scene import NODE_SYMPTOMS

Find: TypeAlias = Callable[[Bundle], list[Finding]]

RESTART_S = 5.0
"""A process that is back this soon was restarted; one that took longer was gone and brought back."""
_CLEAN_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LATENCY = ("p99_latency",)
_MEMORY = ("memory",)
_REPLICATION = ("replication_link", "replication_lag", "primary_without_replica")
_LOSSY_SHARE = 0.08
"""More than the queue of a narrow line drops."""
_DEAF_S = 2.0
"""Peers hold a node that does not hear them for failed within 1 to 2 s (``cluster_node_timeout_ms``)."""
_MANY_SLOW = 3
"""So many nodes slow at once are not one slow node."""


def about(fact: Fact) -> Find:
    """The items that state ``fact`` about the node in focus."""
    return lambda bundle: bundle.about(fact)


def anywhere(fact: Fact) -> Find:
    """The items that state ``fact``, whatever they are about."""
    return lambda bundle: bundle.of(fact)


def ended_by_kill(bundle: Bundle) -> list[Finding]:
    """SIGKILL, which no program can see coming."""
    return [one for one in bundle.about("process_ended") if one.data.get("signal") == signal.SIGKILL]


def killed_without_a_word(bundle: Bundle) -> list[Finding]:
    """SIGKILL, and a log that breaks off."""
    killed = ended_by_kill(bundle)
    return [*killed, *bundle.about("log_silent")] if killed else []


def ended_cleanly(bundle: Bundle) -> list[Finding]:
    """Exit code 0, or a signal that asks a program to stop."""
    return [
        one
        for one in bundle.about("process_ended")
        if one.data.get("signal") in _CLEAN_SIGNALS or (one.data.get("exit_code") == 0 and not one.data.get("signal"))
    ]


def ended_by_crash(bundle: Bundle) -> list[Finding]:
    """An exit code that says failure, or a signal that a program brings on itself."""
    known = {one.id for one in (*ended_by_kill(bundle), *ended_cleanly(bundle), *ended_somehow(bundle))}
    return [one for one in bundle.about("process_ended") if one.id not in known]


def ended_somehow(bundle: Bundle) -> list[Finding]:
    """An end of which the status is not known: the process was not a child of this supervisor."""
    return [
        one
        for one in bundle.about("process_ended")
        if one.data.get("signal") is None and one.data.get("exit_code") is None
    ]


def restarted_soon(bundle: Bundle) -> list[Finding]:
    """A start right after the end, or a new identity without either having been seen."""
    starts = [one for one in bundle.about("process_started") if _number(one, "after_s") <= RESTART_S]
    if starts:
        return starts
    return bundle.about("new_identity") if not bundle.about("process_ended") else []


def not_restarted(bundle: Bundle) -> list[Finding]:
    """An end that no start followed soon."""
    return bundle.about("process_ended") if not restarted_soon(bundle) else []


def stopped_in_kernel(bundle: Bundle) -> list[Finding]:
    """The kernel said that the process was stopped while it did not answer."""
    return [one for one in bundle.about("kernel_state") if one.data.get("state") == "stopped"]


def stopped_for_good(bundle: Bundle) -> list[Finding]:
    """It is stopped and has not gone on since: not stopped at times."""
    at_times = bundle.about("stop_and_go") or bundle.about("node_returned")
    return (
        [*stopped_in_kernel(bundle), *bundle.about("node_down")] if stopped_in_kernel(bundle) and not at_times else []
    )


def running_in_kernel(bundle: Bundle) -> list[Finding]:
    """The kernel says that the process runs, while it still does not answer."""
    if not bundle.about("node_down") or bundle.about("node_returned"):
        return []
    return [one for one in bundle.about("kernel_state") if one.data.get("state") == "running"]


def cut_off(bundle: Bundle) -> list[Finding]:
    """Neither we nor the other nodes reach it, and the kernel says that it runs."""
    unreached = [
        one
        for one in bundle.about("node_down")
        if one.data.get("cluster") == "down" and one.data.get("contact") in ("unreachable", None)
    ]
    running = running_in_kernel(bundle)
    return [*unreached, *running] if unreached and running else []


def unreached_but_running(bundle: Bundle) -> list[Finding]:
    """Its ports cannot be reached, and the engine says that its container runs."""
    unreached = [one for one in bundle.about("node_down") if one.data.get("contact") in ("refused", "unreachable")]
    running = running_in_kernel(bundle)
    return [*unreached, *running] if unreached and running else []


def heard_by_peers(bundle: Bundle) -> list[Finding]:
    """It answers no client for longer than its peers wait, and yet they hear from it; its process runs."""
    return _heard(bundle, "silent")


def _heard(bundle: Bundle, *contacts: str) -> list[Finding]:
    heard = [
        one
        for one in bundle.about("node_down")
        if one.data.get("contact") in contacts
        and one.data.get("cluster") == "up"
        and _DEAF_S <= _number(one, "silent_for_s") < float("inf")
    ]
    return [*heard, *running_in_kernel(bundle)] if heard and not stopped_in_kernel(bundle) else []


def loses(bundle: Bundle) -> list[Finding]:
    """More is sent again than a full queue explains, or it is and no queue is full."""
    narrow = [*bundle.about("line_narrow"), *choked(bundle)]
    return [one for one in bundle.about("line_lossy") if not narrow or _number(one, "share") >= _LOSSY_SHARE]


def choked(bundle: Bundle) -> list[Finding]:
    """Peers hear it, small answers come through at times, and large ones do not."""
    heard = _heard(bundle, "silent", "unreachable")
    small = [*bundle.about("small_answers"), *bundle.about("line_strained")]
    lossy = [one for one in bundle.about("line_lossy") if _number(one, "share") < _LOSSY_SHARE]
    return [*heard, *small, *lossy] if heard and (small or lossy) else []


def small_answers_only(bundle: Bundle) -> list[Finding]:
    """Something comes through, which no pause of clients would let."""
    return [*bundle.about("small_answers"), *bundle.about("line_strained"), *bundle.about("line_lossy")]


def own_ticket(invariant: str) -> Find:
    """The violation of the ticket, if it is of that invariant: what is asked about is answered first."""
    return lambda bundle: (
        [*own_violation(bundle), *own_violation_ended(bundle)] if bundle.ticket.invariant == invariant else []
    )


def cut_off_for_good(bundle: Bundle) -> list[Finding]:
    """Nothing arrives at all; or we reach it without delay while its peers do not: no chance loses only theirs."""
    dead = bundle.about("line_dead")
    if dead or bundle.about("node_down") or slow(bundle):
        return dead
    return [*bundle.about("isolated"), *bundle.about("quick_pings")] if bundle.about("isolated") else []


def disk_not_its_own(bundle: Bundle) -> list[Finding]:
    """What lies there is many times its data."""
    return [
        one
        for one in bundle.about("disk_grown")
        if isinstance(memory := one.data.get("memory"), int | float) and _number(one, "used") > 4 * memory
    ]


def memory_not_its_own(bundle: Bundle) -> list[Finding]:
    """Its cgroup is full, and not of it: such a cgroup has room for more than a server of this size."""
    little = bundle.about("memory_low")
    return [*bundle.about("headroom_gone"), *little] if little else []


def limited(bundle: Bundle) -> list[Finding]:
    """Its cgroup says that it used up what it may have."""
    return [one for one in bundle.about("cpu_waiting") if one.data.get("limited") is True]


def lost_by_cluster(bundle: Bundle) -> list[Finding]:
    """The cluster does not hear from it either."""
    return [one for one in bundle.about("node_down") if one.data.get("cluster") == "down"]


def leaderless(bundle: Bundle) -> list[Finding]:
    """Nobody leads, and the ticket is not about one node."""
    return bundle.of("leaderless") if bundle.ticket.node is None else []


def group_gone(bundle: Bundle) -> list[Finding]:
    """The whole group is gone, and the ticket is not about one node of it."""
    if bundle.ticket.node is not None and bundle.ticket.invariant in NODE_SYMPTOMS:
        return []
    return bundle.of("group_lost")


def peer_ended(bundle: Bundle) -> list[Finding]:
    """A process of the group ended: the link broke because its other end is gone."""
    return bundle.of("process_ended")


def slow(bundle: Bundle) -> list[Finding]:
    """The node in focus broke its latency limit."""
    return [one for one in _violations(bundle, _LATENCY) if one.node == bundle.focus.node]


def many_slow(bundle: Bundle) -> list[Finding]:
    """Several nodes broke their latency limits."""
    found = _violations(bundle, _LATENCY)
    return found if len({one.node for one in found}) >= _MANY_SLOW else []


def only_one_slow(bundle: Bundle) -> list[Finding]:
    """One node broke its latency limit and no other did."""
    found = _violations(bundle, _LATENCY)
    return found if len({one.node for one in found}) == 1 else []


def memory_short(bundle: Bundle) -> list[Finding]:
    """The node in focus broke its memory limit, or said that there was none left."""
    open_or_own = [one for one in _violations(bundle, _MEMORY) if one.fact == "violation" or _is_own(bundle, one)]
    violated = [one for one in open_or_own if one.node == bundle.focus.node]
    return [*violated, *bundle.about("headroom_gone"), *bundle.about("log_memory")]


def memory_ample(bundle: Bundle) -> list[Finding]:
    """It used little memory before, and nothing says that this changed."""
    return bundle.about("memory_low") if not memory_short(bundle) else []


def replication_short(bundle: Bundle) -> list[Finding]:
    """An invariant of replication is broken in the group, now: what healed by itself was a synchronisation."""
    group = bundle.focus.group
    found = [one for one in _violations(bundle, _REPLICATION) if one.fact == "violation"]
    return [one for one in found if group is None or one.group in (group, None)]


def own_violation(bundle: Bundle) -> list[Finding]:
    """The violation that the ticket is about, while it is open."""
    return [one for one in bundle.of("violation") if _is_own(bundle, one)]


def engine_lost(bundle: Bundle) -> list[Finding]:
    """The ticket is about the engine of the containers."""
    if bundle.ticket.invariant != "engine_lost":
        return []
    return own_violation(bundle) or own_violation_ended(bundle)


def own_violation_ended(bundle: Bundle) -> list[Finding]:
    """The violation that the ticket is about, after its end."""
    return [one for one in bundle.of("violation_ended") if _is_own(bundle, one)] if not own_violation(bundle) else []


def same_process_back(bundle: Bundle) -> list[Finding]:
    """It answers again, and no other process was started in its place."""
    if bundle.about("process_ended") or bundle.about("new_identity"):
        return []
    return bundle.about("node_returned")


def accepted_but_silent(bundle: Bundle) -> list[Finding]:
    """Something still holds the port open, and nothing answers there."""
    return [one for one in bundle.about("node_down") if one.data.get("contact") == "silent"]


def answered(bundle: Bundle) -> list[Finding]:
    """The node in focus answered throughout, and the others do not hold it for failed."""
    return bundle.about("node_up") if not bundle.about("isolated") else []


def _violations(bundle: Bundle, words: tuple[str, ...]) -> list[Finding]:
    """Those that are open, and those that ended after the onset: what was over by then is of another trouble."""
    ended = [one for one in bundle.of("violation_ended") if one.at is None or one.at >= bundle.onset_at]
    found = [*bundle.of("violation"), *ended]
    return [one for one in found if any(word in str(one.data.get("invariant")) for word in words)]


def _is_own(bundle: Bundle, finding: Finding) -> bool:
    return finding.node == bundle.ticket.node and finding.data.get("invariant") == bundle.ticket.invariant


def _number(finding: Finding, name: str) -> float:
    value = finding.data.get(name)
    return float(value) if isinstance(value, int | float) else float("inf")
