"""``actions``, ``action``, ``approve``, ``reject``, ``act`` and ``agent``: what the agent may do, and what it did."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from operator_clients.ctl.catalogue import parameters
from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE, REFUSED
from operator_clients.ctl.faults import read_params
from operator_clients.ctl.output import Paint, clean, clock, count, maps, stdout_paint, table
from operator_clients.ctl.parsing import positive_int, setting
from operator_clients.ctl.session import Session
from operator_clients.format import duration

STATUSES = ("proposed", "approved", "rejected", "expired", "running", "succeeded", "failed")
"""``models.ActionStatus``, written out because ``models`` costs more to import than the whole command may take."""
_DEFAULT_LIMIT = 20
_DEADLINE_S = 600.0
"""It may wait for its turn, for a container, and for its verification."""


def _list(args: argparse.Namespace, session: Session) -> int:
    result = session.ask("actions", {"status": args.status, "limit": args.limit})
    if args.kinds:
        session.show({"kinds": result.get("kinds")}, _kinds(maps(result.get("kinds")), stdout_paint()))
        return DONE
    actions = maps(result.get("actions"))
    if actions:
        header = ("ID", "STATUS", "RISK", "KIND", "TARGET", "TICKET", "PROPOSED", "BY", "RESULT")
        session.show(result, table(header, map(_row, actions), stdout_paint()))
    else:
        session.show(result, f"no {args.status} actions" if args.status else "no actions")
    return DONE


def _row(action: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        action.get("id"),
        action.get("status"),
        action.get("risk"),
        action.get("kind"),
        action.get("target"),
        action.get("ticket"),
        clock(action.get("proposed_at")),
        action.get("decided_by") or action.get("proposed_by"),
        action.get("result") or action.get("expected"),
    )


def _kinds(kinds: list[Mapping[str, Any]], paint: Paint) -> Iterator[str]:
    for kind in kinds:
        yield f"{paint('bold', clean(kind.get('name')))}  {clean(kind.get('risk'))}"
        yield f"    {clean(kind.get('description'))}"
        yield from parameters(maps(kind.get("params")), 110)
        yield f"    verified within {duration(float(kind.get('verify_within') or 0))}"


def _one(args: argparse.Namespace, session: Session) -> int:
    result = session.ask("action", {"id": args.id})
    session.show(result, _describe(result.get("action") or {}, str(result.get("waits_for") or "")))
    return DONE


def _describe(action: Mapping[str, Any], waits_for: str = "") -> Iterator[str]:
    ticket = f", for ticket {action['ticket']}" if action.get("ticket") is not None else ""
    head = f"action {action.get('id')}  {action.get('status')}, {action.get('risk')}{ticket}"
    params = "".join(f" {key}={value}" for key, value in (action.get("params") or {}).items() if value != "")
    yield clean(head)
    yield clean(f"  {action.get('kind')} {action.get('target')}{params}")
    for word, at, by in (("proposed", "proposed_at", "proposed_by"), ("decided", "decided_at", "decided_by")):
        if action.get(at) is not None:
            yield clean(f"  {word} {clock(action[at])} by {action.get(by) or 'somebody'}")
    if action.get("started_at") is not None:
        ended = f", ended {clock(action['finished_at'])}" if action.get("finished_at") is not None else ""
        yield f"  began {clock(action['started_at'])}{ended}"
    for word in ("reason", "expected", "result"):
        if action.get(word):
            yield clean(f"  {word}: {action[word]}")
    if waits_for:
        yield clean(f"  waits for {waits_for}")
    if action.get("status") == "proposed":
        yield f"  until {clock(action.get('expires_at'))}: operatorctl approve {action.get('id')}, or reject"


def _approve(args: argparse.Namespace, session: Session) -> int:
    return _perform("approve", {"id": args.id}, args, session)


def _act(args: argparse.Namespace, session: Session) -> int:
    order: dict[str, Any] = {"kind": args.kind, "target": args.target}
    if args.settings:
        order["params"] = read_params(args.settings, "act")
    if args.ticket is not None:
        order["ticket"] = args.ticket
    if args.dry_run:
        result = session.perform("act", {**order, "dry_run": True})
        session.show(result, clean(f"would {result.get('would')}"))
        return DONE
    return _perform("act", order, args, session)


def _perform(cmd: str, order: Mapping[str, Any], args: argparse.Namespace, session: Session) -> int:
    """Send it, and wait until the action is over, unless told not to; one that failed is a failure."""
    if args.no_wait:
        result = session.ask(cmd, order, deadline_s=_DEADLINE_S)
        session.show(result, "accepted; follow it with: operatorctl wait action.finished")
        return DONE
    result = session.perform(cmd, order, deadline_s=_DEADLINE_S)
    action = result.get("action") or {}
    session.show(result, _describe(action))
    return DONE if action.get("status") == "succeeded" else REFUSED


def _reject(args: argparse.Namespace, session: Session) -> int:
    result = session.ask("reject", {"id": args.id, "reason": args.reason})
    session.show(result, _describe(result.get("action") or {}))
    return DONE


def _agent(args: argparse.Namespace, session: Session) -> int:
    result = session.ask("agent", {"switch": args.switch, "reason": args.reason})
    session.show(result, describe_agent(result.get("agent") or {}, len(maps(result.get("pending")))))
    return DONE


def describe_agent(agent: Mapping[str, Any], pending: int) -> Iterator[str]:
    """Whether the agent may act, and how far."""
    if agent.get("on"):
        yield "the agent is on"
    else:
        yield clean(f"the agent is off ({agent.get('off_reason')}): no action is taken")
    mode = str(agent.get("autonomy"))
    yield clean(f"  autonomy {mode}" + (f", up to {agent.get('execute_up_to')}" if mode == "execute" else ""))
    yield (
        f"  {agent.get('actions_per_minute')} actions a minute, a cooldown of {duration(agent.get('cooldown') or 0)}"
        f" on each target, approvals within {duration(agent.get('approval_expires') or 0)}"
    )
    yield f"  {count(pending, 'action')} not over yet: operatorctl actions" if pending else "  no action is pending"


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--status", choices=STATUSES, help="only those with this status")
    parser.add_argument(
        "--limit", metavar="N", type=positive_int, default=_DEFAULT_LIMIT, help="at most N (default %(default)s)"
    )
    parser.add_argument("--kinds", action="store_true", help="the kinds of action there are, with risk and parameters")


def _id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="N", type=positive_int, help="the action's number")


def _no_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-wait", action="store_true", help="return when the daemon has accepted it")


def _approve_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    _no_wait(parser)


def _reject_arguments(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument("--reason", metavar="TEXT", default="", help="why not, for the audit log and the ticket")


def _act_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="`operatorctl actions --kinds` lists them")
    parser.add_argument("target", metavar="TARGET", help="a node, or workload")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="settings",
        action="append",
        type=setting,
        help="a parameter of the kind, as often as there are",
    )
    parser.add_argument(
        "--ticket", metavar="N", type=positive_int, help="the ticket that it is for: verified at its end"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    _no_wait(parser)


def _agent_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("switch", choices=("on", "off", "show"), help="off: no action is proposed, approved or begun")
    parser.add_argument("--reason", metavar="TEXT", default="", help="with off: for whoever finds it so")


ACTIONS = Subcommand(_list_arguments, _list, "  operatorctl actions --status proposed\n  operatorctl actions --kinds")
ACTION = Subcommand(_id, _one, "  operatorctl action 3\n  operatorctl action 3 --json | jq -r .action.result")
APPROVE = Subcommand(_approve_arguments, _approve, "  operatorctl approve 3       returns when it is verified")
REJECT = Subcommand(_reject_arguments, _reject, '  operatorctl reject 3 --reason "maintenance"')
ACT = Subcommand(
    _act_arguments,
    _act,
    "  operatorctl act start_server valkey-2 --dry-run\n"
    "  operatorctl act start_server valkey-2 --ticket 7\n"
    "  operatorctl act failover valkey-0 --set to=valkey-3\n"
    "  operatorctl act lower_rate workload --set percent=70",
)
AGENT = Subcommand(_agent_arguments, _agent, '  operatorctl agent show\n  operatorctl agent off --reason "look first"')
