"""``devops``: tell the progress of an operation on the platform, step by step, and look at the last ones.

Nothing is remembered between two calls but the id, which the caller has: the operation itself is in the daemon. So one
that a shell began can be continued by any other.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Mapping
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE, Usage
from operator_clients.ctl.output import clean, clock, maps, shorten, stdout_paint, table
from operator_clients.ctl.parsing import Run, add_actions, positive_int, run_action, words
from operator_clients.ctl.session import Session
from operator_clients.format import duration
from operator_protocol.coordination import EVERYBODY
from operator_protocol.errors import NotFound

_STATUSES = ("running", "completed", "failed")
_MARKS = {"pending": "○", "running": "◐", "completed": "✓", "failed": "✗"}
_DEFAULT_LIMIT = 10
_MAX_LIMIT = 100
_MAX_ERROR_CHARS = 4_000
"""Of what goes into a message, which has room for 16,000 characters of JSON."""
_SLUG_CHARS = 40


def _start(args: argparse.Namespace, session: Session) -> int:
    steps = [step.strip() for step in args.steps.split(",") if step.strip()]
    if not steps:
        raise Usage("--steps names no step", "operatorctl devops start 'Deploy web' --steps pull,apply,wait")
    activity_id = args.id or _new_id(args.operation)
    said = {"activity_id": activity_id, "operation": args.operation, "steps": steps}
    result = _tell(args, session, "DEVOPS_STARTED", args.operation, said)
    session.show(result, activity_id)
    return DONE


def _step(args: argparse.Namespace, session: Session) -> int:
    if args.error and args.status != "failed":
        raise Usage("--error goes with: failed", f"operatorctl devops step {args.id} {args.step} failed --error TEXT")
    said = {"activity_id": args.id, "step": args.step, "status": args.status}
    if args.error:
        said["error"] = _shortened(args.error)
    result = _tell(args, session, "DEVOPS_STEP_UPDATE", f"{args.step}: {args.status}", said)
    steps = maps((result.get("activity") or {}).get("steps"))
    done = sum(step.get("status") == "completed" for step in steps)
    session.show(result, clean(f"{args.id}: {args.step} {args.status} ({done} of {len(steps)} steps completed)"))
    return DONE


def _complete(args: argparse.Namespace, session: Session) -> int:
    return _end(args, session, "DEVOPS_COMPLETE", {})


def _fail(args: argparse.Namespace, session: Session) -> int:
    return _end(args, session, "DEVOPS_FAILED", {"error": _shortened(args.error)})


def _end(args: argparse.Namespace, session: Session, kind: str, said: Mapping[str, object]) -> int:
    subject = f"{args.id} {'completed' if kind == 'DEVOPS_COMPLETE' else 'failed'}"
    result = _tell(args, session, kind, subject, {"activity_id": args.id, **said})
    activity = result.get("activity") or {}
    session.show(result, clean(f"{args.id}: {activity.get('status')} after {_took(activity)}"))
    return DONE


def _list(args: argparse.Namespace, session: Session) -> int:
    result = session.ask("devops", {"limit": min(args.limit, _MAX_LIMIT)})
    current = result.get("current")
    listed = [*([current] if isinstance(current, dict) else []), *maps(result.get("recent"))]
    if not listed:
        session.show(result, "no operations in the last 24 hours")
        return DONE
    session.show(result, table(_HEADER, [_row(one) for one in listed], stdout_paint()))
    return DONE


def _show(args: argparse.Namespace, session: Session) -> int:
    if args.id:
        result = session.ask("activity", {"id": args.id})
    else:
        current = session.ask("devops", {"limit": 1}).get("current")
        if not isinstance(current, dict):
            raise NotFound("no operation is under way", "operatorctl devops list shows the last ones")
        result = {"activity": current}
    session.show(result, _lines(result.get("activity") or {}))
    return DONE


def _tell(
    args: argparse.Namespace, session: Session, kind: str, subject: str, said: Mapping[str, object]
) -> Mapping[str, Any]:
    description = json.dumps(said, ensure_ascii=False)
    return session.ask(
        "publish",
        {
            "type": kind,
            "from": args.sender,
            "to": EVERYBODY,
            "requires_ack": False,
            "payload": {"subject": shorten(subject, 200), "description": description},
        },
    )


def _new_id(operation: str) -> str:
    """Readable, and not given twice: ``deploy-web-2-1-0-5f3a01``."""
    slug = re.sub(r"[^a-z0-9]+", "-", operation.lower())[:_SLUG_CHARS].strip("-")
    return f"{slug or 'operation'}-{os.urandom(3).hex()}"


def _shortened(error: str) -> str:
    cut = shorten(error, _MAX_ERROR_CHARS)
    # In JSON a control character takes six; what is full of them is cut more.
    fits = len(json.dumps(cut, ensure_ascii=False)) <= 2 * _MAX_ERROR_CHARS
    return cut if fits else shorten(cut, _MAX_ERROR_CHARS // 3)


_HEADER = ("ID", "STATUS", "STARTED", "TOOK", "STEPS", "OPERATION")


def _row(activity: Mapping[str, Any]) -> tuple[object, ...]:
    steps = maps(activity.get("steps"))
    done = sum(step.get("status") == "completed" for step in steps)
    return (
        activity.get("id"),
        activity.get("status"),
        clock(activity.get("started_at")),
        _took(activity),
        f"{done}/{len(steps)}",
        activity.get("operation"),
    )


def _lines(activity: Mapping[str, Any]) -> list[str]:
    lines = [
        clean(f"{activity.get('operation')}  {activity.get('status')}"),
        clean(f"  {activity.get('id')}, started {clock(activity.get('started_at'))}, {_took(activity)}"),
    ]
    if activity.get("error"):
        lines.append(clean(f"  failed: {activity['error']}"))
    for step in maps(activity.get("steps")):
        status = str(step.get("status"))
        began = step.get("started_at") is not None
        took = f", {_took(step)}" if began and status != "pending" else ""
        error = f": {step['error']}" if step.get("error") else ""
        lines.append(clean(f"  {_MARKS.get(status, '?')} {step.get('name')}  {status}{took}{error}"))
    return lines


def _took(told: Mapping[str, Any]) -> str:
    """How long it took, or takes by now."""
    began, ended = told.get("started_at"), told.get("completed_at")
    if not isinstance(began, int | float):
        return "-"
    return duration((ended if isinstance(ended, int | float) else time.time()) - began)


_VERBS: tuple[tuple[str, str, Run], ...] = (
    ("start", "begin an operation; prints its id", _start),
    ("step", "a step begins, is done, or fails", _step),
    ("complete", "the operation succeeded", _complete),
    ("fail", "the operation failed", _fail),
    ("list", "the operation under way and the last ones of 24 hours, newest first", _list),
    ("show", "one operation with its steps; the one under way without an id", _show),
)


def _configure(parser: argparse.ArgumentParser) -> None:
    made = add_actions(parser, _VERBS)
    made["start"].add_argument(
        "operation", type=words, metavar="OPERATION", help="what is done, for people: 'Deploy web 2.1.0'"
    )
    made["start"].add_argument("--steps", type=words, metavar="A,B,C", required=True, help="the steps, in their order")
    made["start"].add_argument(
        "--id", type=words, metavar="ID", help="an id of your own, new for each run (default: made up)"
    )
    for verb in ("step", "complete", "fail"):
        made[verb].add_argument("id", type=words, metavar="ID", help="what start printed")
    made["step"].add_argument("step", type=words, metavar="STEP", help="one of those that start named")
    made["step"].add_argument("status", choices=_STATUSES, help="what it is now")
    made["step"].add_argument("--error", type=words, metavar="TEXT", help="why it failed")
    made["fail"].add_argument("--error", type=words, metavar="TEXT", required=True, help="why")
    for verb in ("start", "step", "complete", "fail"):
        made[verb].add_argument(
            "--from", dest="sender", type=words, metavar="NAME", default="devops", help="who tells it (default: devops)"
        )
    made["list"].add_argument(
        "--limit", metavar="N", type=positive_int, default=_DEFAULT_LIMIT, help="at most N, up to 100 (default: 10)"
    )
    made["show"].add_argument("id", metavar="ID", nargs="?", help="what start printed")


_EXAMPLES = """\
  operatorctl devops start 'Deploy web 2.1.0' --steps pull,apply,wait
  id=$(operatorctl devops start 'Deploy web' --steps pull,apply)
  operatorctl devops step "$id" pull running
  operatorctl devops step "$id" pull failed --error 'no such image'
  operatorctl devops complete "$id"
  operatorctl devops list --json | jq -r '.current.operation'"""

DEVOPS = Subcommand(_configure, run_action, _EXAMPLES)
