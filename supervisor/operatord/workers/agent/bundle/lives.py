"""Evidence of kinds ``process`` and ``log``: what became of the processes, and what they wrote.

A log line is quoted, never interpreted beyond the patterns below: whatever it says, it changes nothing but which
pattern it matches.
"""

import re
import signal
from collections.abc import Iterator, Mapping

from operator_protocol.models import ProcessState
from operatord.tickets.dossier import LogLine
from operatord.workers.agent.bundle.findings import Fact, Pad, one_line
from operatord.workers.agent.bundle.scene import LOOKBACK_S, Scene, has_ended

_PATTERNS: tuple[tuple[Fact, re.Pattern[str]], ...] = (
    (
        "log_crash",
        re.compile(
            r"crashed by signal|BUG REPORT START|ASSERTION FAILED|Guru Meditation|\] \[FATAL\] \[", re.IGNORECASE
        ),
    ),
    ("log_memory", re.compile(r"out of memory|cannot allocate memory|can't allocate|\bOOM\b", re.IGNORECASE)),
    (
        "log_shutdown",
        re.compile(
            r"Received SIG(TERM|INT)|requested shutdown|ready to exit, bye"
            r"|receive signal \d+, stopping server|Got signal to exit",
            re.IGNORECASE,
        ),
    ),
    (
        "log_election",
        re.compile(
            r"election won|Failover auth granted|Start of election"
            r"|starting a new election|became (pre-)?candidate at term|became leader at term",
            re.IGNORECASE,
        ),
    ),
    (
        "log_peers_noticed",
        re.compile(
            r"Marking node .* as failing|FAIL message received|possibly failing"
            r'|\["(broadcasting unreachable|wait connect timeout|connection abort(ed)?)"\]'
        ),
    ),
    ("log_disk", re.compile(r"disk usage \w+ ?-> ?\w+|No space left on device", re.IGNORECASE)),
    (
        "log_other",
        re.compile(
            r"Connection with (primary|master) lost|Error condition on socket for SYNC|Timeout connecting to the"
            r"|Cluster state changed|# .*(error|fail|denied|refused)",
            re.IGNORECASE,
        ),
    ),
)
"""What servers write, in order of weight: Valkey 9 (server.c, cluster_legacy.c, replication.c, debug.c), TiKV and PD
8.5 (raft.rs, raft_client.rs, store.rs). That a TiKV that is asked to stop says ``receive signal`` was not measured."""
_TOLD: Mapping[str, Fact] = {
    "fatal": "log_crash",
    "leader": "log_election",
    "election": "log_election",
    "unreachable": "log_peers_noticed",
    "disk": "log_disk",
}
"""What events of the cluster state, by kind, where their lines are not among those of the dossier any more."""
_FAREWELLS: tuple[Fact, ...] = ("log_crash", "log_memory", "log_shutdown")
_MOST_OF_EACH = 2
_MOST_LINES = 8
_QUOTED_CHARS = 200
_LAST_WORDS_S = 1.0
"""What a process wrote up to this long after its end is read as its last words: its pipe is read after it died."""


def gather(pad: Pad, scene: Scene) -> None:
    """Note ends, starts and lives of the node in focus and its peers, then the telling log lines."""
    if scene.focus.node is None:
        return
    for name in (scene.focus.node, *scene.focus.peers):
        _life(pad, scene, name)
    _logs(pad, scene)


def _life(pad: Pad, scene: Scene, name: str) -> None:
    events = [event for event in scene.dossier.process_events if event.name == name]
    group = scene.focus.group
    end = scene.ends.get(name)
    if end is not None:
        pad.add(
            "process",
            "process_ended",
            f"{_process(name, end.pid or _pid_before(events, end))} {_how(end)} at {pad.moment(end.since_at)}; "
            f"before that it ran {_ran_for(events, end)}",
            node=name,
            group=group,
            at=end.since_at,
            data={"exit_code": end.exit_code, "signal": end.signal},
        )
        if end.stopped_by_command:
            pad.add(
                "process",
                "stopped_by_command",
                f"that end of {name} was asked for: it was stopped by command (operatorctl stop)",
                node=name,
                group=group,
                at=end.since_at,
            )
        start = next((one for one in events if one.since_at > end.since_at and not has_ended(one)), None)
        if start is not None:
            gap_s = start.since_at - end.since_at
            pad.add(
                "process",
                "process_started",
                f"{_process(name, start.pid)} was started {gap_s:.1f} s later, at {pad.moment(start.since_at)}",
                node=name,
                group=group,
                at=start.since_at,
                data={"after_s": gap_s},
            )
    elif name == scene.focus.node and events and not has_ended(events[-1]):
        pad.add(
            "process",
            "process_lives",
            f"{_process(name, events[-1].pid)} has run since {pad.moment(events[-1].since_at)} and has not ended",
            node=name,
            group=group,
            data={"pid": events[-1].pid},
        )


def _process(name: str, pid: int | None) -> str:
    return f"process {name} (pid {pid})" if pid is not None else f"process {name}"


def _pid_before(events: list[ProcessState], end: ProcessState) -> int | None:
    return next((one.pid for one in reversed(events) if one.since_at <= end.since_at and one.pid is not None), None)


def _ran_for(events: list[ProcessState], end: ProcessState) -> str:
    started = [one.since_at for one in events if one.since_at < end.since_at and one.state == "starting"]
    if not started:
        running = [one.since_at for one in events if one.since_at < end.since_at and not has_ended(one)]
        return f"for at least {end.since_at - running[0]:.0f} s" if running else "for an unknown time"
    return f"for {end.since_at - started[-1]:.0f} s"


def _how(end: ProcessState) -> str:
    if end.signal is not None:
        return f"was ended by signal {end.signal} ({signal_name(end.signal)})"
    if end.exit_code is not None:
        return f"exited with code {end.exit_code}"
    return "ended, with a status that is not known"


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "no signal of this system"


def _logs(pad: Pad, scene: Scene) -> None:
    """Telling lines of the node in focus, then of the others, a few of each sort; else what is *not* there."""
    focus = scene.focus.node or ""
    counts: dict[tuple[str, Fact], int] = {}
    noted = 0
    for name, line, fact in _telling(scene, focus):
        sort = (focus if name == focus else "others", fact)
        if counts.get(sort, 0) >= _MOST_OF_EACH or noted >= _MOST_LINES:
            continue
        counts[sort] = counts.get(sort, 0) + 1
        noted += 1
        pad.add(
            "log",
            fact,
            f"{name} wrote at {pad.moment(line.at)}: “{one_line(line.text, _QUOTED_CHARS)}”",
            node=name,
            group=scene.group_of(name) or None,
            at=line.at,
        )
    end = scene.ends.get(focus)
    farewell = any(sort[0] == focus and sort[1] in _FAREWELLS for sort in counts)
    if end is None or farewell:
        return
    # What was started in its place writes into the same log.
    starts = [
        event.since_at
        for event in scene.dossier.process_events
        if event.name == focus and event.since_at > end.since_at and not has_ended(event)
    ]
    until_at = min([end.since_at + _LAST_WORDS_S, *starts])
    last = [line for line in scene.dossier.logs.get(focus, ()) if line.at <= until_at]
    if last:
        pad.add(
            "log",
            "log_silent",
            f"{focus} wrote nothing about an end: neither a shutdown nor a crash report; its last line, at "
            f"{pad.moment(last[-1].at)}, is “{one_line(last[-1].text, _QUOTED_CHARS)}”",
            node=focus,
            at=last[-1].at,
        )


def _telling(scene: Scene, focus: str) -> Iterator[tuple[str, LogLine, Fact]]:
    others = scene.dossier.logs.keys() | {event.node for event in scene.dossier.events}
    names = [focus, *scene.focus.peers, *sorted(others - {focus, *scene.focus.peers})]
    for name in names:
        end = scene.ends.get(name)
        for line, fact in _written(scene, name):
            after_end = end is not None and line.at > end.since_at + _LAST_WORDS_S
            if line.at < scene.onset_at - LOOKBACK_S or (name == focus and after_end):
                continue
            # What a server says of its own end comes before it; what follows from an onset comes after.
            if fact in _FAREWELLS or line.at >= scene.onset_at:
                yield name, line, fact


def _written(scene: Scene, name: str) -> Iterator[tuple[LogLine, Fact]]:
    """Its lines of which a fact is known, then what its log told and none of those lines says."""
    said: set[Fact] = set()
    for line in scene.dossier.logs.get(name, ()):
        fact = next((fact for fact, pattern in _PATTERNS if pattern.search(line.text)), None)
        if fact is not None:
            said.add(fact)
            yield line, fact
    for event in scene.dossier.events:
        told = _TOLD.get(event.kind)
        if event.node == name and told is not None and told not in said:
            yield LogLine(event.at, event.text), told
