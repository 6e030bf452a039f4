"""What a chapter may expect to come true, by name: a fixed list, so that a file can say it and be checked."""

from collections.abc import Callable, Mapping, Sequence

from operatord.demo.telling import Scene

Sign = Callable[[Scene], bool]

SIGNS: Mapping[str, Sign] = {
    "cluster-healthy": lambda scene: scene.cluster is not None and scene.cluster.ok is True,
    "load-running": lambda scene: scene.load_running,
    "baseline-known": lambda scene: (
        scene.load_running and scene.sample is not None and scene.sample.baseline is not None
    ),
    "load-degraded": lambda scene: scene.sample is not None and scene.sample.degraded,
    "load-is-back": lambda scene: scene.load_is_back,
    "counting-down": lambda scene: scene.countdown is not None,
    "fault-injected": lambda scene: scene.fault is not None,
    "detected": lambda scene: scene.detection is not None,
    "first-answer": lambda scene: scene.diagnosis is not None,
    "diagnosed": lambda scene: scene.diagnosis is not None and not scene.diagnosis.preliminary,
    "agent-acts": lambda scene: scene.action is not None and scene.action.status in ("approved", "running"),
    "nothing-owed": lambda scene: not scene.owed,
    "recovered": lambda scene: scene.recovered,
}


def all_of(names: Sequence[str]) -> Sign:
    """True when every one of ``names`` is."""
    signs = [SIGNS[name] for name in names]
    return lambda scene: all(sign(scene) for sign in signs)
