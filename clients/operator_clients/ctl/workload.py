"""``workload``: the load on the subject."""

import argparse
from collections.abc import Mapping
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE, Usage
from operator_clients.ctl.output import clean, ops
from operator_clients.ctl.parsing import rate
from operator_clients.ctl.session import Session
from operator_clients.format import duration

_EXAMPLES = """\
  operatorctl workload start
  operatorctl workload rate 3000
  operatorctl workload show --json
  operatorctl workload stop"""
_DEADLINE_S = 60.0
"""Starting loads the records first."""


def run(args: argparse.Namespace, session: Session) -> int:
    """Do the action and show the load as it is then."""
    if args.action == "rate" and args.rate is None:
        raise Usage("workload rate needs a number of operations per second", "like: operatorctl workload rate 3000")
    if args.action in ("stop", "show") and args.rate is not None:
        raise Usage(f"workload {args.action} takes no rate", "see: operatorctl workload --help")
    command: dict[str, Any] = {"action": args.action}
    if args.rate is not None:
        command["rate"] = args.rate
    result = session.perform("workload", command, deadline_s=_DEADLINE_S)
    session.show(result, render(result))
    return DONE


def render(result: Mapping[str, Any]) -> list[str]:
    """The lines that describe the load."""
    if not result.get("running"):
        return ["the load is not running"]
    target = result.get("rate")
    lines = [f"the load is running, target {ops(target)}" if target else "the load is running, at a rate of its own"]
    if result.get("command"):
        lines.append(f"  {clean(result['command'])}")
    sample = result.get("sample")
    if isinstance(sample, dict):
        degraded = ", degraded" if sample.get("degraded") else ""
        lines.append(
            f"  now {ops(sample.get('ops_per_sec'))}{degraded}, baseline {ops(sample.get('baseline'))}, "
            f"{sample.get('operations', 0):,} operations and {sample.get('errors', 0):,} errors "
            f"in {duration(float(sample.get('elapsed') or 0))}"
        )
    return lines


def configure(parser: argparse.ArgumentParser) -> None:
    """The action, and the rate for those that take one."""
    parser.add_argument("action", choices=("start", "stop", "show", "rate"), help="what to do")
    parser.add_argument("rate", metavar="N", nargs="?", type=rate, help="operations per second, for start and rate")


WORKLOAD = Subcommand(configure, run, _EXAMPLES)
