"""Evidence of what strains a node that lives: its processor, signals that stop it, its line, its memory, its disk.

Each figure is compared with that of the other nodes: what all of them have is the host's or the load's. That a figure
is as it should be is an item as well, since it rules a cause out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from operator_protocol.models import Scalar
from operatord.workers.agent.bundle.figures import spark
from operatord.workers.agent.bundle.findings import Pad
from operatord.workers.agent.bundle.scene import STOPPED_SHARE, Scene, silent

_WAIT_SHARE = 0.4
_FREE_SHARE = 0.2
_LIMITED_SHARE = 0.05
"""Where there is no quota, no period is ever throttled."""
_LOSSY_SHARE = 0.02
_LOSSY_SEGMENTS = 10
_CLEAN_SHARE = 0.01
_STRAINED_SEGMENTS = 8
_LATER_S = 0.75
"""After a look at the earliest: two of them are half a second apart."""
_NEXT_TO_NONE = 3
"""TCP segments in half a second; a line that loses a third of them still brings dozens."""
_LATE_MS = 3.0
_NARROW_MS = 10.0
"""A look's questions are answered within 1 to 3 ms on a line that is wide enough."""
_OUT_OF_LINE = 4.0
"""Times the median of the other nodes."""
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class _Figure:
    """One figure of the node in focus since the onset, and of the others."""

    node: str
    values: Sequence[float]
    line: str
    others: float | None
    """Median of the highest of each other node."""

    @property
    def highest(self) -> float:
        return max(self.values)

    @property
    def usual(self) -> float:
        return median(self.values)

    @property
    def stands_out(self) -> bool:
        return self.others is None or self.highest >= _OUT_OF_LINE * max(self.others, 1e-9)

    def compared(self, template: str) -> str:
        others = f", of the other nodes {template.format(self.others)}" if self.others is not None else ""
        return f"{template.format(self.highest)} at most since the onset{others}  {self.line}"


def gather(pad: Pad, scene: Scene) -> None:
    """Note what there is of it for the node in focus."""
    name = scene.focus.node
    if name is None:
        return
    _stops(pad, scene, name)
    _processor(pad, scene, name)
    _losses(pad, scene, name)
    _line(pad, scene, name)
    _memory(pad, scene, name)
    _disk(pad, scene, name)
    _handover(pad, scene, name)
    _small_answers(pad, scene, name)


def _small_answers(pad: Pad, scene: Scene, name: str) -> None:
    bad = [(look, node) for look in scene.looks() for node in look.nodes if node.id == name and silent(node)]
    if not bad:
        return
    # In the first such look the ping may have come before the trouble.
    later = [(look, node) for look, node in bad if look.observed_at - bad[0][0].observed_at >= _LATER_S]
    pinged = next((look for look, node in later if node.detail.get("pinged") is True), None)
    if pinged is not None:
        told = f"{pad.moment(pinged.observed_at)}: {name} answered a ping at once, and then not the questions of a look"
        pad.add("metric", "small_answers", told, node=name, at=pinged.observed_at)


def _stops(pad: Pad, scene: Scene, name: str) -> None:
    figure = _figure(scene, name, "stopped_share")
    if figure is None:
        return
    told = f"glances at {name} found it stopped by a signal: {figure.compared('{:.0%}')}"
    if figure.highest >= STOPPED_SHARE:
        pad.add("process", "stop_and_go", told, node=name, data={"share": figure.highest})
    elif figure.highest == 0.0 and not _found_stopped(scene, name):
        pad.add(
            "process", "never_stopped", f"no glance at {name} since the onset found it stopped by a signal", node=name
        )


def _found_stopped(scene: Scene, name: str) -> bool:
    """Whether the kernel had it stopped in a look: one that does not answer is not glanced at."""
    return any(
        node.id == name and node.detail.get("process_state") == "stopped"
        for look in scene.looks()
        for node in look.nodes
    )


def _processor(pad: Pad, scene: Scene, name: str) -> None:
    waited = _figure(scene, name, "cpu_wait_share")
    throttled = _figure(scene, name, "throttled_share")
    if throttled is not None and throttled.highest >= _LIMITED_SHARE:
        pad.add(
            "process",
            "cpu_waiting",
            f"the cgroup of {name} used up its share of processor time in so many of its periods: "
            f"{throttled.compared('{:.0%}')}",
            node=name,
            data={"share": throttled.highest, "limited": True},
        )
    if waited is None:
        return
    told = f"of the time, {name} waited for a processor: {waited.compared('{:.0%}')}"
    if waited.highest >= _WAIT_SHARE and waited.stands_out:
        pad.add("process", "cpu_waiting", told, node=name, data={"share": waited.highest, "limited": False})
    elif waited.highest >= _WAIT_SHARE:
        pad.add("process", "host_pressed", told, node=name, data={"share": waited.highest})
    elif waited.highest < _FREE_SHARE and (throttled is None or throttled.highest < _LIMITED_SHARE):
        pad.add("process", "cpu_free", told, node=name, data={"share": waited.highest})


def _losses(pad: Pad, scene: Scene, name: str) -> None:
    arrived = _latest(scene, name, "segments_in")
    if arrived is not None and arrived <= _NEXT_TO_NONE and scene.now.get(name) is not None and silent(scene.now[name]):
        told = f"{arrived:.0f} TCP segments arrived at {name} between the last two looks"
        pad.add("metric", "line_dead", told, node=name, data={"count": arrived})
    figure = _figure(scene, name, "retrans_share")
    count = _figure(scene, name, "retransmits")
    if figure is None or count is None:
        return
    told = f"TCP segments that {name} had to send again: {figure.compared('{:.1%}')}"
    if figure.highest >= _LOSSY_SHARE and count.highest >= _LOSSY_SEGMENTS and figure.stands_out:
        pad.add("metric", "line_lossy", told, node=name, data={"share": figure.highest, "count": count.highest})
    elif count.highest >= _STRAINED_SEGMENTS and count.stands_out:
        told = f"{name} had to send {count.highest:.0f} TCP segments again within 4 s, {figure.highest:.1%} of them"
        pad.add("metric", "line_strained", told, node=name, data={"count": count.highest})
    elif figure.highest < _CLEAN_SHARE:
        pad.add("metric", "line_clean", told, node=name, data={"share": figure.highest})


def _line(pad: Pad, scene: Scene, name: str) -> None:
    """How late the quickest pings are, and how much later large answers."""
    pings, asked = _figure(scene, name, "ping_least_ms"), _figure(scene, name, "asked_ms")
    if pings is not None:
        told = f"the quickest ping of four looks to {name}: {pings.compared('{:.2g} ms')}"
        if pings.usual >= _LATE_MS and pings.stands_out:
            pad.add("metric", "line_late", told, node=name, data={"ms": pings.usual})
        elif pings.usual < _LATE_MS:
            pad.add("metric", "quick_pings", told, node=name, data={"ms": pings.usual})
    if asked is None or pings is None or asked.usual < _NARROW_MS or not asked.stands_out:
        return
    if asked.usual < _OUT_OF_LINE * pings.usual:
        return  # not the size of the answer takes the time, but the way
    size = _latest(scene, name, "asked_chars")
    what = f"the answers to a whole look, {size / 1000:,.1f} kB," if size else "the answers to a whole look"
    rate = f", in the middle {asked.usual:.0f} ms, which is {size / asked.usual:,.0f} kB/s" if size else ""
    pad.add(
        "metric",
        "line_narrow",
        f"{what} take {asked.compared('{:.0f} ms')}{rate}",
        node=name,
        data={"ms": asked.usual},
    )


def _memory(pad: Pad, scene: Scene, name: str) -> None:
    room = _latest(scene, name, "memory_headroom")
    short = next(
        (one for one in scene.dossier.violations if (one.invariant, one.node) == ("memory_headroom", name)), None
    )
    if room is not None and short is not None:
        used = _latest(scene, name, "used_memory")
        own = f"; {name} itself uses {used / _MIB:,.0f} MiB" if used is not None else ""
        pad.add(
            "metric",
            "headroom_gone",
            f"the cgroup of {name} has room for {room / _MIB:,.0f} MiB more{own}",
            node=name,
            data={"room": room, "used": used},
        )
    kills = [float(value) for value in _states(scene, name, "oom_kills")]
    end = scene.ends.get(name)
    if len(kills) > 1 and kills[-1] > kills[0] and end is not None and end.signal in (9, None):
        pad.add(
            "process",
            "oom_killed",
            f"the kernel ended a process in the cgroup of {name} for want of memory: {kills[0]:.0f} before, "
            f"{kills[-1]:.0f} now",
            node=name,
        )


def _disk(pad: Pad, scene: Scene, name: str) -> None:
    used = _latest(scene, name, "disk_used")
    breach = next((one for one in scene.dossier.violations if (one.invariant, one.node) == ("disk_used", name)), None)
    if used is None or breach is None:
        return
    before = _number(scene.before[name].detail.get("disk_used")) if name in scene.before else None
    memory = _latest(scene, name, "used_memory")
    pad.add(
        "metric",
        "disk_grown",
        f"{used / _MIB:,.0f} MiB lie in the data directory of {name}"
        f"{f', {before / _MIB:,.0f} MiB before the onset' if before is not None else ''}"
        f"{f'; its data takes {memory / _MIB:,.0f} MiB of memory' if memory is not None else ''}",
        node=name,
        data={"used": used, "memory": memory},
    )


def _handover(pad: Pad, scene: Scene, name: str) -> None:
    for look in scene.looks():
        node = next((one for one in look.nodes if one.id == name), None)
        heir = node.detail.get("handed_over_to") if node is not None else None
        if heir:
            pad.add(
                "topology",
                "handed_over",
                f"{pad.moment(look.observed_at)}: {name} has handed its slots over to {heir}; both answered, "
                "and no node held either for failed",
                node=name,
                at=look.observed_at,
                data={"heir": str(heir)},
            )
            return


def _figure(scene: Scene, name: str, figure: str) -> _Figure | None:
    """``figure`` of ``name`` since the onset; None where it is not known."""
    values, own = _since(scene, name, figure)
    if not values:
        return None
    others = [max(found) for node in scene.now if node != name and (found := _since(scene, node, figure)[0])]
    return _Figure(name, values, spark(own), median(others) if others else None)


def _since(scene: Scene, name: str, figure: str) -> tuple[list[float], list[float]]:
    """The values since the onset, and all that are known. What never changed is only in the last look.

    What a silent node told before its silence says nothing of it.
    """
    for series in scene.dossier.series:
        if (series.node, series.name) == (name, figure):
            since = [value for at, value in zip(series.at, series.values, strict=False) if at >= scene.onset_at]
            if since:
                return since, series.values
    seen = [node for look in scene.looks() for node in look.nodes if node.id == name]
    told = [value for node in seen if (value := _number(node.detail.get(figure))) is not None]
    return told[-1:], told[-1:]


def _latest(scene: Scene, name: str, figure: str) -> float | None:
    found = _states(scene, name, figure)
    return found[-1] if found else None


def _states(scene: Scene, name: str, figure: str) -> list[float]:
    seen = [node for look in scene.dossier.health_history for node in look.nodes if node.id == name]
    return [value for node in seen if (value := _number(node.detail.get(figure))) is not None]


def _number(value: Scalar) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
