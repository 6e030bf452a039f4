"""What to do about each cause in a TiKV cluster, by the actions that the daemon has for it."""

from collections.abc import Mapping

from operator_protocol.models import Recommendation
from operatord.workers.agent.bundle.findings import Bundle
from operatord.workers.agent.rules import remedies
from operatord.workers.agent.rules.causes import Cause
from operatord.workers.agent.rules.remedies import Remedy, Verbs, closes, start_one, target_of, watch


def _started(bundle: Bundle, target: str) -> tuple[str, str]:
    if bundle.focus.role == "pd" or target in _lost_pds(bundle):
        return f"{target} joins the PDs again", f"the other PDs hold {target} for healthy"
    expected = f"{target} catches up from the leaders of its regions, and leads again as PD balances"
    return expected, f"PD holds {target} for Up"


VERBS = Verbs(
    start="start_container",
    resume="resume",
    restart="restart_container",
    started=_started,
    resumed="goes on where it stopped and catches up",
)


def _lost_pds(bundle: Bundle) -> list[str]:
    names = [str(one.data.get("names") or "") for one in bundle.of("quorum_lost")]
    return [name for name in ",".join(names).split(",") if name]


def _start_pds(bundle: Bundle) -> list[Recommendation]:
    """All that were lost; the stores are left alone, they run."""
    return [start_one(VERBS, bundle, name) for name in _lost_pds(bundle)] or _ASK_A_PERSON(bundle)


def _stop_evicting(bundle: Bundle) -> list[Recommendation]:
    evicting = bundle.about("evicting")
    if not evicting or evicting[-1].data.get("still") is not True:
        return watch(bundle)
    target = target_of(bundle)
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


def _look_at_the_engine(bundle: Bundle) -> list[Recommendation]:
    """Of no node: they may all be well."""
    expected = "shows why the container engine does not answer; without it nothing can be started, stopped or undone"
    verify = f"the engine answers, and {closes(bundle)}"
    return [Recommendation("inspect_host", bundle.subject, {}, "read", expected, verify)]


_START = remedies.start(VERBS)
_ASK_A_PERSON = remedies.ask_a_person(VERBS)

REMEDIES: Mapping[Cause, Remedy] = {
    "engine_lost": _look_at_the_engine,
    "no_quorum": _start_pds,
    "process_killed": _START,
    "process_stopped": _START,
    "process_crashed": _START,
    "process_paused": remedies.resume(VERBS),
    "process_restarted": watch,
    "memory_pressure": _START,
    "network_partition": remedies.INSPECT_NETWORK,
    "clients_unserved": remedies.serve_clients(
        VERBS, "resume", {"what": "grpc"}, "serves its clients again (PUT /resume_grpc)"
    ),
    "leaders_evicted": _stop_evicting,
    "disk_full": remedies.INSPECT_DISK,
    "slow_node": remedies.INSPECT_HOST,
    "overload": remedies.shed_load,
    "no_fault": watch,
    "unknown": _ASK_A_PERSON,
}

DOUBTS: Mapping[Cause, str] = {
    **remedies.DOUBTS,
    "engine_lost": "an answer of the engine: then only its event stream was cut",
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
