"""What to do about each cause in a TiKV cluster, by the actions that the daemon has for it."""

from collections.abc import Mapping

from operator_protocol.models import Recommendation
from operatord.workers.agent import remedies
from operatord.workers.agent.causes import Cause
from operatord.workers.agent.findings import Bundle
from operatord.workers.agent.remedies import Remedy, closes, watch


def _start(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node
    if target is None or (bundle.about("process_started") and bundle.about("node_returned")):
        return watch(bundle)
    return [_start_container(bundle, target)]


def _start_container(bundle: Bundle, target: str) -> Recommendation:
    if bundle.focus.role == "pd" or target in _lost_pds(bundle):
        expected, verify = f"{target} joins the PDs again", f"the other PDs hold {target} for healthy"
    else:
        expected = f"{target} catches up from the leaders of its regions, and leads again as PD balances"
        verify = f"PD holds {target} for Up"
    return Recommendation("start_container", target, {}, "safe", expected, f"{verify}, and {closes(bundle)}")


def _lost_pds(bundle: Bundle) -> list[str]:
    names = [str(one.data.get("names") or "") for one in bundle.of("quorum_lost")]
    return [name for name in ",".join(names).split(",") if name]


def _start_pds(bundle: Bundle) -> list[Recommendation]:
    """All that were lost; the stores are left alone, they run."""
    return [_start_container(bundle, name) for name in _lost_pds(bundle)] or _ask_a_person(bundle)


def _resume(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node
    if target is None or bundle.about("node_returned"):
        return watch(bundle)
    expected = f"{target} goes on where it stopped and catches up"
    return [
        Recommendation("resume", target, {}, "safe", expected, f"{target} answers, and {closes(bundle)}"),
        Recommendation(
            "restart_container",
            target,
            {},
            "disruptive",
            f"if it cannot be resumed: {target} starts anew from its files",
            f"{target} answers as a new process, and {closes(bundle)}",
        ),
    ]


def _resume_clients(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node or bundle.subject
    return [
        Recommendation(
            "resume",
            target,
            {"what": "grpc"},
            "safe",
            f"{target} serves its clients again (PUT /resume_grpc)",
            f"the port of {target} for clients answers, and {closes(bundle)}",
        ),
        Recommendation(
            "restart_container",
            target,
            {},
            "disruptive",
            f"if that does not help: {target} starts anew from its files",
            f"{target} serves, and {closes(bundle)}",
        ),
    ]


def _stop_evicting(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node or bundle.subject
    evicting = bundle.about("evicting")
    if not evicting or evicting[-1].data.get("still") is not True:
        return watch(bundle)
    return [
        Recommendation(
            "remove_evict_leader",
            target,
            {"store_id": evicting[-1].data.get("store_id")},
            "safe",
            f"PD lets {target} lead again and balances leaders towards it; keep it if maintenance is under way",
            f"{target} leads regions, and {closes(bundle)}",
        )
    ]


def _free_disk(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node or bundle.subject
    return [
        Recommendation(
            "inspect_disk",
            target,
            {},
            "read",
            "shows what fills the disk: TiKV's data, its logs, or files that are not its own",
            "what grew is known by name",
        ),
    ]


def _check_network(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node or bundle.subject
    return [
        Recommendation(
            "inspect_network",
            target,
            {},
            "read",
            "shows which network its container is in, and the rule or route that drops its traffic",
            f"{target} reaches PD and the other servers, and {closes(bundle)}",
        )
    ]


def _look_at_host(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node or bundle.subject
    return [
        Recommendation(
            "inspect_host",
            target,
            {},
            "read",
            "shows what competes with it for processor, disk or memory",
            "a cause on the host is found, or ruled out",
        )
    ]


def _ask_a_person(bundle: Bundle) -> list[Recommendation]:
    target = bundle.focus.node
    if target is not None and bundle.about("process_ended") and not bundle.about("process_started"):
        return [_start_container(bundle, target)]
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


REMEDIES: Mapping[Cause, Remedy] = {
    "no_quorum": _start_pds,
    "process_killed": _start,
    "process_stopped": _start,
    "process_crashed": _start,
    "process_paused": _resume,
    "process_restarted": watch,
    "memory_pressure": _start,
    "network_partition": _check_network,
    "clients_unserved": _resume_clients,
    "leaders_evicted": _stop_evicting,
    "disk_full": _free_disk,
    "slow_node": _look_at_host,
    "overload": remedies.REMEDIES["overload"],
    "no_fault": watch,
    "unknown": _ask_a_person,
}

DOUBTS: Mapping[Cause, str] = {
    **remedies.DOUBTS,
    "no_quorum": "an answer of a PD that leads: then it was an election, and it is over",
    "process_paused": (
        "the engine showing the container of {node} as running while it still does not answer (then its program hangs"
        " or is cut off), or its end"
    ),
    "memory_pressure": "an end by another signal, or the engine taking back that memory was short",
    "network_partition": "the engine showing the container of {node} as paused, or its end; or its port answering",
    "clients_unserved": "its status port falling silent as well: then it is frozen or cut off",
    "leaders_evicted": "no such scheduler at PD: then its leaders left for another reason",
    "disk_full": "space that is there again with nothing freed: then a snapshot or a compaction held it for a while",
}
