"""What the story says at each moment: short sentences for a stage, at most four lines of 70 characters.

Which sentence is said is decided here; the sentences themselves are in the catalogue of their language.
"""

import textwrap
from collections import Counter
from collections.abc import Callable

from operator_protocol.errors import OperatorError
from operator_protocol.models import Action, Fault
from operatord.demo.catalogue import Catalogue
from operatord.demo.telling import Scene
from operatord.durations import format_duration

WIDTH = 70
LINES = 4
NO_DETECTION_S = 30.0
"""After this long without a detection, the chapter says so."""

Words = Callable[[Scene], str]

_QUIET = frozenset({"slow", "evict-leader", "failover", "latency", "loss", "bandwidth", "cpu", "memory", "disk"})
"""What the load may take without a drop."""
_SPARED = frozenset({"pd"})
"""Roles of which one may be lost without a drop: the others of its group go on."""
_LOOKS_WELL = frozenset({"client-pause", "grpc-pause"})
_ENDS_IT = frozenset({"kill", "stop", "restart"})


def lines(*parts: str, at_most: int = LINES) -> str:
    """``parts`` as paragraphs, wrapped, and cut at the last line that a small terminal shows."""
    wrapped = [line for part in parts if part for line in textwrap.wrap(part, WIDTH)]
    if len(wrapped) > at_most:
        wrapped[at_most - 1] = textwrap.shorten(" ".join(wrapped[at_most - 1 :]), WIDTH, placeholder="…")
    return "\n".join(wrapped[:at_most])


class Narrator:
    """The words of the shipped chapters, and of what may happen in any chapter, in one language."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._say = catalogue
        self.tellings: dict[str, Words] = {
            "welcome": self.welcome,
            "cluster_health": self.cluster_health,
            "load": self.load,
            "fault": self.fault,
            "detection": self.detection,
            "diagnosis": self.diagnosis,
            "recovery": self.recovery,
            "complete": self.complete,
        }
        """The narrations that a chapter may name."""

    @property
    def catalogue(self) -> Catalogue:
        """Where the words come from."""
        return self._say

    def welcome(self, scene: Scene) -> str:
        """Welcome."""
        say = self._say
        count = len(scene.cluster.nodes) if scene.cluster else 0
        servers = say("welcome.servers_counted", count=count) if count else say("welcome.servers")
        return lines(say("welcome.intro", servers=servers), say("welcome.real"))

    def cluster_health(self, scene: Scene) -> str:
        """Stage 1."""
        say = self._say
        if scene.cluster is None or not scene.cluster.nodes:
            return lines(say("cluster_health.looking"))
        nodes = scene.cluster.nodes
        up = sum(node.state == "up" for node in nodes)
        roles = Counter(node.role for node in nodes)
        members = ", ".join(
            say("cluster_health.members", count=count, role=self._roles(role, count)) for role, count in roles.items()
        )
        state = say("cluster_health.state", up=up, all=len(nodes), members=members)
        if not scene.cluster.ok:
            reason = scene.cluster.reason or say("cluster_health.unknown")
            if scene.cluster.ok is None and scene.cluster.reason:
                return lines(state, say("cluster_health.not_known", reason=reason))
            return lines(state, say("cluster_health.unwell", reason=reason))
        parts = say("cluster_health.regions") if "tikv" in roles else ""
        parts = say("cluster_health.parts") if "replica" in roles else parts
        return lines(state, parts, say("cluster_health.watch"))

    def load(self, scene: Scene) -> str:
        """Stage 2."""
        say, sample = self._say, scene.sample
        if not scene.load_running:
            return lines(say("load.starting"))
        if sample is None:
            return lines(say("load.first"), say("load.soon"))
        ops = self.rate(sample.ops_per_sec)
        if sample.baseline is None:
            return lines(say("load.measuring", ops=ops), say("load.normal"))
        return lines(
            say("load.baseline", ops=ops, baseline=self.rate(sample.baseline)),
            say("load.threshold", threshold=self.rate(sample.threshold)) if sample.threshold else "",
            say("load.watch"),
        )

    def fault(self, scene: Scene) -> str:
        """Stage 3."""
        say = self._say
        if (one := scene.countdown) is not None:
            counting = say(
                "fault.counting",
                doing=say.get(f"kind.{one.kind}.doing", one.kind),
                target=one.target,
                role=self._roles(one.role, 1) if one.role else say("fault.node"),
                remaining=one.remaining,
            )
            return lines(counting, say.get(f"kind.{one.kind}.like"), say("fault.watch"))
        if scene.fault is None:
            return lines(say("fault.choosing"))
        what = self.broken(scene.fault)
        if scene.recovered:
            return lines(say("fault.over", broken=what), say("fault.goes_on"))
        if scene.since_fault_s is None:
            return lines(say("fault.broken", broken=what), *self._consequences(scene.fault))
        since = say("fault.since", broken=what, seconds=_whole(scene.since_fault_s))
        return lines(since, *self._consequences(scene.fault))

    def detection(self, scene: Scene) -> str:
        """Stage 4."""
        say = self._say
        if scene.fault is None:
            return lines(say("detection.nothing"), say("detection.break_first"))
        if scene.detection is not None:
            seen = (
                say("detection.seen", message=scene.detection.message)
                if scene.detected_after_s is None
                else say(
                    "detection.seen_after",
                    after=format_duration(scene.detected_after_s),
                    message=scene.detection.message,
                )
            )
            return lines(lines(seen, at_most=LINES - 2), say("detection.untold"), say("detection.ticket"))
        waited = scene.since_fault_s if scene.since_fault_s is not None else scene.in_chapter_s
        waiting = say("detection.waiting", seconds=_whole(waited))
        if waited >= NO_DETECTION_S:
            return lines(waiting, say("detection.missed", seconds=_whole(NO_DETECTION_S)))
        return lines(waiting, say("detection.monitor"))

    def diagnosis(self, scene: Scene) -> str:
        """Stage 5."""
        say = self._say
        if scene.diagnosis is not None:
            return lines(lines(self._found(scene), at_most=LINES - 1), say("diagnosis.watch"))
        if scene.fault is None:
            return lines(say("diagnosis.nothing"))
        waiting = say("diagnosis.waiting", seconds=_whole(scene.in_chapter_s))
        return lines(waiting, say("diagnosis.gathers"), say("diagnosis.untold"))

    def recovery(self, scene: Scene) -> str:
        """Stage 6."""
        say = self._say
        if scene.owed:
            doing = self._at_it(scene.action) or say("recovery.bringing", targets=_targets(scene.owed))
            return lines(doing, say("recovery.seen"), say("recovery.watch"))
        if scene.fault is None:
            return lines(say("recovery.nothing"))
        target = scene.fault.target
        back = say("recovery.back", target=target)
        if scene.repaired_by_agent:
            back = say("recovery.agent_back", target=target)
        if scene.recovery_s is not None:
            back = say("recovery.took", back=back, took=format_duration(scene.recovery_s))
        if not scene.load_is_back:
            return lines(back, self._waits(scene))
        return lines(back, "" if scene.after_ops is None else say("recovery.load_back", ops=self.rate(scene.after_ops)))

    def complete(self, scene: Scene) -> str:
        """Demo Complete."""
        say = self._say
        if scene.owed:
            targets = _targets(scene.owed)
            if scene.working:
                return lines(say("complete.bringing", targets=targets))
            return lines(say("complete.broken_since", targets=targets))
        if scene.fault is None:
            return lines(say("complete.nothing"), say("complete.again"))
        broken, times, rates = self.broken(scene.fault), ", ".join(self._times(scene)), ", ".join(self._rates(scene))
        return lines(
            say("complete.told", broken=broken, times=times) if times else say("complete.only_broken", broken=broken),
            say("complete.load", rates=rates) if rates else "",
            say("complete.whole"),
        )

    # what may happen in any chapter

    def trouble(self, error: OperatorError, index: int) -> str:
        """A chapter that could not do what it is for."""
        say = self._say
        what = (
            say("common.trouble_hint", message=error.message, hint=error.hint)
            if error.hint
            else say("common.trouble", message=error.message)
        )
        way_back = say("common.way_back", index=index) if index else say("common.try_again")
        return lines(lines(what, at_most=LINES - 1), way_back)

    def overdue(self, words: str, seconds: float, index: int) -> str:
        """A chapter whose ``words`` wait for something that has not come."""
        say, waited = self._say, _whole(seconds)
        told = (
            say("common.overdue", seconds=waited, index=index) if index else say("common.overdue_first", seconds=waited)
        )
        late = lines(told, at_most=1)
        return "\n".join([*words.splitlines()[: LINES - 1], late])

    def on_the_way(self, title: str, words: str) -> str:
        """What has to be brought about before the chapter that was jumped to."""
        return "\n".join([*lines(self._say("common.first", title=title)).splitlines(), *words.splitlines()][:LINES])

    def going_back(self, owed: list[Fault]) -> str:
        """The effects of chapters that were left backwards are being taken back."""
        if owed:
            return lines(self._say("common.going_back", targets=_targets(owed)))
        return lines(self._say("common.taking_back"))

    # parts

    def broken(self, one: Fault) -> str:
        """What happened to the target of ``one``."""
        say = self._say
        done = say.get(f"kind.{one.kind}.done") or say("fault.done_unknown", kind=one.kind)
        if not one.role:
            return say("fault.done_alone", target=one.target, done=done)
        return say("fault.done", target=one.target, role=self._roles(one.role, 1), done=done)

    def rate(self, ops: float | None) -> str:
        """Operations per second."""
        return self._say("common.rate", number=f"{ops or 0.0:,.0f}")

    def _consequences(self, one: Fault) -> list[str]:
        say = self._say
        if one.kind in _QUIET or one.role in _SPARED:
            return [say("fault.quiet")]
        if one.kind in _LOOKS_WELL:
            return [say("fault.looks_well")]
        return [
            say("fault.takes_over") if one.role == "primary" else say("fault.elect") if one.role == "tikv" else "",
            say("fault.drop"),
            say("fault.copy_missing") if one.kind in _ENDS_IT else "",
        ]

    def _found(self, scene: Scene) -> str:
        say, found = self._say, scene.diagnosis
        if found is None:
            return ""
        source, sure, summary = found.source, f"{found.confidence:.0%}", found.summary
        if scene.diagnosed_after_s is None:
            if found.preliminary:
                return say("diagnosis.first", source=source, sure=sure, summary=summary)
            return say("diagnosis.found", source=source, sure=sure, summary=summary)
        after = format_duration(scene.diagnosed_after_s)
        if found.preliminary:
            return say("diagnosis.first_after", after=after, source=source, sure=sure, summary=summary)
        return say("diagnosis.found_after", after=after, source=source, sure=sure, summary=summary)

    def _at_it(self, action: Action | None) -> str:
        if action is None or action.status not in ("approved", "running"):
            return ""
        return self._say(
            "recovery.repairs", kind=action.kind, target=action.target, risk=action.risk, by=action.decided_by
        )

    def _waits(self, scene: Scene) -> str:
        say = self._say
        threshold = self.rate(scene.sample.threshold) if scene.sample and scene.sample.threshold else ""
        now = self.rate(scene.sample.ops_per_sec) if scene.sample else ""
        if threshold and now:
            return say("recovery.waits_at_least_now", threshold=threshold, ops=now)
        return say("recovery.waits_baseline_now", ops=now) if now else say("recovery.waits_baseline")

    def _times(self, scene: Scene) -> list[str]:
        say, times = self._say, []
        if scene.detected_after_s is not None:
            times.append(say("complete.detected", after=format_duration(scene.detected_after_s)))
        if scene.first_answer_after_s is not None and scene.first_answer_after_s != scene.diagnosed_after_s:
            times.append(say("complete.first_answer", after=format_duration(scene.first_answer_after_s)))
        if scene.diagnosed_after_s is not None:
            times.append(say("complete.diagnosed", after=format_duration(scene.diagnosed_after_s)))
        if scene.recovery_s is not None:
            took = format_duration(scene.recovery_s)
            by_agent = scene.repaired_by_agent
            times.append(
                say("complete.repaired_by_agent", took=took) if by_agent else say("complete.repaired", took=took)
            )
        return times

    def _rates(self, scene: Scene) -> list[str]:
        say, rates = self._say, []
        if scene.baseline_ops is not None:
            rates.append(say("complete.before", ops=self.rate(scene.baseline_ops)))
        if scene.lowest_ops is not None:
            rates.append(say("complete.at_worst", ops=self.rate(scene.lowest_ops)))
        if scene.after_ops is not None:
            rates.append(say("complete.now", ops=self.rate(scene.after_ops)))
        return rates

    def _roles(self, role: str, count: int) -> str:
        return self._say.get(f"role.{role}.{'one' if count == 1 else 'many'}", role)


def _targets(owed: list[Fault]) -> str:
    return ", ".join(one.target for one in owed)


def _whole(seconds: float) -> str:
    return str(max(0, int(seconds)))
