"""``fault`` and ``recover``: break something on purpose, and bring it back."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE, REFUSED, Usage
from operator_clients.ctl.output import clean, count, maps, stdout_paint, table
from operator_clients.ctl.parsing import duration_s, setting, whole_seconds
from operator_clients.ctl.session import Session
from operator_clients.format import duration
from operator_protocol import topics
from operator_protocol.codec import Body
from operator_protocol.errors import DaemonUnreachable, OperatorError, Unavailable

if TYPE_CHECKING:
    from operator_clients.ctl.feed import Feed
    from operator_protocol.frames import Frame

_WORK_DEADLINE_S = 60.0
"""On top of a countdown that was asked for: the daemon's own one, choosing the target, the guard, injecting."""
_RECOVER_DEADLINE_S = 120.0
_CALL_OFF_DEADLINE_S = 10.0

_FAULT_EXAMPLES = """\
  operatorctl fault                              kill a random primary after 3-2-1
  operatorctl fault pause --target valkey-2 --for 30s
  operatorctl fault stop --target replica --countdown 0 --json
  operatorctl fault slow --set percent=50 --set period=40ms --for 1m
  operatorctl fault slow --check                 on which nodes it would be allowed, and why not on the others
  operatorctl fault && operatorctl wait violation.opened --timeout 10 && operatorctl recover"""
_RECOVER_EXAMPLES = """\
  operatorctl recover          undo everything that is owed; nothing owed is success
  operatorctl recover FAULT_ID
  operatorctl recover --no-wait"""


class Countdown:
    """Shows the countdown of the fault that was just asked for, and remembers which fault that is: the first one of
    its kind that is none of ``others``, the faults that were there before.
    """

    def __init__(self, kind: str, *, show: bool, others: Iterable[str] = ()) -> None:
        self.counting: str | None = None
        """Id of the fault while it counts down."""
        self._kind = kind
        self._show = show
        self._others = frozenset(others)

    def see(self, frame: "Frame") -> None:
        """Take in a ``fault.`` frame."""
        body, fault_id = frame.body, str(frame.body.get("id"))
        if frame.topic == topics.FAULT_COUNTDOWN and body.get("kind") == self._kind:
            if fault_id in self._others or self.counting not in (None, fault_id):
                return
            if self.counting is None:
                self._say(f"{body.get('kind')} {body.get('target')} in ")
            self.counting = fault_id
            self._say(f"{body.get('remaining')}… ")
        elif self.counting is not None and fault_id == self.counting:
            self.counting = None
            self._say("\n")

    def end(self) -> None:
        """Leave the line of the countdown, if we are on one."""
        if self.counting is not None:
            self.counting = None
            self._say("\n")

    def _say(self, text: str) -> None:
        if self._show:
            print(clean(text) if text != "\n" else "", end="\n" if text == "\n" else "", file=sys.stderr, flush=True)


def _fault(args: argparse.Namespace, session: Session) -> int:
    command: Body = {
        "kind": args.kind,
        "target": args.target,
        "countdown": args.countdown,
        "for": args.for_s,
        "force": args.force,
    }
    if args.settings:
        command["params"] = read_params(args.settings, "fault")
    if args.check:
        return _check(
            {name: command[name] for name in ("kind", "target", "force", "params") if name in command}, session
        )
    deadline_s = (args.countdown or 0) + _WORK_DEADLINE_S
    if args.no_wait:
        session.show(
            session.ask("fault", command, deadline_s=deadline_s),
            "accepted; follow it with: operatorctl wait fault.injected",
        )
        return DONE
    with session.feed(("fault.",)) as feed:
        countdown = Countdown(args.kind, show=sys.stderr.isatty(), others=feed.follower.state.faults)
        try:
            result = feed.perform("fault", command, deadline_s=deadline_s, on_frame=countdown.see)
        except KeyboardInterrupt:
            _call_off(countdown.counting, feed)
            raise
        finally:
            countdown.end()
    session.show(result, _describe(result.get("fault") or {}))
    return DONE


def _check(command: Body, session: Session) -> int:
    """What would be answered, node by node; refused if there is none that may be broken."""
    result = session.ask("fault.check", command)
    answers = maps(result.get("answers"))
    rows = ((one.get("target"), "allowed" if one.get("allowed") else "refused", _why(one)) for one in answers)
    session.show(result, table(("NODE", "ANSWER", "WHY"), rows, stdout_paint()))
    return DONE if any(one.get("allowed") for one in answers) else REFUSED


def _why(answer: Mapping[str, Any]) -> str:
    return "; ".join(str(part) for part in (answer.get("reason"), answer.get("hint")) if part)


def read_params(settings: list[tuple[str, str]], command: str) -> Body:
    """The parameters of ``--set``, each given once."""
    params = dict(settings)
    if len(params) < len(settings):
        names = [name for name, _ in settings]
        twice = next(name for name in params if names.count(name) > 1)
        raise Usage(f"--set {twice} is given more than once", f"see: operatorctl {command} --help")
    return params


def _call_off(fault_id: str | None, feed: "Feed") -> None:
    """Ctrl+C during the countdown means: do not do it."""
    if fault_id is None:
        return
    print("\ncalling it off", file=sys.stderr, flush=True)
    with contextlib.suppress(OperatorError):
        feed.perform("recover", {"id": fault_id}, deadline_s=_CALL_OFF_DEADLINE_S)


def _describe(fault: Mapping[str, Any]) -> list[str]:
    role = f" ({fault['role']})" if fault.get("role") else ""
    lines = [
        clean(f"{fault.get('kind')} {fault.get('target')}{role}: {fault.get('state')}, fault id {fault.get('id')}")
    ]
    if fault.get("owed"):
        params = fault.get("params")
        for_s = params.get("for_s") if isinstance(params, dict) else None
        lines.append(
            f"undone by itself after {duration(for_s)}; before that with: operatorctl recover"
            if isinstance(for_s, int | float)
            else "undo it with: operatorctl recover"
        )
    return lines


def _recover(args: argparse.Namespace, session: Session) -> int:
    command = {"id": args.id}
    try:
        if args.no_wait:
            session.show(session.ask("recover", command), "accepted; follow it with: operatorctl wait fault.recovered")
            return DONE
        feed = session.feed(("fault.",))
    except DaemonUnreachable as error:
        if session.endpoint.curve is not None:
            # What a daemon on another host owes is written down there.
            raise
        return _recover_without_daemon(args, session, error)
    with feed:
        result = feed.perform("recover", command, deadline_s=_RECOVER_DEADLINE_S)
    session.show(result, _describe_recovery(result))
    return DONE


def _describe_recovery(result: Mapping[str, Any]) -> list[str]:
    recovered = maps(result.get("recovered"))
    lines = [clean(result.get("message") or f"{count(len(recovered), 'fault')} recovered")]
    for fault in recovered:
        took = ""
        if isinstance(fault.get("recovered_at"), float) and isinstance(fault.get("injected_at"), float):
            took = f" {duration(fault['recovered_at'] - fault['injected_at'])} after the injection"
        by = f" by {fault['recovered_by']}" if fault.get("recovered_by") else ""
        lines.append(clean(f"  {fault.get('kind')} {fault.get('target')}: {fault.get('state')}{by}{took}"))
    return lines


def _recover_without_daemon(args: argparse.Namespace, session: Session, error: DaemonUnreachable) -> int:
    """No daemon answers: what it owed is in its undo journal, and ``operatord recover`` can read that."""
    import shutil  # these two only on this rare path
    import subprocess
    from pathlib import Path

    program = shutil.which("operatord") or shutil.which("operatord", path=str(Path(sys.executable).parent))
    if program is None:
        raise DaemonUnreachable(error.message, "operatord is not installed here either; run `operatord recover` there")
    if args.id is not None:
        print("operatorctl: without a daemon everything that is owed is recovered", file=sys.stderr)
    print(f"operatorctl: {error.message}; running: operatord recover", file=sys.stderr, flush=True)
    environment = dict(os.environ)
    if session.chosen is not None or os.environ.get("OPERATOR_ENDPOINT"):
        environment["OPERATOR_RUNTIME_DIR"] = session.endpoint.label
    command = [program, "recover", *(["--json"] if session.as_json else [])]
    pipe = subprocess.PIPE if session.as_json else None
    done = subprocess.run(command, env=environment, check=False, text=True, stdout=pipe)
    if session.as_json and done.stdout.strip():
        print(done.stdout.strip())
    elif session.as_json:
        failed = Unavailable(f"operatord recover ended with exit code {done.returncode}", "it says why above")
        session.show({"error": failed.to_wire()}, "")
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _fault_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", metavar="KIND", nargs="?", default="kill", help="default: kill; `operatorctl faults` lists them"
    )
    parser.add_argument("--target", metavar="NODE|ROLE|random", help="what to hit (default: a random primary)")
    parser.add_argument(
        "--countdown",
        metavar="S",
        type=whole_seconds,
        help="seconds to call it off in, with Ctrl+C or `recover` (default: as the daemon is configured, 3)",
    )
    parser.add_argument("--for", metavar="D", dest="for_s", type=duration_s, help="undo it after 30s, 2m, …")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="settings",
        action="append",
        type=setting,
        help="a parameter of the kind, as often as there are: percent=50, period=40ms, size=64MiB",
    )
    parser.add_argument("--force", action="store_true", help="do it even where a guard rail or the cooldown forbids it")
    parser.add_argument("--check", action="store_true", help="say on which nodes it would be allowed; nothing is done")
    parser.add_argument("--no-wait", action="store_true", help="return when the daemon has accepted it")


def _recover_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", help="one fault (default: everything that is owed)")
    parser.add_argument("--no-wait", action="store_true", help="return when the daemon has accepted it")


FAULT = Subcommand(_fault_arguments, _fault, _FAULT_EXAMPLES)
RECOVER = Subcommand(_recover_arguments, _recover, _RECOVER_EXAMPLES)
