"""``operatord stop``: ask the daemon to stop and wait until everything of it is gone."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.errors import DaemonUnreachable, DeadlineExceeded, OperatorError
from operator_protocol.requests import Requester
from operatord.cli.aftermath import remove_containers, remove_network
from operatord.cli.kept import WHAT_NEXT, kept_servers
from operatord.origin import require_own, take_over
from operatord.paths import lock_dir, lock_holder, resolve_running_dirs
from operatord.processes.records import ServerRecords, end_leftovers

_POLL_S = 0.02
_ASK_S = 3.0
_START = "start one with: operatord start"


def run(args: argparse.Namespace) -> int:
    """Stop; raises ``DaemonUnreachable`` if none runs, ``DeadlineExceeded`` if it takes too long."""
    runtime_dir, state_dir = resolve_running_dirs(args.runtime_dir, args.state_dir)
    endpoint = runtime_endpoint(runtime_dir)
    keeper = lock_holder(runtime_dir)
    if keeper is not None:
        _stop_daemon(endpoint, runtime_dir, state_dir, keeper, args.timeout)
    if args.servers and keeper is None:
        require_own(state_dir)
    kept = kept_servers(state_dir)
    if kept and args.servers:
        _end_servers(state_dir)
        kept = ""
    elif keeper is None:
        no_daemon = f"no daemon runs at {runtime_dir}"
        raise DaemonUnreachable(*((f"{no_daemon}; {kept}", WHAT_NEXT) if kept else (no_daemon, _START)))
    print("operatord: stopped", file=sys.stderr)
    if kept:
        print(f"operatord: {kept}\noperatord: {WHAT_NEXT}", file=sys.stderr)
    return 0


def _stop_daemon(endpoint: Endpoint, runtime_dir: Path, state_dir: Path, keeper: int, timeout_s: float) -> None:
    _ask(endpoint, keeper)
    until = time.monotonic() + timeout_s
    while keeper in (lock_holder(runtime_dir), lock_holder(state_dir)):
        if time.monotonic() > until:
            raise DeadlineExceeded(
                f"the daemon (keeper pid {keeper}) still stops after {timeout_s:g} s", "look at its log"
            )
        time.sleep(_POLL_S)


def _end_servers(state_dir: Path) -> None:
    """End what a daemon that is gone has kept, and what belongs to it."""
    lock = lock_dir(state_dir)
    try:
        take_over(state_dir)
        asyncio.run(end_leftovers(ServerRecords(state_dir / "servers.json")))
        remove_network(state_dir)
        remove_containers(state_dir)
    finally:
        os.close(lock)


def _ask(endpoint: Endpoint, keeper: int) -> None:
    """Through the control socket; should the daemon not answer, through its keeper, which ends it by force."""
    try:
        with Requester(endpoint) as requester:
            requester.command("shutdown", deadline_s=_ASK_S)
    except OperatorError:
        if keeper > 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(keeper, signal.SIGTERM)
