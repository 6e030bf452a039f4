"""Evidence of kind ``metric``: what clients felt, and the node's own figures, as exact numbers with a sparkline."""

from collections.abc import Mapping, Sequence
from statistics import median

from sparklines import sparklines

from operator_protocol.models import Scalar, WorkloadSample
from operatord.tickets.dossier import Series
from operatord.workers.agent.bundle.findings import Pad
from operatord.workers.agent.bundle.scene import Scene

BEFORE_S = 15.0
AFTER_S = 30.0
BACK_SHARE = 0.8
"""From this share of the rate before on, the load counts as back (the demo's own criterion)."""
_RELEVANT: Mapping[str, tuple[str, ...]] = {
    "p99_latency": ("p99",),
    "slow_transfers": ("asked_least", "ping_median"),
    "memory": ("used_memory",),
    "replication_lag": ("lag",),
    "replication_link": ("lag",),
    "raft_log_lag": ("lag",),
}
"""Words in a figure's name, by the invariant of the ticket."""
_MOST_FIGURES = 3
_MIB = 1 << 20
_LITTLE_SHARE = 0.7
_LITTLE_BYTES = 512 * _MIB
"""Of a node without a limit of its own: no host that runs a cluster is short of this much."""


def gather(pad: Pad, scene: Scene) -> None:
    """Note the load around the onset, the memory of the node in focus, and the figures behind the ticket."""
    _load(pad, scene)
    _memory(pad, scene)
    words = _RELEVANT.get(scene.dossier.ticket.invariant, ())
    telling = [one for one in scene.dossier.series if any(word in one.name for word in words)]
    own = [one for one in telling if one.node == scene.focus.node]
    for series in own[:_MOST_FIGURES]:
        _figure(pad, scene, series)
    if own:
        _elsewhere(pad, scene, [one for one in telling if one.name == own[0].name and one.node != scene.focus.node])


def _load(pad: Pad, scene: Scene) -> None:
    onset_at = scene.onset_at
    samples = [one for one in scene.dossier.workload if -BEFORE_S <= one.sampled_at - onset_at <= AFTER_S]
    since = [one for one in samples if one.sampled_at > onset_at]
    earlier = [one for one in samples if one.sampled_at <= onset_at]
    if not since or not earlier:
        pad.add("metric", "load_absent", "no load was measured around the onset, so what clients felt is not known")
        return
    usual = earlier[-1].baseline or median(one.ops_per_sec for one in earlier)
    lowest = min(since, key=lambda one: one.ops_per_sec)
    share = lowest.ops_per_sec / usual if usual else 1.0
    degraded = [one for one in since if one.degraded]
    errors = max(0, since[-1].errors - earlier[-1].errors)
    line = spark([one.ops_per_sec for one in samples])
    threshold = earlier[-1].threshold or usual / 2
    if not degraded and lowest.ops_per_sec >= threshold:
        pad.add(
            "metric",
            "load_steady",
            f"load: {usual:,.0f} ops/s before, never under {lowest.ops_per_sec:,.0f} ops/s since ({share:.0%}), "
            f"{errors} errors  {line}",
            data={
                "before": usual,
                "lowest": lowest.ops_per_sec,
                "share": share,
                "errors": errors,
                "for_s": since[-1].sampled_at - onset_at,
            },
        )
        return
    later = [one for one in since if one.sampled_at > lowest.sampled_at]
    back = next((one for one in later if one.ops_per_sec >= BACK_SHARE * usual), None)
    ending = (
        f"back at {back.ops_per_sec:,.0f} ops/s at {pad.moment(back.sampled_at)}"
        if back is not None
        else f"not back yet ({since[-1].ops_per_sec:,.0f} ops/s)"
    )
    pad.add(
        "metric",
        "load_dipped",
        f"load: {usual:,.0f} ops/s before, {lowest.ops_per_sec:,.0f} ops/s ({share:.0%}) at "
        f"{pad.moment(lowest.sampled_at)}, {len(degraded)} degraded samples, {ending}, {errors} errors  {line}",
        at=lowest.sampled_at,
        data={
            "before": usual,
            "lowest": lowest.ops_per_sec,
            "share": share,
            "degraded": len(degraded),
            "errors": errors,
            "back_after_s": back.sampled_at - onset_at if back is not None else None,
            "slowest_ms": _slowest(since),
        },
    )


def _slowest(samples: Sequence[WorkloadSample]) -> float | None:
    found = [one.max for sample in samples for one in sample.latency.values() if one.max is not None]
    return max(found, default=None)


def _memory(pad: Pad, scene: Scene) -> None:
    """How full the node was before the onset: what speaks for or against a want of memory."""
    node = scene.before.get(scene.focus.node or "")
    if node is None:
        return
    used = _number(node.detail, "used_memory")
    limit = _number(node.detail, "maxmemory")
    if used is None:
        return
    share = used / limit if limit else None
    ceiling = (
        f"of {limit / _MIB:,.0f} MiB ({share:.0%})" if limit and share is not None else "and has no limit of its own"
    )
    if used < _LITTLE_BYTES if share is None else share < _LITTLE_SHARE:
        pad.add(
            "metric",
            "memory_low",
            f"{node.id} used {used / _MIB:,.1f} MiB of memory before the onset {ceiling}",
            node=node.id,
            data={"used": used, "share": share},
        )


def _number(detail: Mapping[str, Scalar], name: str) -> float | None:
    value = detail.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _figure(pad: Pad, scene: Scene, series: Series) -> None:
    earlier = [value for at, value in zip(series.at, series.values, strict=False) if at < scene.onset_at]
    since = [value for at, value in zip(series.at, series.values, strict=False) if at >= scene.onset_at]
    if not since:
        return
    before = f"{median(earlier):,.4g} before" if earlier else "not known before"
    pad.add(
        "metric",
        "figure",
        f"{series.name} of {series.node}: {before}, up to {max(since):,.4g} since, "
        f"{since[-1]:,.4g} now  {spark(series.values)}",
        node=series.node,
        data={"name": series.name, "highest": max(since)},
    )


def _elsewhere(pad: Pad, scene: Scene, telling: Sequence[Series]) -> None:
    """The same figure of the other nodes, for comparison: is it this one, or all of them?"""
    highest = {
        one.node: max(since)
        for one in telling
        if (since := [value for at, value in zip(one.at, one.values, strict=False) if at >= scene.onset_at])
    }
    if highest:
        shown = ", ".join(f"{node} {value:,.4g}" for node, value in sorted(highest.items()))
        pad.add(
            "metric",
            "figure",
            f"{telling[0].name} of the other nodes, highest since the onset: {shown}",
            data={"name": telling[0].name, "highest": max(highest.values())},
        )


def spark(values: Sequence[float]) -> str:
    """``values`` as one line of block characters, scaled from zero to the highest."""
    lines = sparklines([max(0.0, value) for value in values], minimum=0.0)
    return lines[0] if lines else ""
