"""What the words of a chapter from a file may show: the figures of the scene, each seen in a frame."""

from collections.abc import Callable, Mapping, Sequence

from operatord.demo.narration import Narrator, Words, lines
from operatord.demo.signs import Sign
from operatord.demo.telling import Scene
from operatord.durations import format_duration

Figure = Callable[[Scene, Narrator], str | None]
"""None: not known at that moment."""


def _rate(value: float | None, narrator: Narrator) -> str | None:
    return None if value is None else narrator.rate(value)


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else format_duration(seconds)


def _sure(scene: Scene) -> str | None:
    return None if scene.diagnosis is None else f"{scene.diagnosis.confidence:.0%}"


FIGURES: Mapping[str, Figure] = {
    "nodes": lambda scene, _: str(len(scene.cluster.nodes)) if scene.cluster else None,
    "nodes_up": lambda scene, _: (
        str(sum(node.state == "up" for node in scene.cluster.nodes)) if scene.cluster else None
    ),
    "subject": lambda scene, _: scene.cluster.subject if scene.cluster else None,
    "unwell": lambda scene, _: scene.cluster.reason or None if scene.cluster else None,
    "ops": lambda scene, narrator: _rate(scene.sample.ops_per_sec if scene.sample else None, narrator),
    "baseline": lambda scene, narrator: _rate(scene.sample.baseline if scene.sample else None, narrator),
    "threshold": lambda scene, narrator: _rate(scene.sample.threshold if scene.sample else None, narrator),
    "ops_before": lambda scene, narrator: _rate(scene.baseline_ops, narrator),
    "ops_lowest": lambda scene, narrator: _rate(scene.lowest_ops, narrator),
    "ops_after": lambda scene, narrator: _rate(scene.after_ops, narrator),
    "kind": lambda scene, _: one.kind if (one := scene.countdown or scene.fault) else None,
    "target": lambda scene, _: one.target if (one := scene.countdown or scene.fault) else None,
    "role": lambda scene, _: one.role or None if (one := scene.countdown or scene.fault) else None,
    "countdown": lambda scene, _: str(scene.countdown.remaining) if scene.countdown else None,
    "broken": lambda scene, narrator: narrator.broken(scene.fault) if scene.fault else None,
    "owed": lambda scene, _: ", ".join(one.target for one in scene.owed) or None,
    "since_fault": lambda scene, _: _time(scene.since_fault_s),
    "waited": lambda scene, _: str(int(scene.in_chapter_s)),
    "detection": lambda scene, _: scene.detection.message if scene.detection else None,
    "detected_after": lambda scene, _: _time(scene.detected_after_s),
    "diagnosis": lambda scene, _: scene.diagnosis.summary if scene.diagnosis else None,
    "component": lambda scene, _: scene.diagnosis.component if scene.diagnosis else None,
    "diagnosed_by": lambda scene, _: scene.diagnosis.source if scene.diagnosis else None,
    "sure": lambda scene, _: _sure(scene),
    "first_answer_after": lambda scene, _: _time(scene.first_answer_after_s),
    "diagnosed_after": lambda scene, _: _time(scene.diagnosed_after_s),
    "action": lambda scene, _: f"{scene.action.kind} {scene.action.target}" if scene.action else None,
    "recovered_in": lambda scene, _: _time(scene.recovery_s),
}


def told_by_cases(cases: Sequence[tuple[Sign, str]], narrator: Narrator) -> Words:
    """Words that say the text of the first case whose sign is there; the last text where none is."""

    def words(scene: Scene) -> str:
        template = next((text for sign, text in cases if sign(scene)), cases[-1][1])
        shown = {
            name: figure(scene, narrator) or narrator.catalogue("common.unknown") for name, figure in FIGURES.items()
        }
        return lines(*template.format_map(shown).splitlines())

    return words
