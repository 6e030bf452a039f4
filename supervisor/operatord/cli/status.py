"""``operatord status``: whether a daemon runs at these directories, in a few lines or as JSON."""

import argparse
import json
from pathlib import Path

from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.errors import DaemonUnreachable
from operator_protocol.requests import Requester
from operatord.cli.kept import WHAT_NEXT, kept_servers
from operatord.durations import format_duration
from operatord.faults.undo_journal import read_owed
from operatord.origin import is_copy
from operatord.paths import lock_holder, resolve_running_dirs


def run(args: argparse.Namespace) -> int:
    """Print it; raises ``DaemonUnreachable`` if none answers."""
    runtime_dir, state_dir = resolve_running_dirs(args.runtime_dir, args.state_dir)
    try:
        with Requester(runtime_endpoint(runtime_dir)) as requester:
            status = requester.command("status", deadline_s=5.0)
    except DaemonUnreachable as error:
        if owed := _owed(state_dir):
            raise DaemonUnreachable(
                f"{error.message}; still owed: {owed}", "operatord recover undoes it, and so does the next start"
            ) from None
        if kept := kept_servers(state_dir):
            raise DaemonUnreachable(f"{error.message}; {kept}", WHAT_NEXT) from None
        raise
    if args.json:
        print(json.dumps(status, indent=2))
        return 0
    health = status.get("health") or {}
    verdict = {True: "healthy", False: "not healthy", None: "unknown"}[health.get("ok")]
    reason = f" ({health['reason']})" if health.get("reason") else ""
    print(f"operatord {status['version']}, pid {status['pid']}, up {format_duration(status['uptime'])}")
    print(f"subject {status['subject']}: {verdict}{reason}")
    for process in status["processes"]:
        print(f"  {process['name']:<12} {process['state']:<9} pid {process['pid'] or '-'}")
    print(f"listens at {status['runtime_dir']}{_tcp(status.get('listen'))}")
    print(f"faults owed: {len(status['faults'])}, tickets open: {status['tickets_open']}")
    return 0


def _owed(state_dir: Path) -> str:
    """The faults that a daemon which is gone has left, in a few words; empty when a daemon or its keeper is at it."""
    if lock_holder(state_dir) is not None or is_copy(state_dir):
        return ""
    return ", ".join(f"{owed.fault.kind} {owed.fault.target}" for owed in read_owed(state_dir / "undo.journal"))


def _tcp(address: str | None) -> str:
    return f" and, for keys, at {address}" if address else ""
