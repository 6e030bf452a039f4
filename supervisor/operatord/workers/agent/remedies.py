"""What to do about each cause in a Valkey cluster, and what would change the answer."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from operator_protocol.models import Recommendation
from operatord.workers.agent.causes import Cause
from operatord.workers.agent.findings import Bundle

Remedy: TypeAlias = Callable[[Bundle], list[Recommendation]]
"""The actions for a cause, the first one first; empty when there is nothing to do."""


def _start(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node
    if target is None or (bundle.about("process_started") and bundle.about("node_returned")):
        return watch(bundle)
    return [_start_server(bundle, target)]


def _start_server(bundle: Bundle, target: str) -> Recommendation:
    heirs = bundle.of("failover")
    if heirs:
        expected = f"{target} loads its data and joins again as a replica of {heirs[-1].data.get('heir')}"
    elif bundle.focus.role == "primary":
        expected = f"{target} loads its data and serves the slots of {bundle.focus.group or 'its group'} again"
    else:
        expected = f"{target} loads its data and follows its primary again"
    return Recommendation(
        kind="start_server",
        target=target,
        risk="safe",
        expected=expected,
        verify=f"{target} is up in the cluster's own view, its replication link is up, and {closes(bundle)}",
    )


def _start_group(bundle: Bundle) -> list[Recommendation]:
    """The former primary first: it has every write that was acknowledged."""
    if bundle.focus.node is None:
        return watch(bundle)
    names = [bundle.focus.node, *bundle.focus.peers]
    primaries = [one.node for one in bundle.of("member") if one.data.get("role") == "primary"]
    names.sort(key=lambda name: (name not in primaries, name))
    return [_start_server(bundle, name) for name in names]


def _resume(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node
    if target is None or bundle.about("node_returned"):
        return watch(bundle)
    expected = f"{target} goes on where it stopped, finds out what it missed, and joins again"
    return [
        Recommendation("resume_server", target, {}, "safe", expected, f"{target} answers, and {closes(bundle)}"),
        Recommendation(
            "restart_server",
            target,
            {},
            "disruptive",
            f"if it cannot be resumed: {target} starts anew from its files",
            f"{target} answers as a new process, and {closes(bundle)}",
        ),
    ]


def _relieve(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node or bundle.subject
    look = Recommendation(
        "inspect_host",
        target,
        {},
        "read",
        "shows what competes with it for processor, disk or memory",
        "a cause on the host is found, or ruled out",
    )
    if bundle.focus.role != "primary" or not bundle.focus.peers:
        return [look]
    heir = bundle.focus.peers[0]
    expected = f"{heir} serves the slots of {bundle.focus.group}; clients are redirected to it"
    return [
        look,
        Recommendation(
            "failover", target, {"to": heir}, "disruptive", expected, f"{heir} is a primary, and {closes(bundle)}"
        ),
    ]


def _free_memory(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node or bundle.subject
    return [
        Recommendation(
            "inspect_memory",
            target,
            {},
            "read",
            "shows the largest keys, client buffers and fragmentation",
            "what grew is known by name",
        )
    ]


def _shed_load(bundle: Bundle) -> list[Recommendation]:
    return [
        Recommendation(
            "lower_rate",
            "workload",
            {},
            "disruptive",
            "queues drain and latency falls within seconds",
            "the 99th percentile of every node is under its limit",
        )
    ]


def _check_network(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node or bundle.subject
    return [
        Recommendation(
            "inspect_network",
            target,
            {},
            "read",
            "shows the rule, route or interface that drops its traffic",
            f"its peers reach {target} on its port and on its cluster bus port",
        )
    ]


def _resync(bundle: Bundle) -> list[Recommendation]:
    target = bundle.ticket.node or bundle.focus.node or bundle.subject
    return [
        Recommendation(
            "inspect_replication",
            target,
            {},
            "read",
            "shows on which side the link breaks and with which error",
            f"the link is up and the offsets meet, and {closes(bundle)}",
        )
    ]


def watch(_bundle: Bundle) -> list[Recommendation]:
    """Nothing to do."""
    return []


def _ask_a_person(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node
    if target is not None and bundle.about("process_ended") and not bundle.about("process_started"):
        return [_start_server(bundle, target)]
    return [
        Recommendation(
            "escalate",
            target or bundle.subject,
            {},
            "read",
            "a person looks at what the rules cannot tell apart",
            "the ticket has an owner",
        )
    ]


def closes(bundle: Bundle) -> str:
    """That the ticket's violation ends, in words that follow "and"."""
    where = f" on {bundle.ticket.node}" if bundle.ticket.node else ""
    return f"{bundle.ticket.invariant}{where} is over"


REMEDIES: Mapping[Cause, Remedy] = {
    "process_killed": _start,
    "process_stopped": _start,
    "process_crashed": _start,
    "process_paused": _resume,
    "process_restarted": watch,
    "shard_lost": _start_group,
    "slow_node": _relieve,
    "replication_broken": _resync,
    "memory_pressure": _free_memory,
    "network_partition": _check_network,
    "overload": _shed_load,
    "no_fault": watch,
    "unknown": _ask_a_person,
}

DOUBTS: Mapping[Cause, str] = {
    "process_killed": (
        "a line of the kernel's log in which the OOM killer names this process (then it is memory pressure), or a "
        "message of the server about a shutdown (then it was stopped); who sent the signal is not in the evidence"
    ),
    "process_stopped": "an end by SIGKILL, or a crash report in the log of {node}",
    "process_crashed": "a shutdown message in the log of {node}, or evidence that the signal came from outside",
    "process_paused": (
        "the kernel showing the process of {node} as running while it still does not answer (then it hangs or is cut "
        "off), or its end"
    ),
    "process_restarted": "{node} failing again: then something keeps ending it, and the restart only hides that",
    "shard_lost": "an answer from any node of {group}",
    "slow_node": "more nodes over the limit (then the host or the load is at fault), or an end of {node}",
    "replication_broken": "an end or a silence of either side: then the link is only a symptom",
    "memory_pressure": "memory falling by itself while the latency stays high",
    "network_partition": "the kernel showing the process of {node} as stopped (then it is paused), or its end",
    "overload": "all nodes but one returning under the limit: then it is that node",
    "no_fault": "the same violation coming back: what happens twice has a cause that is still there",
    "unknown": ("how the process of {node} ended, if it did; whether it answers its peers; what the kernel says of it"),
}
