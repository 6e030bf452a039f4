"""However a run ends, what it injected is undone, and whether that was verified is said.

As long as the daemon answers, it is asked to recover the faults of this run, and then what is owed. When it is gone,
another one may come (a service manager starts it again) and is asked the same; else what the dead one owes is in its
undo journal: its keeper sees to that, and ``operatord recover``, if that is installed here, makes sure.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from operator_clients.ctl.output import maps
from operator_clients.ctl.session import Session
from operator_clients.experiment.outcome import Rollback
from operator_clients.experiment.stage import Stage
from operator_clients.experiment.steps import RECOVER_S, called, landed, undo
from operator_protocol.errors import DaemonUnreachable, NotFound, OperatorError

_CALL_OFF_S = 15.0
_NEW_DAEMON_S = 5.0
"""A service manager that starts the daemon again does so within this."""
_KEEPER_S = 45.0
"""The keeper kills what is left and then recovers; while it does, ``operatord recover`` is refused."""
_RETRY_S = 0.5


def roll_back(stage: Stage) -> Rollback:
    """Ask the daemon. Raises ``DaemonUnreachable`` when it is gone."""
    result = Rollback()
    problems: list[str] = []
    _settle_flying(stage, result, problems)
    owed = [track for track in stage.record.tracks.values() if track.owed]
    for track in reversed(owed):
        result.needed = True
        stage.doing = f"recovering {called(track.fault)}"
        try:
            undo(stage, track)
            result.recovered.append(called(track.fault))
        except DaemonUnreachable:
            raise
        except OperatorError as error:
            problems.append(f"{called(track.fault)}: {error}")
    if stage.record.tracks:
        status = stage.perform("status")
        ids = {str(fault.get("id")) for fault in maps(status.get("faults"))}
        problems += [f"{called(t.fault)} is still owed" for t in stage.record.tracks.values() if t.fault.id in ids]
    return _conclude(result, problems)


def _conclude(result: Rollback, problems: list[str]) -> Rollback:
    result.verified = not problems
    if problems:
        result.message = "; ".join(dict.fromkeys(problems))
    elif result.recovered:
        result.message = f"recovered {', '.join(result.recovered)}; verified"
    return result


def _settle_flying(stage: Stage, result: Rollback, problems: list[str]) -> None:
    """A ``fault`` command is under way: call its countdown off if that is surely ours, and learn how it ended."""
    flying = stage.flying
    if flying is None:
        return
    result.needed = True
    stage.doing = "calling the fault off"
    stage.pump(0.0)
    counting = stage.record.counting_down(flying.kind, flying.known)
    if len(counting) == 1:
        try:
            stage.perform("recover", {"id": counting[0]}, deadline_s=_CALL_OFF_S)
            result.recovered.append(f"the countdown of {flying.kind}")
        except NotFound:
            pass  # it was over in the meantime
        except DaemonUnreachable:
            raise
        except OperatorError as error:
            problems.append(str(error))
    try:
        landed(stage, stage.outcome(flying.command_id), flying.step)
    except DaemonUnreachable:
        raise
    except OperatorError:
        stage.flying = None  # nothing was injected


def rescue(session: Session, stage: Stage) -> Rollback:
    """The daemon is gone: see that what it owed of this run is undone all the same."""
    ids = {track.fault.id: called(track.fault) for track in stage.record.tracks.values() if track.owed}
    flying = stage.flying is not None
    if not ids and not flying:
        return Rollback(message="nothing of this run was owed when the daemon went away")
    stage.live.plain("the daemon is gone; seeing to it that what it owed is undone")
    result = (
        _by_new_daemon(session, ids) if stage.feed.follower.endpoint.curve is not None else _by_anyone(session, ids)
    )
    result.needed = True
    return result


def _by_anyone(session: Session, ids: Mapping[str, str]) -> Rollback:
    program = shutil.which("operatord") or shutil.which("operatord", path=str(Path(sys.executable).parent))
    result = _by_new_daemon(session, ids, wait_s=_NEW_DAEMON_S if program is None else 0.0)
    until = time.monotonic() + _KEEPER_S
    while not result.verified and program is not None:
        done = _operatord_recover(program, session)
        if done.returncode == 0:
            told = (done.stdout.strip() or done.stderr.strip()).splitlines()
            return Rollback(
                recovered=list(ids.values()),
                message=f"the daemon is gone; `operatord recover` says: {told[-1] if told else 'done'}",
            )
        if time.monotonic() >= until:
            told = done.stderr.strip().splitlines()
            result.message += f"; `operatord recover` failed: {told[-1] if told else done.returncode}"
            break
        time.sleep(_RETRY_S)
        # Its keeper is at work, or another daemon has the lock: then that one knows.
        result = _by_new_daemon(session, ids, wait_s=0.0)
    return result


def _by_new_daemon(session: Session, ids: Mapping[str, str], wait_s: float = _NEW_DAEMON_S) -> Rollback:
    """Ask whoever answers at the endpoint now: nothing is owed there, or it is recovered."""
    until = time.monotonic() + wait_s
    while True:
        try:
            owed = {str(fault.get("id")) for fault in maps(session.ask("status").get("faults"))}
            for fault_id in owed & set(ids):
                session.perform("recover", {"id": fault_id}, deadline_s=RECOVER_S)
            return Rollback(
                recovered=list(ids.values()), message="the daemon was replaced; the new one owes nothing of this run"
            )
        except DaemonUnreachable:
            if time.monotonic() >= until:
                break
            time.sleep(_RETRY_S)
        except OperatorError as error:
            return Rollback(verified=False, message=f"the daemon was replaced; the new one cannot recover: {error}")
    names = ", ".join(ids.values()) or "a fault that was being injected"
    return Rollback(
        verified=False,
        message=f"the daemon is gone and owes {names}: its keeper, its next start or `operatord recover` undoes it",
    )


def _operatord_recover(program: str, session: Session) -> "subprocess.CompletedProcess[str]":
    environment = dict(os.environ)
    if session.chosen is not None or os.environ.get("OPERATOR_ENDPOINT"):
        environment["OPERATOR_RUNTIME_DIR"] = session.endpoint.label
    command = [program, "recover"]
    return subprocess.run(
        command,
        env=environment,
        check=False,
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
