"""``status``: everything that matters now, from one short command."""

import argparse
from collections.abc import Mapping
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE
from operator_clients.ctl.output import Paint, clean, count, maps, ops, stdout_paint, table
from operator_clients.ctl.processes import process_rows
from operator_clients.ctl.session import Session
from operator_clients.format import duration

_EXAMPLES = """\
  operatorctl status
  operatorctl status --json | jq .health.ok"""


def run(_args: argparse.Namespace, session: Session) -> int:
    """Ask and show."""
    status = session.ask("status")
    session.show(status, render(status, stdout_paint()))
    return DONE


def render(status: Mapping[str, Any], paint: Paint) -> list[str]:
    """The lines of ``operatorctl status``."""
    health = status.get("health") or {}
    lines = [
        (
            f"operatord {clean(status.get('version', '?'))} · {clean(status.get('subject', '?'))} · "
            f"pid {status.get('pid', '?')} · up {duration(float(status.get('uptime') or 0))} · "
            f"{clean(status.get('runtime_dir', ''))}"
        ),
        "",
        f"cluster     {_cluster(health, paint)}",
        f"load        {_load(status.get('workload') or {}, paint)}",
        f"demo        {_demo(status.get('demo') or {})}",
        f"faults      {_faults(maps(status.get('faults')), paint)}",
        f"tickets     {count(int(status.get('tickets_open') or 0), 'open ticket')}"
        + _shared(status.get("tickets_shared"), paint),
    ]
    if agent := status.get("agent"):
        lines.append(f"agent       {_agent(agent, maps(status.get('actions')), paint)}")
    lines += _violations(maps(status.get("violations")), paint)
    if nodes := maps(health.get("nodes")):
        lines += ["", *table(("NODE", "ROLE", "GROUP", "STATE", "ADDRESS"), map(_node_row, nodes), paint)]
    if processes := maps(status.get("processes")):
        lines += ["", *process_rows(processes, paint)]
    return lines


def _cluster(health: Mapping[str, Any], paint: Paint) -> str:
    nodes = maps(health.get("nodes"))
    up = sum(node.get("state") == "up" for node in nodes)
    ok = health.get("ok")
    style, word = ("yellow", "unknown") if ok is None else ("green", "healthy") if ok else ("red", "not healthy")
    reason = f" ({clean(health['reason'])})" if health.get("reason") else ""
    return f"{paint(style, word)}, {up} of {len(nodes)} nodes up{reason}"


def _load(workload: Mapping[str, Any], paint: Paint) -> str:
    if not workload.get("running"):
        return "not running (start it with: operatorctl workload start)"
    sample = workload.get("sample")
    if not isinstance(sample, dict):
        return "running, no sample yet"
    now = paint("red" if sample.get("degraded") else "green", ops(sample.get("ops_per_sec")))
    word = ", degraded" if sample.get("degraded") else ""
    return f"{now}{word} (baseline {ops(sample.get('baseline'))}, errors {sample.get('errors_per_sec', 0):,.0f}/s)"


def _demo(chapter: Mapping[str, Any]) -> str:
    if not chapter:
        return "-"
    busy = ", busy" if chapter.get("busy") else ""
    last = int(chapter.get("total") or 1) - 1
    return f"{clean(chapter.get('title', ''))} (chapter {chapter.get('index')} of {last}{busy})"


def _faults(faults: list[Mapping[str, Any]], paint: Paint) -> str:
    if not faults:
        return "none owed"
    told = [f"{f.get('kind')} {f.get('target')} ({f.get('state')}, id {f.get('id')})" for f in faults]
    return paint("yellow", clean(f"{len(faults)} owed: {', '.join(told)}")) + "; undo with: operatorctl recover"


def _agent(agent: Mapping[str, Any], actions: list[Mapping[str, Any]], paint: Paint) -> str:
    if not agent.get("on"):
        return paint("yellow", clean(f"off ({agent.get('off_reason')})")) + "; on with: operatorctl agent on"
    mode = str(agent.get("autonomy"))
    limit = f" up to {agent.get('execute_up_to')}" if mode == "execute" else ""
    waiting = [str(action.get("id")) for action in actions if action.get("status") == "proposed"]
    asks = f"; waiting for approval: {', '.join(waiting)} (operatorctl action N)" if waiting else ""
    return clean(f"on, autonomy {mode}{limit}{asks}")


def _shared(shared: object, paint: Paint) -> str:
    """How far the database of several hosts is, if there is one."""
    if not isinstance(shared, dict):
        return ""
    where, unsent = clean(shared.get("database")), shared.get("unsent")
    if not unsent and not shared.get("error"):
        return f"; all sent to {where}" if unsent == 0 else f"; {where} has not answered yet"
    behind = "it is not known how much of it" if unsent is None else count(unsent, "change")
    why = clean(f": {shared['error']}") if shared.get("error") else ""
    told = f"; {behind} not sent yet to {where}{why}"
    return paint("yellow", told) if why else told


def _violations(violations: list[Mapping[str, Any]], paint: Paint) -> list[str]:
    if not violations:
        return ["violations  none"]
    return [
        "violations  "
        + (paint("red", clean(v.get("severity", ""))) + f" {clean(v.get('invariant'))}: {clean(v.get('message'))}")
        for v in violations
    ]


def _node_row(node: Mapping[str, Any]) -> tuple[object, ...]:
    return (node.get("id"), node.get("role"), node.get("group"), node.get("state"), node.get("address"))


def configure(_parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


STATUS = Subcommand(configure, run, _EXAMPLES)
