"""From six answers to one observation: who is up, who owns which slots, whether the cluster is well.

A cluster whose nodes all refuse connections is down, not unknown: a refusal is an answer of the kernel. It is unknown
(``ok`` None) when no node answered and none can be told to be down, or when all that is wrong is that a node cannot
be reached from here while the others hold it for well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from operator_protocol.models import Node, NodeState, Scalar, SignalState
from operatord.subjects.base import Observation
from operatord.subjects.valkey.answers import Answer
from operatord.subjects.valkey.layout import SLOTS, home_group, node_index
from operatord.subjects.valkey.views import Peer, Range, Verdict, count, slot_owners, spelled, verdict, without

PRIMARY, REPLICA = "primary", "replica"


@dataclass(frozen=True, slots=True)
class Topology:
    """What the views of all nodes say together, by member."""

    ids: Mapping[str, str]
    """Its id in the cluster, for those known."""
    owned: Mapping[str, tuple[Range, ...]]
    """The slots it owns; members without slots are left out."""
    verdicts: Mapping[str, Verdict]
    roles: Mapping[str, str]
    groups: Mapping[str, str]
    cluster_ok: bool
    """Most of the nodes that answered say ``cluster_state:ok``."""

    def primary_of(self, group: str) -> str | None:
        """The member that owns the slots of ``group``."""
        return next((name for name in self.owned if self.groups[name] == group), None)


@dataclass(frozen=True, slots=True)
class _Finding:
    """The state of one node, and what is wrong with it in words that follow its name."""

    state: NodeState
    problem: str = ""


def observation(answers: Sequence[Answer], *, silence_s: float, at: float, mono: float) -> Observation:
    """Merge ``answers``. ``at`` and ``mono`` are the wall and monotonic clocks at the start of the look."""
    topology = together(answers)
    findings = {answer.member.id: _find(answer, topology, silence_s) for answer in answers}
    serving = {
        name: slots
        for answer in answers
        if (name := answer.member.id) in topology.owned and _serves(answer, topology)
        for slots in (topology.owned[name],)
    }
    nodes = [_node(answer, answers, topology, findings[answer.member.id], serving) for answer in answers]
    ok, reason = _judge(answers, topology, findings, serving)
    return Observation(
        subject="valkey",
        ok=ok,
        reason=reason,
        nodes=nodes,
        metrics={
            "slots_assigned": float(sum(map(count, topology.owned.values()))),
            "slots_served": float(sum(map(count, serving.values()))),
            "nodes_up": float(sum(finding.state == "up" for finding in findings.values())),
            "cluster_ok": float(topology.cluster_ok),
            "current_epoch": float(max((int(a.cluster.get("cluster_current_epoch", 0)) for a in answers), default=0)),
        },
        observed_at=at,
        observed_mono=mono,
    )


def together(answers: Sequence[Answer]) -> Topology:
    """Settle who is who, who owns what and which role each has."""
    ids = _node_ids(answers)
    names = {node_id: name for name, node_id in ids.items()}
    views = {ids[answer.member.id]: answer.view for answer in answers if answer.myself}
    owned = {names[node_id]: slots for node_id, slots in slot_owners(views.values()).items() if node_id in names}
    groups = {answer.member.id: home_group(node_index(answer.member.id)) for answer in answers}
    latest = {name: _latest(node_id, views.values()) for name, node_id in ids.items()}
    for name, peer in latest.items():
        primary = names.get(peer.primary_id) if peer else None
        if primary in owned and name not in owned:
            groups[name] = groups[primary]
    led = {groups[name] for name in owned}
    roles = {}
    for answer in answers:
        name = answer.member.id
        peer = latest.get(name)
        # A primary that lost its slots to a failover stays "master,fail" until it is back: then it will be a replica.
        follows = groups[name] in led or answer.told_role == REPLICA or (peer is not None and peer.role == REPLICA)
        roles[name] = REPLICA if name not in owned and follows else PRIMARY
    told = [answer.cluster["cluster_state"] == "ok" for answer in answers if "cluster_state" in answer.cluster]
    return Topology(
        ids=ids,
        owned=owned,
        verdicts={answer.member.id: verdict(ids.get(answer.member.id, ""), views) for answer in answers},
        roles=roles,
        groups=groups,
        cluster_ok=sum(told) * 2 > len(told),
    )


def _node_ids(answers: Sequence[Answer]) -> dict[str, str]:
    """From the node itself, else by its address in the views of the others."""
    by_address: dict[tuple[str, int], str] = {}
    for answer in answers:
        for peer in answer.view:
            if not peer.flags & {"handshake", "noaddr", "myself"}:
                by_address.setdefault((peer.host, peer.port), peer.node_id)
    ids = {}
    for answer in answers:
        myself = answer.myself
        node_id = myself.node_id if myself else by_address.get((answer.member.host, answer.member.port))
        if node_id:
            ids[answer.member.id] = node_id
    return ids


def _latest(node_id: str, views: Iterable[Sequence[Peer]]) -> Peer | None:
    """The line about ``node_id`` with the highest epoch."""
    lines = [peer for view in views for peer in view if peer.node_id == node_id]
    return max(lines, key=lambda peer: peer.epoch, default=None)


def _find(answer: Answer, topology: Topology, silence_s: float) -> _Finding:
    if answer.answered:
        return _find_answering(answer, topology)
    failed = topology.verdicts[answer.member.id].agreed
    silence = f"has not answered for {answer.silent_for_s:.1f} s"
    if answer.contact == "refused" or answer.process == "gone":
        return _Finding("down", "is down")
    if answer.process == "stopped":
        return _Finding("down", "is down: its process is stopped")
    if failed or (answer.contact == "silent" and answer.silent_for_s >= silence_s):
        return _Finding("down", f"is down: it {silence}")
    if answer.contact == "silent":
        return _Finding("degraded", silence)
    return _Finding("unknown", "cannot be reached from here")


def _find_answering(answer: Answer, topology: Topology) -> _Finding:
    name = answer.member.id
    if answer.loading:
        return _Finding("degraded", "is loading its data")
    if answer.myself is None:
        return _Finding("degraded", "answers but does not tell its view of the cluster")
    if topology.verdicts[name].up is False:
        return _Finding("degraded", "answers here but not to the other nodes")
    if answer.told_role == REPLICA and not answer.link_up:
        syncing = answer.info.get("master_sync_in_progress") == "1"
        return _Finding("degraded", "is synchronising" if syncing else "has lost the link to its primary")
    if answer.told_role == PRIMARY and topology.roles[name] == REPLICA:
        return _Finding("degraded", "still calls itself primary")
    if topology.cluster_ok and answer.cluster.get("cluster_state") != "ok":
        return _Finding("degraded", "does not serve yet")
    return _Finding("up")


def _serves(answer: Answer, topology: Topology) -> bool:
    """Whether an owner of slots answers for them. With ``cluster_state:fail`` everywhere it would, if it were let."""
    told_ok = answer.cluster.get("cluster_state") == "ok"
    return (
        answer.answered
        and not answer.loading
        and (told_ok or not topology.cluster_ok)
        and topology.verdicts[answer.member.id].up is not False
    )


def _node(
    answer: Answer,
    answers: Sequence[Answer],
    topology: Topology,
    finding: _Finding,
    serving: Mapping[str, tuple[Range, ...]],
) -> Node:
    name = answer.member.id
    role = topology.roles[name]
    slots = topology.owned.get(name, ())
    return Node(
        id=name,
        role=role,
        group=topology.groups[name],
        address=f"{answer.member.host}:{answer.member.port}",
        state=finding.state,
        leader=name in topology.owned,
        signals=_signals(answer, topology.verdicts[name]),
        detail={
            "problem": finding.problem,
            "slots": spelled(slots),
            "slots_count": count(slots),
            "serves": name in serving,
            **_verdict_detail(answer, topology),
            **answer.host.detail(),
            **(_told_detail(answer, answers, topology) if answer.answered else {}),
        },
    )


def _signals(answer: Answer, of_others: Verdict) -> dict[str, SignalState]:
    process: SignalState = "up"
    if answer.contact == "refused" or answer.process == "gone":
        process = "down"
    elif answer.contact == "unreachable" and answer.process is None:
        process = "unknown"
    cluster: SignalState = "unknown"
    if of_others.up is not None:
        cluster = "up" if of_others.up else "down"
    return {"process": process, "probe": "up" if answer.answered else "down", "cluster": cluster}


def _verdict_detail(answer: Answer, topology: Topology) -> dict[str, Scalar]:
    of_others = topology.verdicts[answer.member.id]
    return {
        "contact": answer.contact,
        "pinged": answer.pinged,
        "process_state": answer.process,
        "silent_for_s": round(answer.silent_for_s, 3),
        "flagged_failing_by": of_others.failing,
        "asked_about_it": of_others.asked,
        "node_id": topology.ids.get(answer.member.id, ""),
    }


def _told_detail(answer: Answer, answers: Sequence[Answer], topology: Topology) -> dict[str, Scalar]:
    info = answer.info
    myself = answer.myself
    detail: dict[str, Scalar] = {
        "told_role": answer.told_role,
        "pid": answer.number("process_id"),
        "run_id": info.get("run_id", ""),
        "uptime_s": answer.number("uptime_in_seconds"),
        "ops_per_sec": answer.ops_per_sec,
        "clients": answer.number("connected_clients"),
        "used_memory": answer.number("used_memory"),
        "maxmemory": answer.number("maxmemory"),
        "commands": answer.reads + answer.writes,
        "reads": answer.reads,
        "writes": answer.writes,
        "repl_offset": answer.offset,
        "cluster_state": answer.cluster.get("cluster_state", ""),
        "config_epoch": myself.epoch if myself else 0,
        "p99_ms": answer.p99_ms,
        "own_p99_ms": answer.own_p99_ms,
        "ping_p99_ms": answer.pings_p99_ms,
        "command_p99_ms": answer.commands_p99_ms,
        "ping_least_ms": answer.pings_least_ms,
        "ping_median_ms": answer.pings_median_ms,
        "asked_ms": answer.asked_ms,
        "asked_least_ms": answer.asked_least_ms,
        "asked_chars": answer.asked_chars,
    }
    if answer.told_role == REPLICA:
        primary = topology.primary_of(topology.groups[answer.member.id])
        source = next((other for other in answers if other.member.id == primary and other.answered), None)
        detail["link"] = "up" if answer.link_up else "down"
        detail["primary"] = primary
        detail["repl_lag"] = max(0, source.offset - answer.offset) if source else None
    else:
        detail["replicas_connected"] = answer.number("connected_slaves")
    return detail


def _judge(
    answers: Sequence[Answer],
    topology: Topology,
    findings: Mapping[str, _Finding],
    serving: Mapping[str, tuple[Range, ...]],
) -> tuple[bool | None, str]:
    """``ok`` and the reason of the whole observation."""
    states = [finding.state for finding in findings.values()]
    if not any(answer.answered for answer in answers) and "down" not in states:
        return None, "no node answered"
    wrong = _problems(findings, "down")
    if uncovered := uncovered_slots(serving.values()):
        wrong.append(f"slots {spelled(uncovered)} uncovered")
    if not topology.cluster_ok:
        wrong.append("cluster_state is fail")
    wrong += _problems(findings, "degraded")
    if not wrong:
        # A replica that is down or out of sync is named above already.
        wrong += [f"{name} has no replica" for name in topology.owned if not _followers(name, topology)]
    if wrong:
        return False, "; ".join(wrong)
    if "unknown" in states:
        return None, "; ".join(_problems(findings, "unknown"))
    return True, ""


def _problems(findings: Mapping[str, _Finding], state: NodeState) -> list[str]:
    return [f"{name} {finding.problem}" for name, finding in findings.items() if finding.state == state]


def _followers(primary: str, topology: Topology) -> list[str]:
    group = topology.groups[primary]
    return [name for name, role in topology.roles.items() if role == REPLICA and topology.groups[name] == group]


def uncovered_slots(served: Iterable[tuple[Range, ...]]) -> list[Range]:
    """The slots that are in none of ``served``."""
    return without((0, SLOTS - 1), [one for ranges in served for one in ranges])
