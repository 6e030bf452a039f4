"""Facts for a diagnosis, each one sentence or table that can be cited by its number.

Nothing in here concludes: "5 of 5 other nodes flag valkey-1 as failing" is a fact, "valkey-1 crashed" is not.
"""

from collections.abc import Iterable, Sequence

from operator_protocol.models import EvidenceItem, Node
from operatord.subjects.base import Observation
from operatord.subjects.valkey.answers import Answer

_INFO_OF_INTEREST = (
    "role", "master_host", "master_port", "master_link_status", "master_link_down_since_seconds",
    "master_last_io_seconds_ago", "master_sync_in_progress", "master_failover_state", "connected_slaves",
    "master_repl_offset", "slave_repl_offset", "sync_full", "sync_partial_ok", "sync_partial_err",
    "uptime_in_seconds", "loading", "used_memory", "maxmemory", "evicted_keys", "instantaneous_ops_per_sec",
    "connected_clients", "blocked_clients", "rejected_connections", "paused_reason", "total_error_replies",
    "aof_last_write_status", "rdb_last_bgsave_status", "aof_rewrite_in_progress",
)  # fmt: skip


def of(answers: Sequence[Answer], seen: Observation, node_id: str | None) -> list[EvidenceItem]:
    """Evidence about ``node_id`` and its shard, or about the whole cluster without one."""
    by_name = {answer.member.id: answer for answer in answers}
    subject = seen.node(node_id) if node_id else None
    facts = [("topology", _overview(seen))]
    if subject is not None:
        facts += _about(subject, by_name[subject.id], answers)
        shard = [node for node in seen.nodes if node.group == subject.group and node.id != subject.id]
    else:
        shard = [node for node in seen.nodes if node.state != "up"]
    facts += [("topology", _neighbour(node)) for node in shard]
    facts += [("topology", fact) for fact in (_epochs(answers, seen), _disagreement(answers)) if fact]
    asked = [name for name in (subject.id if subject else None, *(node.id for node in shard)) if name]
    facts += [("metric", _info(by_name[name])) for name in asked if by_name[name].answered]
    return [EvidenceItem(id=number, kind=kind, text=text) for number, (kind, text) in enumerate(facts, start=1)]


def _overview(seen: Observation) -> str:
    rows = [
        f"{node.id} {node.role} of {node.group} at {node.address}: {node.state}"
        + (f", slots {node.detail['slots']}" if node.detail.get("slots") else "")
        for node in seen.nodes
    ]
    served = int(seen.metrics.get("slots_served", 0))
    return f"{seen.reason or 'all is well'}. {served} of 16384 slots are served. " + "; ".join(rows)


def _about(node: Node, answer: Answer, answers: Sequence[Answer]) -> Iterable[tuple[str, str]]:
    ago_s = answer.answered_ago_s
    last = f"the last answer came {ago_s:.1f} s ago" if ago_s is not None else "who asks has had no answer of it yet"
    contact = {
        "answered": "answers commands",
        "refused": "refuses connections: no process listens on its port",
        "silent": f"accepts connections and does not answer; {last}",
        "unreachable": f"neither accepts nor refuses connections; {last}",
    }
    yield "process", f"{node.id} at {node.address} {contact[answer.contact]}."
    life = {
        "running": "is there and is not stopped by a signal",
        "stopped": "is there but stopped by a signal (state T in /proc)",
        "gone": "does not exist any more",
    }
    if answer.process is not None:
        yield "process", f"The process that served as {node.id} {life[answer.process]}."
    flagged, asked = node.detail.get("flagged_failing_by", 0), node.detail.get("asked_about_it", 0)
    yield "topology", f"{flagged} of the {asked} other nodes that answer flag {node.id} as failing."
    opinions = _opinions(str(node.detail.get("node_id", "")), node.id, answers)
    if opinions:
        yield "topology", "In their own words: " + "; ".join(opinions) + "."


def _opinions(node_id: str, name: str, answers: Sequence[Answer]) -> list[str]:
    opinions = []
    for answer in answers:
        line = next((peer for peer in answer.view if peer.node_id == node_id), None)
        if line is not None and answer.member.id != name:
            flags = ",".join(sorted(line.flags))
            link = "connected" if line.connected else "disconnected"
            opinions.append(f"{answer.member.id} sees {name} as {flags}, epoch {line.epoch}, bus {link}")
    return opinions


def _neighbour(node: Node) -> str:
    parts = [f"{node.id}, {node.role} of {node.group}, is {node.state}"]
    if node.detail.get("problem"):
        parts.append(f"it {node.detail['problem']}")
    if node.detail.get("slots"):
        parts.append(f"it owns slots {node.detail['slots']}")
    if node.detail.get("link"):
        parts.append(f"its link to {node.detail.get('primary') or 'its primary'} is {node.detail['link']}")
    return ", ".join(parts) + "."


def _epochs(answers: Sequence[Answer], seen: Observation) -> str:
    owners = {
        node.id: answer.myself.epoch
        for node, answer in zip(seen.nodes, answers, strict=True)
        if node.leader and answer.myself
    }
    if not owners:
        return ""
    newest = max(owners, key=lambda name: owners[name])
    listed = ", ".join(f"{name} {epoch}" for name, epoch in owners.items())
    current = int(seen.metrics.get("current_epoch", 0))
    return (
        f"Configuration epochs of the slot owners: {listed}; the current epoch is {current}."
        f" The highest is that of {newest}: it became primary last."
    )


def _disagreement(answers: Sequence[Answer]) -> str:
    states: dict[str, list[str]] = {}
    for answer in answers:
        if state := answer.cluster.get("cluster_state"):
            states.setdefault(state, []).append(answer.member.id)
    return "; ".join(f"cluster_state is {state} on {', '.join(names)}" for state, names in states.items())


def _info(answer: Answer) -> str:
    values = [f"{key}={answer.info[key]}" for key in _INFO_OF_INTEREST if key in answer.info]
    return f"INFO of {answer.member.id}: " + ", ".join(values)
