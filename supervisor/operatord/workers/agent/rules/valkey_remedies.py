"""What to do about each cause in a Valkey cluster, and what would change the answer."""

from collections.abc import Mapping

from operator_protocol.models import Recommendation
from operatord.workers.agent.bundle.findings import Bundle
from operatord.workers.agent.rules import remedies
from operatord.workers.agent.rules.causes import Cause
from operatord.workers.agent.rules.remedies import Remedy, Verbs, closes, start_one, watch


def _started(bundle: Bundle, target: str) -> tuple[str, str]:
    heirs = bundle.of("failover")
    if heirs:
        expected = f"{target} loads its data and joins again as a replica of {heirs[-1].data.get('heir')}"
    elif bundle.focus.role == "primary":
        expected = f"{target} loads its data and serves the slots of {bundle.focus.group or 'its group'} again"
    else:
        expected = f"{target} loads its data and follows its primary again"
    return expected, f"{target} is up in the cluster's own view, its replication link is up"


VERBS = Verbs(
    start="start_server",
    resume="resume_server",
    restart="restart_server",
    started=_started,
    resumed="goes on where it stopped, finds out what it missed, and joins again",
)


def _start_group(bundle: Bundle) -> list[Recommendation]:
    """The former primary first: it has every write that was acknowledged."""
    if bundle.focus.node is None:
        return watch(bundle)
    names = [bundle.focus.node, *bundle.focus.peers]
    primaries = [one.node for one in bundle.of("member") if one.data.get("role") == "primary"]
    names.sort(key=lambda name: (name not in primaries, name))
    return [start_one(VERBS, bundle, name) for name in names]


def _relieve(first: Remedy) -> Remedy:
    """Look at it, and have the replica serve in its place if it is a primary."""

    def remedy(bundle: Bundle) -> list[Recommendation]:
        looks = first(bundle)
        target = bundle.focus.node
        if target is None or bundle.focus.role != "primary" or not bundle.focus.peers or bundle.of("failover"):
            return looks
        heir = bundle.focus.peers[0]
        expected = f"{heir} serves the slots of {bundle.focus.group}; clients are redirected to it"
        verify = f"{heir} is a primary, and {closes(bundle)}"
        return [*looks, Recommendation("failover", target, {"to": heir}, "disruptive", expected, verify)]

    return remedy


def _resync(bundle: Bundle) -> list[Recommendation]:
    target = bundle.ticket.node or remedies.target_of(bundle)
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


_START = remedies.start(VERBS)
_RESUME = remedies.resume(VERBS)

REMEDIES: Mapping[Cause, Remedy] = {
    "process_killed": _START,
    "process_stopped": _START,
    "process_crashed": _START,
    "process_paused": _RESUME,
    "process_restarted": watch,
    "stop_and_go": _relieve(remedies.INSPECT_HOST),
    "cpu_starved": _relieve(remedies.INSPECT_HOST),
    "clients_unserved": remedies.serve_clients(VERBS, "unpause_clients", {}, "serves its clients again"),
    "shard_lost": _start_group,
    "slow_node": _relieve(remedies.INSPECT_HOST),
    "replication_broken": _resync,
    "memory_pressure": lambda bundle: _START(bundle) if bundle.about("oom_killed") else remedies.INSPECT_MEMORY(bundle),
    "disk_full": remedies.INSPECT_DISK,
    "network_partition": remedies.INSPECT_NETWORK,
    "packet_loss": _relieve(remedies.INSPECT_NETWORK),
    "network_slow": _relieve(remedies.INSPECT_NETWORK),
    "network_narrow": _relieve(remedies.INSPECT_NETWORK),
    "overload": remedies.shed_load,
    "handed_over": watch,
    "no_fault": watch,
    "unknown": remedies.ask_a_person(VERBS),
}

DOUBTS: Mapping[Cause, str] = {
    **remedies.DOUBTS,
    "process_paused": (
        "the kernel showing the process of {node} as running while it still does not answer (then it hangs or is cut "
        "off), or its end"
    ),
    "stop_and_go": "glances at {node} that never find it stopped while it is still late",
    "cpu_starved": "{node} being late while it neither waits for its processor nor is held back by its cgroup",
    "clients_unserved": "the other nodes ceasing to hear from {node} (then it hangs or is stopped)",
    "shard_lost": "an answer from any node of {group}",
    "replication_broken": "an end or a silence of either side: then the link is only a symptom",
    "memory_pressure": "memory being there again while the trouble stays",
    "disk_full": "the files in the data directory of {node} being its own snapshot or log: then its data grew",
    "network_partition": "the kernel showing the process of {node} as stopped (then it is paused), or its end",
    "packet_loss": "segments arriving at the first try while {node} is still late",
    "network_slow": "quick pings to {node} between late ones: then it is the server that is late, not its line",
    "network_narrow": "large answers of {node} taking no longer than small ones",
    "handed_over": "a silence of {node} before its slots changed hands: then it was replaced, and did not hand over",
}
