"""The story: eight chapters, from a healthy cluster through a broken node to a healthy cluster."""

from operatord.demo import narration
from operatord.demo.chapter import Chapter, Story, create_fault_chapter, create_recovery_chapter, nothing_owed, recover
from operatord.demo.telling import Scene
from operatord.faults.desk import DEFAULT_COUNTDOWN_S, DEFAULT_KIND
from operatord.faults.targets import RANDOM

LOAD = "Stage 2: Load Generation"
FAULT = "Stage 3: Fault Injection"


async def _start_load(story: Story) -> None:
    await story.load.start()


async def _stop_load(story: Story) -> None:
    await story.load.stop()


def _has_baseline(scene: Scene) -> bool:
    return scene.load_running and scene.sample is not None and scene.sample.baseline is not None


def tell(
    fault: str = DEFAULT_KIND, target: str = RANDOM, countdown_s: float = DEFAULT_COUNTDOWN_S
) -> tuple[Chapter, ...]:
    """The chapters, with this fault on this target in Stage 3."""
    return (
        Chapter("Welcome", narration.welcome, key_hint="SPACE begins · ? help · q quit"),
        Chapter(
            "Stage 1: Cluster Health",
            narration.cluster_health,
            expectation=lambda scene: scene.cluster is not None and scene.cluster.ok is True,
        ),
        Chapter(
            LOAD,
            narration.load,
            on_enter=_start_load,
            expectation=_has_baseline,
            in_force=lambda story: story.load.running,
            undo=_stop_load,
            undo_only_own=True,
        ),
        create_fault_chapter(FAULT, kind=fault, target=target, countdown_s=countdown_s, needs=(LOAD,)),
        Chapter(
            "Stage 4: Detection",
            narration.detection,
            expectation=lambda scene: scene.detection is not None,
            needs=(FAULT,),
            holds_actions=True,
        ),
        Chapter(
            "Stage 5: AI Diagnosis",
            narration.diagnosis,
            expectation=lambda scene: scene.diagnosis is not None and not scene.diagnosis.preliminary,
            needs=(FAULT,),
            holds_actions=True,
        ),
        create_recovery_chapter("Stage 6: Recovery"),
        Chapter(
            "Demo Complete",
            narration.complete,
            key_hint="q quit · ← back",
            # Whoever jumps here leaves the story, and every way out of it recovers.
            on_enter=recover,
            expectation=lambda scene: not scene.owed,
            in_force=nothing_owed,
        ),
    )


CHAPTERS = tell()
