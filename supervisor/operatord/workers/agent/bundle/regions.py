"""Evidence that only a TiKV cluster gives: PD's majority, where the leaders of regions went, disks, doors for clients.

Read from the details of its nodes, so that it is silent about clusters of another kind.
"""

from collections.abc import Sequence

from operator_protocol.models import ClusterHealth, Node
from operatord.workers.agent.bundle.findings import Pad
from operatord.workers.agent.bundle.scene import Scene, silent

_GIB = 1 << 30
_SHORT_SHARE = 0.2
"""PD's own limit: it places nothing where less of the disk is available."""
_LEADERLESS = "no PD leader"


def gather(pad: Pad, scene: Scene) -> None:
    """Note what there is of it."""
    looks = scene.looks()
    _majority(pad, looks)
    name = scene.focus.node
    if name is None:
        return
    states = [(look, node) for look in looks for node in look.nodes if node.id == name and node.role == "tikv"]
    _leaders(pad, scene, name, states)
    _flags(pad, name, states)
    _disk(pad, scene, name, states)


def _majority(pad: Pad, looks: Sequence[ClusterHealth]) -> None:
    for look in looks:
        members = [node for node in look.nodes if node.role == "pd"]
        lost = [node.id for node in members if silent(node)]
        if members and (len(members) - len(lost)) * 2 <= len(members):
            pad.add(
                "topology",
                "quorum_lost",
                f"{pad.moment(look.observed_at)}: {len(lost)} of {len(members)} PDs ({', '.join(lost)}) do not answer, "
                f"{len(members) // 2 + 1} are needed to elect a leader",
                group="pd",
                at=look.observed_at,
                data={"lost": len(lost), "names": ",".join(lost)},
            )
            break
    blind = next((look for look in looks if look.ok is None and look.reason.startswith(_LEADERLESS)), None)
    if blind is not None:
        pad.add(
            "topology",
            "leaderless",
            f"{pad.moment(blind.observed_at)}: no PD leads, so nothing is known of the stores: {blind.reason}",
            group="pd",
            at=blind.observed_at,
        )


def _leaders(pad: Pad, scene: Scene, name: str, states: Sequence[tuple[ClusterHealth, Node]]) -> None:
    before = scene.before.get(name)
    led = before.detail.get("leaders") if before is not None else None
    if not isinstance(led, int) or led == 0:
        return
    moved = next((look for look, node in states if node.detail.get("leaders") == 0), None)
    if moved is None:
        return
    heirs = [
        f"{node.id} {node.detail['leaders']}"
        for node in moved.nodes
        if node.role == "tikv" and node.id != name and node.detail.get("leaders")
    ]
    pad.add(
        "topology",
        "leaders_moved",
        f"{name} led {led} regions before and none at {pad.moment(moved.observed_at)}; then the others lead: "
        f"{', '.join(heirs) or 'none'}",
        node=name,
        at=moved.observed_at,
        data={"led": led, "after_s": moved.observed_at - scene.onset_at},
    )


def _flags(pad: Pad, name: str, states: Sequence[tuple[ClusterHealth, Node]]) -> None:
    evicting = next(((look, node) for look, node in states if node.detail.get("evicting") is True), None)
    if evicting is not None:
        look, node = evicting
        pad.add(
            "topology",
            "evicting",
            f"{pad.moment(look.observed_at)}: PD has an evict-leader scheduler for {name} "
            f"(store {node.detail.get('store_id')})",
            node=name,
            at=look.observed_at,
            data={"store_id": node.detail.get("store_id"), "still": states[-1][1].detail.get("evicting")},
        )
    closed = next(
        (
            (look, node)
            for look, node in states
            if node.state == "degraded"
            and node.detail.get("contact") == "answered"
            and node.detail.get("data_port") in ("refused", "silent")
        ),
        None,
    )
    if closed is not None:
        look, node = closed
        how = "refuses connections" if node.detail.get("data_port") == "refused" else "accepts and does not answer"
        pad.add(
            "process",
            "clients_unserved",
            f"{pad.moment(look.observed_at)}: {name} answers on its status port, while its port for clients {how}",
            node=name,
            at=look.observed_at,
            data={"data_port": node.detail.get("data_port")},
        )
    if any(node.detail.get("oom_killed") is True for _look, node in states):
        pad.add("process", "oom_killed", f"the kernel ended the container of {name} for want of memory", node=name)


def _disk(pad: Pad, scene: Scene, name: str, states: Sequence[tuple[ClusterHealth, Node]]) -> None:
    latest = states[-1][1] if states else scene.now.get(name)
    if latest is None:
        return
    share, available, used = (latest.detail.get(key) for key in ("available_share", "available", "used"))
    violated = any(one.invariant == "low_space" and one.node == name for one in scene.dossier.violations)
    if not isinstance(share, int | float) or not isinstance(available, int | float):
        return
    if not (violated or share < _SHORT_SHARE):
        return
    own = f"; TiKV's own data is {used / _GIB:,.1f} GiB" if isinstance(used, int | float) else ""
    pad.add(
        "metric",
        "disk_short",
        f"{available / _GIB:,.1f} GiB ({share:.0%}) of the disk of {name} are available{own}",
        node=name,
        data={"share": share, "used": used if isinstance(used, int | float) else None},
    )
