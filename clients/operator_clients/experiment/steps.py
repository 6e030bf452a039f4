"""What each kind of step does. A step returns what came of it, in words, or raises ``Stop`` or the daemon's error."""

from collections.abc import Callable, Mapping

from operator_clients.ctl.describe import describe
from operator_clients.ctl.wait import holds
from operator_clients.experiment.holding import Holding
from operator_clients.experiment.model import (
    START,
    ExpectStep,
    FaultStep,
    HoldStep,
    LoadStep,
    RecoverStep,
    RestartStep,
    Step,
    WaitStep,
)
from operator_clients.experiment.outcome import Expectation, Stop
from operator_clients.experiment.record import STAMPS_S, Track
from operator_clients.experiment.stage import COMMAND_S, Anchor, Flying, Stage
from operator_clients.experiment.world import target_names
from operator_clients.format import duration
from operator_protocol.codec import Body
from operator_protocol.errors import DaemonUnreachable, DeadlineExceeded, OperatorError
from operator_protocol.frames import Frame
from operator_protocol.models import Fault
from operator_protocol.records import from_body

RECOVER_S = 120.0
_AFTER_OUTCOME_S = 1.0
"""The outcome of a command may overtake the frame that says when it came true by this much."""


def plan(step: Step) -> str:
    """What a step is to do, in one line."""
    match step:
        case LoadStep():
            return {"start": "start the load", "rate": "set the load", "stop": "stop the load"}[step.do] + (
                f" at {step.rate:,.0f} ops/s" if step.rate else ""
            )
        case FaultStep():
            params = "".join(f" {name}={value}" for name, value in step.params.items())
            during = f" for {duration(step.for_s)}" if step.for_s is not None else ""
            forced = ", forced" if step.force else ""
            return f"{step.kind} {step.target or 'the default target'}{params}{during}{forced}"
        case RecoverStep():
            limit = f" within {duration(step.within_s)}" if step.within_s is not None else ""
            return f"recover {step.fault or 'everything that this run injected'}{limit}"
        case WaitStep():
            match = "".join(f" {'.'.join(path)}={'|'.join(wanted)}" for path, wanted in step.match.items())
            limit = f", at most {duration(step.within_s)} after" if step.within_s is not None else ""
            return f"{step.event}{match} for up to {duration(step.timeout_s)}{limit}"
        case HoldStep():
            return f"let {duration(step.for_s)} pass"
        case ExpectStep():
            hold = f" for {duration(step.hold_s)}" if step.hold_s else ""
            return f"{' and '.join(one.text for one in step.that)}{hold} within {duration(step.within_s)}"
        case RestartStep():
            return f"restart {step.process}"


def perform_step(stage: Stage, step: Step, number: int) -> str:
    """Do it; returns what came of it."""
    match step:
        case LoadStep():
            return _load(stage, step, number)
        case FaultStep():
            return _fault(stage, step, number)
        case RecoverStep():
            return _recover(stage, step, number)
        case WaitStep():
            return _wait(stage, step, number)
        case HoldStep():
            stage.until(lambda: False, step.for_s)
            return ""
        case ExpectStep():
            return _expect(stage, step, number)
        case RestartStep():
            return _restart(stage, step, number)


def _acted(stage: Stage, step: Step, at: float, what: str, *, done_at: float | None = None) -> None:
    """Something was changed from ``at`` to ``done_at``: waits count from its begin, and what was seen before its end
    says nothing any more.
    """
    stage.world.acted_at = at if done_at is None else done_at
    stage.notes.last = Anchor(at, what)
    if step.name:
        stage.notes.anchors[step.name] = stage.notes.last


def _load(stage: Stage, step: LoadStep, number: int) -> str:
    args: Body = {"action": step.do}
    if step.rate is not None:
        args["rate"] = step.rate
    at = stage.world.now()
    stage.perform("workload", args, deadline_s=COMMAND_S)
    _acted(stage, step, at, f"step {number}", done_at=stage.world.now())
    return ""


def _restart(stage: Stage, step: RestartStep, number: int) -> str:
    name = stage.world.named(step.process)
    at = stage.world.now()
    stage.perform("restart", {"name": name}, deadline_s=COMMAND_S)
    _acted(stage, step, at, f"the restart of {name} (step {number})", done_at=stage.world.now())
    return ""


def _fault(stage: Stage, step: FaultStep, number: int) -> str:
    args: Body = {
        "kind": step.kind,
        "target": stage.world.named(step.target) if step.target else None,
        "countdown": step.countdown_s,
        "for": step.for_s,
        "force": step.force,
    }
    if step.params:
        args["params"] = dict(step.params)
    known = stage.record.known_faults()
    command_id = stage.send("fault", args, deadline_s=step.countdown_s + COMMAND_S)
    stage.flying = Flying(command_id, step.kind, number, known)
    try:
        result = stage.outcome(command_id)
    except DeadlineExceeded:
        stage.flying = None
        _adopt_late(stage, step, number, known)
        raise
    except DaemonUnreachable:
        raise  # nobody knows how it ended
    except OperatorError:
        stage.flying = None  # nothing was injected
        raise
    track = landed(stage, result, number)
    for name in target_names(step.name):
        stage.world.targets[name] = track.fault.target
    if step.name:
        stage.notes.faults[step.name] = track.fault.id
    at = track.injected if track.injected is not None else stage.world.now()
    _acted(stage, step, at, f"the injection of {called(track.fault)}")
    role = f" ({track.fault.role})" if track.fault.role else ""
    return f"{called(track.fault)}{role}, fault id {track.fault.id}"


def _adopt_late(stage: Stage, step: FaultStep, number: int, known: frozenset[str]) -> None:
    """Nobody said how the injection ended. The one fault of that kind that came up meanwhile, if it is one, is it."""
    new = [one for one in stage.world.state.faults.values() if one.id not in known and one.kind == step.kind]
    if len(new) == 1:
        stage.record.ours(new[0], number, stage.world.of_wall)


def landed(stage: Stage, result: Mapping[str, object], number: int) -> Track:
    """The outcome of a ``fault`` command is here: the fault is one of this run."""
    stage.flying = None
    body = result.get("fault")
    fault = from_body(Fault, body if isinstance(body, dict) else {})
    return stage.record.ours(fault, number, stage.world.of_wall)


def called(fault: Fault) -> str:
    """``kill valkey-1``."""
    return f"{fault.kind} {fault.target}"


def _recover(stage: Stage, step: RecoverStep, number: int) -> str:
    named = stage.notes.faults.get(step.fault) if step.fault else None
    tracks = [one for one in stage.record.tracks.values() if one.owed and named in (None, one.fault.id)]
    began = stage.world.now()
    for track in reversed(tracks):
        try:
            undo(stage, track)
        except OperatorError as error:
            raise Stop("failed", f"{called(track.fault)} could not be recovered: {error}") from error
    _acted(stage, step, began if not tracks else max(track.recovered or began for track in tracks), f"step {number}")
    if stage.notes.last is not None:
        # What the undo sets off may be seen before it is verified.
        stage.notes.last.at = min([began, *(track.recovering for track in tracks if track.recovering is not None)])
        stage.notes.last.what = "the begin of the recovery"
    took_s = max((track.recovery_s or 0.0 for track in tracks), default=0.0)
    names = ", ".join(called(track.fault) for track in tracks)
    if step.within_s is not None:
        stage.notes.expectations.append(
            Expectation(
                f"recovery of {names or 'nothing'}, verified",
                f"step {number}",
                took_s <= step.within_s,
                limit=step.within_s,
                measured=round(took_s, 3),
                unit="s",
            )
        )
    return f"{names}: verified after {duration(took_s)}" if tracks else "nothing of this run was owed any more"


def undo(stage: Stage, track: Track) -> None:
    """Recover one fault; returns when that is verified. Raises the daemon's error."""
    result = stage.perform("recover", {"id": track.fault.id}, deadline_s=RECOVER_S)
    for body in result.get("recovered") or []:
        fault = from_body(Fault, body)
        if fault.id == track.fault.id:
            stage.until(lambda: track.recovered is not None, _AFTER_OUTCOME_S)
            stage.record.ours(fault, track.step, stage.world.of_wall)
    if track.recovered is None:
        # An empty answer: it was over before, and we missed the frame.
        track.recovered = stage.world.now()


def _wait(stage: Stage, step: WaitStep, number: int) -> str:
    anchor = _anchor(stage, step, number)
    match = {path: [stage.world.named(text) for text in wanted] for path, wanted in step.match.items()}
    begin = anchor.at - STAMPS_S
    found = _Finder(stage.frames, lambda frame: frame.header.mono_ts >= begin and matches(frame, step.event, match))
    seen = stage.until(found, step.timeout_s)
    told = "".join(f" {'.'.join(path)}={'|'.join(wanted)}" for path, wanted in match.items())
    what = f"{step.event}{told} since {anchor.what}"
    measured = round(max(0.0, found.frame.header.mono_ts - anchor.at), 3) if found.frame is not None else None
    if step.within_s is not None:
        met = measured is not None and measured <= step.within_s
        note = "" if measured is not None else f"did not come within {duration(step.timeout_s)}"
        stage.notes.expectations.append(
            Expectation(what, f"step {number}", met, limit=step.within_s, measured=measured, unit="s", note=note)
        )
    if not seen or found.frame is None or measured is None:
        raise Stop("timed_out", f"step {number}: no {what} within {duration(step.timeout_s)}")
    return f"{describe(found.frame.topic, found.frame.body)}; {measured:.2f} s after {anchor.what}"


def _anchor(stage: Stage, step: WaitStep, number: int) -> Anchor:
    if step.since == START:
        return Anchor(stage.began, "the begin")
    if step.since is not None:
        return stage.notes.anchors.get(step.since) or Anchor(stage.began, "the begin")
    return stage.notes.last or Anchor(stage.world.now(), f"the begin of step {number}")


def matches(frame: Frame, event: str, match: Mapping[tuple[str, ...], list[str]]) -> bool:
    """True when the frame is that event and each member of ``match`` has one of its values."""
    return frame.topic == event and all(
        any(holds(frame.body, (path, text)) for text in wanted) for path, wanted in match.items()
    )


class _Finder:
    """Looks through the frames as they become more."""

    def __init__(self, frames: list[Frame], wanted: Callable[[Frame], bool]) -> None:
        self.frame: Frame | None = None
        self._frames = frames
        self._wanted = wanted
        self._next = 0

    def __call__(self) -> bool:
        while self.frame is None and self._next < len(self._frames):
            if self._wanted(self._frames[self._next]):
                self.frame = self._frames[self._next]
            self._next += 1
        return self.frame is not None


def _expect(stage: Stage, step: ExpectStep, number: int) -> str:
    holding = Holding(step.that, step.hold_s)
    began = stage.world.now()
    held = stage.until(lambda: holding.check(stage.world.read, stage.world.now()), step.within_s)
    took_s = stage.world.now() - began
    what = stage.world.spelled(" and ".join(one.text for one in step.that)) + (
        f" for {duration(step.hold_s)}" if step.hold_s else ""
    )
    stage.notes.expectations.append(
        Expectation(
            what,
            f"step {number}",
            held,
            limit=step.within_s,
            measured=round(took_s, 3) if held else None,
            unit="s",
            note="" if held else stage.world.spelled(holding.told()),
        )
    )
    if not held:
        raise Stop(
            "failed", f"step {number}: not true within {duration(step.within_s)}: {stage.world.spelled(holding.told())}"
        )
    return f"true after {duration(took_s)}"
