"""What remedies are made of: the same few actions for every subject, under the names that it has for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from operator_protocol.models import Recommendation, Scalar
from operatord.workers.agent.bundle.findings import Bundle
from operatord.workers.agent.rules.causes import Cause

Remedy: TypeAlias = Callable[[Bundle], list[Recommendation]]
"""The actions for a cause, the first one first; empty when there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Verbs:
    """What a subject calls the actions on one server, and what to expect of them."""

    start: str
    resume: str
    restart: str
    started: Callable[[Bundle, str], tuple[str, str]]
    """What to expect of a start, and how it shows; of the bundle and the name of the server."""
    resumed: str
    """What to expect of a server that goes on, in words that follow its name."""


def target_of(bundle: Bundle) -> str:
    """The node in focus, else the whole."""
    return bundle.focus.node or bundle.subject


def closes(bundle: Bundle) -> str:
    """That the ticket's violation ends, in words that follow "and"."""
    where = f" on {bundle.ticket.node}" if bundle.ticket.node else ""
    return f"{bundle.ticket.invariant}{where} is over"


def watch(_bundle: Bundle) -> list[Recommendation]:
    """Nothing to do."""
    return []


def look(kind: str, expected: str, verify: str) -> Remedy:
    """A look at the target that changes nothing."""
    return lambda bundle: [Recommendation(kind, target_of(bundle), {}, "read", expected, verify.format(
        target=target_of(bundle), closes=closes(bundle)))]  # fmt: skip


def start_one(verbs: Verbs, bundle: Bundle, target: str) -> Recommendation:
    """Start ``target``."""
    expected, verify = verbs.started(bundle, target)
    return Recommendation(verbs.start, target, {}, "safe", expected, f"{verify}, and {closes(bundle)}")


def start(verbs: Verbs) -> Remedy:
    """Start the node in focus, unless somebody has."""

    def remedy(bundle: Bundle) -> list[Recommendation]:
        target = bundle.focus.node
        if target is None or (bundle.about("process_started") and bundle.about("node_returned")):
            return []
        return [start_one(verbs, bundle, target)]

    return remedy


def restart_one(verbs: Verbs, bundle: Bundle, reason: str, target: str) -> Recommendation:
    """Restart ``target``, for when something gentler does not help."""
    return Recommendation(
        verbs.restart,
        target,
        {},
        "disruptive",
        f"{reason}: {target} starts anew from its files",
        f"{target} answers as a new process, and {closes(bundle)}",
    )


def resume(verbs: Verbs) -> Remedy:
    """Let the node in focus go on, or else restart it; nothing where it has gone on."""

    def remedy(bundle: Bundle) -> list[Recommendation]:
        target = bundle.focus.node
        if target is None or bundle.about("node_returned"):
            return []
        expected = f"{target} {verbs.resumed}"
        return [
            Recommendation(verbs.resume, target, {}, "safe", expected, f"{target} answers, and {closes(bundle)}"),
            restart_one(verbs, bundle, "if it cannot be resumed", target),
        ]

    return remedy


def serve_clients(verbs: Verbs, kind: str, params: Mapping[str, Scalar], expected: str) -> Remedy:
    """Let a server that lives serve its clients again."""

    def remedy(bundle: Bundle) -> list[Recommendation]:
        target = target_of(bundle)
        if bundle.about("node_returned"):
            return []
        verify = f"{target} answers its clients, and {closes(bundle)}"
        return [
            Recommendation(kind, target, params, "safe", f"{target} {expected}", verify),
            restart_one(verbs, bundle, "if that does not help", target),
        ]

    return remedy


def ask_a_person(verbs: Verbs) -> Remedy:
    """Start what is known to have ended; everything else is for somebody who knows more."""

    def remedy(bundle: Bundle) -> list[Recommendation]:
        target = bundle.focus.node
        if target is not None and bundle.about("process_ended") and not bundle.about("process_started"):
            return [start_one(verbs, bundle, target)]
        return ESCALATE(bundle)

    return remedy


def shed_load(_bundle: Bundle) -> list[Recommendation]:
    """Less of it."""
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


ESCALATE = look("escalate", "a person looks at what the rules cannot tell apart", "the ticket has an owner")
INSPECT_HOST = look(
    "inspect_host",
    "shows what competes with it for processor, disk or memory",
    "a cause on the host is found, or ruled out",
)
INSPECT_MEMORY = look(
    "inspect_memory",
    "shows what takes the memory: its keys, its buffers, or another process",
    "what grew is known by name",
)
INSPECT_DISK = look(
    "inspect_disk",
    "shows what fills the disk: its own data, its logs, or files that are not its own",
    "what grew is known by name",
)
INSPECT_NETWORK = look(
    "inspect_network",
    "shows the rule, route, queue or interface that holds its traffic back",
    "the other nodes reach {target} as quickly as each other, and {closes}",
)

DOUBTS: Mapping[Cause, str] = {
    "process_killed": (
        "a line of the kernel's log in which the OOM killer names this process (then it is memory pressure), or a "
        "message of the server about a shutdown (then it was stopped); who sent the signal is not in the evidence"
    ),
    "process_stopped": "an end by SIGKILL, or a crash report in the log of {node}",
    "process_crashed": "a shutdown message in the log of {node}, or evidence that the signal came from outside",
    "process_restarted": "{node} failing again: then something keeps ending it, and the restart only hides that",
    "slow_node": "more nodes over the limit (then the host or the load is at fault), or an end of {node}",
    "overload": "all nodes but one returning under the limit: then it is that node",
    "no_fault": "the same violation coming back: what happens twice has a cause that is still there",
    "unknown": "how the process of {node} ended, if it did; whether it answers its peers; what the kernel says of it",
}
"""What would change the answer, where it is the same for every subject."""
