"""The words of the story: short sentences for a stage, at most four lines of 70 characters."""

import textwrap
from collections import Counter

from operator_protocol.errors import OperatorError
from operator_protocol.models import Action, Fault
from operatord.demo.telling import Scene
from operatord.durations import format_duration

WIDTH = 70
LINES = 4
NO_DETECTION_S = 30.0
"""After this long without a detection, the chapter says so."""

_DONE_TO_IT = {
    "kill": "was killed",
    "stop": "was stopped",
    "pause": "was frozen",
    "restart": "was restarted",
    "slow": "was slowed down",
    "partition": "was cut off",
    "client-pause": "serves no clients",
    "grpc-pause": "serves no clients",
    "evict-leader": "may lead nothing",
}
_ABOUT_TO = {
    "kill": "kill -9",
    "stop": "stop",
    "pause": "freeze",
    "restart": "restart",
    "slow": "slow down",
    "partition": "cut off",
    "client-pause": "pause the clients of",
    "grpc-pause": "pause the service of",
    "evict-leader": "evict the leaders of",
}
_LIKE = {
    "kill": "No warning, no clean shutdown, as if its machine had died.",
    "stop": "It may end in good order, as in an upgrade.",
    "pause": "It keeps its connections and answers nothing, as in a long stall.",
    "partition": "It lives and reaches nobody, as if its cable had been pulled.",
    "client-pause": "It lives, and looks well to its peers.",
    "grpc-pause": "It lives, and its status port says that all is well.",
    "evict-leader": "A scheduler that somebody forgot: it serves, and carries no load.",
}
_QUIET = frozenset({"slow", "evict-leader"})
"""What the load may take without a drop."""
_LOOKS_WELL = frozenset({"client-pause", "grpc-pause"})
_ENDS_IT = frozenset({"kill", "stop", "restart"})


def lines(*parts: str, at_most: int = LINES) -> str:
    """``parts`` as paragraphs, wrapped, and cut at the last line that a small terminal shows."""
    wrapped = [line for part in parts if part for line in textwrap.wrap(part, WIDTH)]
    if len(wrapped) > at_most:
        wrapped[at_most - 1] = textwrap.shorten(" ".join(wrapped[at_most - 1 :]), WIDTH, placeholder="…")
    return "\n".join(wrapped[:at_most])


def welcome(scene: Scene) -> str:
    """Welcome."""
    count = len(scene.cluster.nodes) if scene.cluster else 0
    servers = f"{count} real servers" if count else "Real servers"
    return lines(
        f"{servers} of a distributed database run on this machine. We put load on them, break one on purpose, "
        "and watch it being noticed, explained and repaired.",
        "Nothing here is simulated: every number comes from a process.",
    )


def cluster_health(scene: Scene) -> str:
    """Stage 1."""
    if scene.cluster is None or not scene.cluster.nodes:
        return lines("Looking at the cluster…")
    nodes = scene.cluster.nodes
    up = sum(node.state == "up" for node in nodes)
    roles = Counter(node.role for node in nodes)
    members = ", ".join(f"{count} {_plural(role, count)}" for role, count in roles.items())
    state = f"{up} of {len(nodes)} nodes are up: {members}."
    if not scene.cluster.ok:
        return lines(state, f"The cluster is not healthy: {scene.cluster.reason or 'its state is unknown'}.")
    parts = "Each primary owns a part of the data; a replica keeps a copy." if "replica" in roles else ""
    return lines(state, parts, "Watch the cluster panel: ● is up, ✗ is down.")


def load(scene: Scene) -> str:
    """Stage 2."""
    sample = scene.sample
    if not scene.load_running:
        return lines("Starting the load: a YCSB client that reads and writes all the time.")
    if sample is None:
        return lines("The load is running: a YCSB client reads and writes all the time.", "First figures in a moment.")
    if sample.baseline is None:
        return lines(
            f"YCSB reads and writes: {_rate(sample.ops_per_sec)}.",
            "We measure what is normal: the first samples become the baseline.",
        )
    threshold = f"Below {_rate(sample.threshold)} the load counts as degraded." if sample.threshold else ""
    return lines(
        f"YCSB reads and writes: {_rate(sample.ops_per_sec)}. The baseline is {_rate(sample.baseline)}.",
        threshold,
        "Watch the workload panel. Next, we break something.",
    )


def fault(scene: Scene) -> str:
    """Stage 3."""
    if scene.countdown is not None:
        one = scene.countdown
        return lines(
            f"{_ABOUT_TO.get(one.kind, one.kind)} {one.target}, a {one.role or 'node'}, in {one.remaining}…",
            _LIKE.get(one.kind, ""),
            "Watch its line in the cluster panel, and the load.",
        )
    if scene.fault is None:
        return lines("Choosing a target…")
    what = _broken(scene.fault)
    if scene.recovered:
        return lines(f"{what}, and is back by now.", "The story goes on with what was seen.")
    since = "" if scene.since_fault_s is None else f" {_whole(scene.since_fault_s)} s ago"
    return lines(
        f"{what}{since}.",
        *_consequences(scene.fault),
    )


def _consequences(one: Fault) -> list[str]:
    if one.kind in _QUIET:
        return ["The load may go on as before. Is it noticed all the same?"]
    if one.kind in _LOOKS_WELL:
        return ["Watch the load drop while the node looks well."]
    return [
        "A replica has to take over its part of the data." if one.role == "primary" else "",
        "Watch the load drop, and climb again when the cluster heals itself.",
        "One copy is still missing: that is left for us to repair." if one.kind in _ENDS_IT else "",
    ]


def detection(scene: Scene) -> str:
    """Stage 4."""
    if scene.fault is None:
        return lines("No fault is in force, so there is nothing to detect.", "Go back one chapter to break something.")
    if scene.detection is not None:
        after = "" if scene.detected_after_s is None else f" {format_duration(scene.detected_after_s)} after the fault"
        return "\n".join(
            (
                lines(f"Detected{after}: {scene.detection.message}.", at_most=LINES - 2),
                "Nobody told the monitor: it compares what it sees with what must hold.",
                "A ticket is open. Next, the agent explains it.",
            )
        )
    waited = scene.since_fault_s if scene.since_fault_s is not None else scene.in_chapter_s
    waiting = f"Waiting for detection… {_whole(waited)} s"
    if waited >= NO_DETECTION_S:
        return lines(
            waiting,
            f"No detection in {_whole(NO_DETECTION_S)} s. That is a finding as well: look at the monitor",
            "with operatorctl processes, or go on and repair.",
        )
    return lines(waiting, "The monitor looks twice a second. It does not know about the fault.")


def diagnosis(scene: Scene) -> str:
    """Stage 5."""
    found = scene.diagnosis
    if found is not None:
        told = "First answer" if found.preliminary else "Diagnosed"
        after = (
            "" if scene.diagnosed_after_s is None else f" {format_duration(scene.diagnosed_after_s)} after the fault"
        )
        summary = lines(
            f"{told}{after} by {found.source}, {found.confidence:.0%} sure: {found.summary}",
            at_most=LINES - 1,
        )
        return f"{summary}\nWatch the agent panel: the evidence, and what it ruled out."
    if scene.fault is None:
        return lines("No fault is in force, so there is nothing to explain.")
    return lines(
        f"Waiting for the diagnosis… {_whole(scene.in_chapter_s)} s",
        "The agent gathers topology, metrics and logs, and cites them.",
        "It was not told what we broke.",
    )


def recovery(scene: Scene) -> str:
    """Stage 6."""
    if scene.owed:
        names = ", ".join(one.target for one in scene.owed)
        return lines(
            _at_it(scene.action) or f"Bringing {names} back.",
            "Done means seen: the node is up, and the cluster calls itself healthy.",
            "Watch its line in the cluster panel turn green.",
        )
    if scene.fault is None:
        return lines("Nothing is broken, so there is nothing to repair.")
    took = f" It took {format_duration(scene.recovery_s)}." if scene.recovery_s is not None else ""
    who = "The agent brought it back: " if scene.repaired_by_agent else ""
    back = f"{who}{scene.fault.target} is back, and the cluster is healthy again.{took}"
    if scene.load_is_back:
        now = f"The load is back at {_rate(scene.after_ops)}." if scene.after_ops is not None else ""
        return lines(back, now)
    threshold = scene.sample.threshold if scene.sample else None
    wanted = f" at least {_rate(threshold)}" if threshold else " its baseline"
    current = f": {_rate(scene.sample.ops_per_sec)} now" if scene.sample else ""
    return lines(back, f"Waiting for the load to reach{wanted}{current}.")


def _at_it(action: Action | None) -> str:
    if action is None or action.status not in ("approved", "running"):
        return ""
    return f"The agent repairs it: {action.kind} {action.target} ({action.risk}), by {action.decided_by}."


def complete(scene: Scene) -> str:
    """Demo Complete."""
    if scene.owed:
        return lines(f"Bringing {', '.join(one.target for one in scene.owed)} back before we leave…")
    if scene.fault is None:
        return lines("Nothing was broken in this telling.", "operatorctl goto 0 tells the story from its beginning.")
    times = [
        f"{word} {format_duration(seconds)} after the fault"
        for word, seconds in (("detected", scene.detected_after_s), ("diagnosed", scene.diagnosed_after_s))
        if seconds is not None
    ]
    if scene.recovery_s is not None:
        by = " by the agent" if scene.repaired_by_agent else ""
        times.append(f"repaired{by} in {format_duration(scene.recovery_s)}")
    ops = [
        f"{_rate(value)} {when}"
        for value, when in ((scene.baseline_ops, "before"), (scene.lowest_ops, "at worst"), (scene.after_ops, "now"))
        if value is not None
    ]
    return lines(
        f"{_broken(scene.fault)}: {', '.join(times)}." if times else f"{_broken(scene.fault)}.",
        f"The load: {', '.join(ops)}." if ops else "",
        "Nothing is owed: what we broke is whole again. Thank you for watching.",
    )


def trouble(error: OperatorError, index: int) -> str:
    """A chapter that could not do what it is for."""
    hint = f" ({error.hint})" if error.hint else ""
    what = lines(f"That did not work: {error.message}{hint}", at_most=LINES - 1)
    return f"{what}\n← goes back; operatorctl goto {index} tries again."


def on_the_way(title: str, words: str) -> str:
    """What has to be brought about before the chapter that was jumped to."""
    return "\n".join([f"First, {title}:", *words.splitlines()][:LINES])


def going_back(owed: list[Fault]) -> str:
    """The effects of chapters that were left backwards are being taken back."""
    if owed:
        return lines(f"Going back: bringing {', '.join(one.target for one in owed)} back first.")
    return lines("Going back: taking back what this story began.")


def _broken(one: Fault) -> str:
    role = f" ({one.role})" if one.role else ""
    return f"{one.target}{role} {_DONE_TO_IT.get(one.kind, f'has a fault ({one.kind})')}"


def _rate(ops: float | None) -> str:
    return f"{ops or 0.0:,.0f} ops/s"


def _whole(seconds: float) -> str:
    return str(max(0, int(seconds)))


def _plural(role: str, count: int) -> str:
    if count == 1 or role.isupper() or role in ("pd", "tikv"):
        return role
    return f"{role[:-1]}ies" if role.endswith("y") else f"{role}s"
