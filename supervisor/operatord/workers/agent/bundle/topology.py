"""Evidence of kind ``topology``: who was what, who answers, who took over."""

from collections.abc import Iterable

from operator_protocol.models import ClusterHealth, Node
from operatord.workers.agent.bundle import silences
from operatord.workers.agent.bundle.findings import Pad
from operatord.workers.agent.bundle.scene import Scene, isolated, silent

_KERNEL_WORDS = {
    "running": "is there and runs",
    "stopped": "is there but is stopped by a signal (state T)",
    "gone": "does not exist any more",
}
_CONTACTS = {
    "refused": "its port refused connections, nothing listened there",
    "silent": "its port accepted connections and nothing answered",
    "unreachable": "its port neither accepted nor refused connections",
}
_ROLES = {"tikv": "store", "pd": "PD"}
_IDENTITY = ("run_id",)
"""What a server changes only by starting anew."""


def gather(pad: Pad, scene: Scene) -> None:
    """Note the places before, the silence and its end, the rest of the group, the rest of the cluster."""
    focus = scene.focus
    if focus.node is not None and focus.node in (scene.before or scene.now):
        _members(pad, scene)
        _focus_node(pad, scene, focus.node)
        if focus.group:
            _group(pad, scene, focus.node)
    _bystanders(pad, scene)
    _all_clear(pad, scene)


def _members(pad: Pad, scene: Scene) -> None:
    """The places of the group before the onset, one item for the node in focus and one for its peers."""
    focus = scene.focus
    nodes = scene.before or scene.now
    node = nodes[focus.node or ""]
    if node.role not in ("primary", "replica"):
        _place(pad, node)
        return
    slots = node.detail.get("slots")
    served = f", serving slots {slots}" if isinstance(slots, str) and slots else ""
    pad.add(
        "topology",
        "member",
        f"before the onset {node.id} ({node.address}) was the {node.role} of {node.group}{served}; it was {node.state}",
        node=node.id,
        group=node.group,
        data={"role": node.role, "slots": slots if isinstance(slots, str) else None},
    )


def _place(pad: Pad, node: Node) -> None:
    """The place of a node that holds no fixed share of the data."""
    leaders, regions = node.detail.get("leaders"), node.detail.get("regions")
    counted = isinstance(leaders, int) and isinstance(regions, int)
    role = _ROLES.get(node.role, node.role)
    led = f", leading {leaders} of {regions} regions" if counted else ", the leader" if node.leader else ""
    pad.add(
        "topology",
        "member",
        f"before the onset {node.id} ({node.address}) was a {role}{led}; it was {node.state}",
        node=node.id,
        group=node.group,
        data={"role": node.role, "leads": node.leader, "leaders": leaders, "regions": regions},
    )


def _focus_node(pad: Pad, scene: Scene, name: str) -> None:
    spells = [(look, node) for look in scene.looks() if (node := _node(look, name)) is not None]
    bad = [(look, node) for look, node in spells if silent(node)]
    if not bad:
        present = scene.now.get(name)
        if present is None or present.state == "unknown":
            pad.add("topology", "node_unknown", f"whether {name} answers could not be told", node=name)
        else:
            pad.add(
                "topology",
                "node_up",
                f"{name} answered in every look since the onset{_signs(present)}",
                node=name,
                data={"state": present.state},
            )
            _isolation(pad, present)
    else:
        first, last = bad[0][0], bad[-1][1]
        back = silences.end(spells)
        pad.add(
            "topology",
            "node_down",
            f"{name} {silences.in_words(pad, spells)}{_signs(last)}{_remark(last)}",
            node=name,
            at=first.observed_at,
            data={
                **{sign: last.signals.get(sign) for sign in ("process", "container", "probe", "cluster")},
                "contact": last.detail.get("contact"),
                "silent_for_s": last.detail.get("silent_for_s"),
            },
        )
        _kernel(pad, bad)
        if back is not None:
            pad.add(
                "topology",
                "node_returned",
                f"{name} is up again since {pad.moment(back.observed_at)}, as a {spells[-1][1].role}",
                node=name,
                at=back.observed_at,
                data={"after_s": back.observed_at - first.observed_at},
            )
    _identity(pad, scene, name)


def _kernel(pad: Pad, bad: list[tuple[ClusterHealth, Node]]) -> None:
    """What the kernel said about the process while it did not answer; the last word counts."""
    look, node = next(((look, node) for look, node in reversed(bad) if node.detail.get("process_state")), bad[-1])
    if node.detail.get("container_state"):
        _container(pad, bad)
        return
    words = _KERNEL_WORDS.get(str(node.detail.get("process_state")))
    if words is not None:
        pad.add(
            "process",
            "kernel_state",
            f"{pad.moment(look.observed_at)}: the kernel says that the process of {node.id} {words}",
            node=node.id,
            group=node.group,
            at=look.observed_at,
            data={"state": node.detail.get("process_state")},
        )


def _container(pad: Pad, bad: list[tuple[ClusterHealth, Node]]) -> None:
    """What the engine said about its container while it did not answer."""
    told = [(look, node) for look, node in bad if node.detail.get("container_state")]
    look, node = next(((look, node) for look, node in told if node.detail["container_state"] == "paused"), told[-1])
    state = str(node.detail["container_state"])
    kernel = {"running": "running", "paused": "stopped"}.get(state, "gone")
    pad.add(
        "process",
        "kernel_state",
        f"{pad.moment(look.observed_at)}: the engine says that the container of {node.id} is {state}",
        node=node.id,
        group=node.group,
        at=look.observed_at,
        data={"state": kernel},
    )


def _isolation(pad: Pad, node: Node) -> None:
    if isolated(node):
        pad.add(
            "topology",
            "isolated",
            f"{node.id} answers us, while the other nodes hold it for failed",
            node=node.id,
            group=node.group,
        )


def _identity(pad: Pad, scene: Scene, name: str) -> None:
    before, now = scene.before.get(name), scene.now.get(name)
    for key in _IDENTITY:
        old = before.detail.get(key) if before is not None else None
        new = now.detail.get(key) if now is not None else None
        if old and new and old != new:
            pad.add(
                "topology",
                "new_identity",
                f"{name} has another {key} than before ({str(old)[:12]} then, {str(new)[:12]} now): "
                "it is a new process of the same node",
                node=name,
            )


def _group(pad: Pad, scene: Scene, name: str) -> None:
    """Whether the group lost all of its nodes, and who took over."""
    focus = scene.focus
    group, peers = focus.group or "", set(focus.peers)
    lost = next((look for look in scene.looks() if _all_silent(look, {name, *peers})), None) if peers else None
    if lost is not None:
        pad.add(
            "topology",
            "group_lost",
            f"{pad.moment(lost.observed_at)}: not one node of {group} ({', '.join([name, *focus.peers])}) answered",
            node=name,
            group=group,
            at=lost.observed_at,
        )
    elif peers:
        steady = [peer for peer in focus.peers if not _ever_silent(scene.looks(), peer)]
        if steady and scene.looks():
            known = ", ".join(_titled(scene, peer) for peer in steady)
            pad.add("topology", "group_member_up", f"{known} of {group} answered throughout", node=name, group=group)
    taken = _takeover(scene, name)
    if taken is not None:
        look, heir = taken
        pad.add(
            "topology",
            "failover",
            f"{heir.id} became the primary of {group} at {pad.moment(look.observed_at)}",
            node=heir.id,
            group=group,
            at=look.observed_at,
            data={"heir": heir.id, "after_s": look.observed_at - scene.onset_at},
        )


def _takeover(scene: Scene, name: str) -> tuple[ClusterHealth, Node] | None:
    """The first look in which a peer that was no primary before is one and answers."""
    for look in scene.looks():
        for node in look.nodes:
            known = scene.before.get(node.id)
            took = node.role == "primary" and known is not None and known.role != "primary"
            if took and node.id != name and node.group == scene.focus.group and not silent(node):
                return look, node
    return None


def _bystanders(pad: Pad, scene: Scene) -> None:
    """The nodes outside the group: their state tells a trouble of one node from one of the host or the network."""
    looks = scene.looks()
    group = scene.focus.group
    others = [
        node
        for node in (scene.before or scene.now).values()
        if group is None or (node.group != group if group else node.id != scene.focus.node)
    ]
    if not others or not looks:
        return
    down = [node.id for node in others if _ever_silent(looks, node.id)]
    if down:
        pad.add(
            "topology",
            "bystanders_down",
            f"{f'outside {group}, ' if group else ''}{', '.join(down)} did not answer either",
            data={"count": len(down), "of": len(others)},
        )
    else:
        pad.add(
            "topology",
            "bystanders_up",
            f"all {len(others)} {f'nodes outside {group}' if group else 'other nodes'} "
            f"({', '.join(node.id for node in others)}) answered in every look",
            data={"count": len(others)},
        )


def _all_clear(pad: Pad, scene: Scene) -> None:
    """Nothing to be seen: stated as an item of its own, because it is what "no fault" rests on."""
    looks, dossier = scene.looks(), scene.dossier
    latest = dossier.health_history[-1] if dossier.health_history else None
    clear = (
        latest is not None
        and latest.ok is True
        and not scene.ends
        and not dossier.violations
        and not any(silent(node) for look in looks for node in look.nodes)
    )
    if clear and latest is not None:
        pad.add(
            "topology",
            "all_clear",
            f"{pad.moment(latest.observed_at)}: all {len(latest.nodes)} nodes are up, no node was silent since the "
            "onset, no process ended, no invariant is violated",
            at=latest.observed_at,
        )


def _titled(scene: Scene, name: str) -> str:
    known = scene.before.get(name)
    return f"{name} (the {known.role} before)" if known is not None and known.role not in _ROLES else name


def _signs(node: Node) -> str:
    shown = ", ".join(f"{sign} {state}" for sign, state in node.signals.items())
    return f" ({shown})" if shown else ""


def _remark(node: Node) -> str:
    contact = _CONTACTS.get(str(node.detail.get("contact")))
    return f": {contact}" if contact else ""


def _node(look: ClusterHealth, name: str) -> Node | None:
    return next((node for node in look.nodes if node.id == name), None)


def _all_silent(look: ClusterHealth, names: set[str]) -> bool:
    found = [node for node in look.nodes if node.id in names]
    return len(found) == len(names) and all(silent(node) for node in found)


def _ever_silent(looks: Iterable[ClusterHealth], name: str) -> bool:
    return any(silent(node) for look in looks if (node := _node(look, name)) is not None)
