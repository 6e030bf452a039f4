"""``operatord stop``: ask the daemon to stop and wait until everything of it is gone."""

import argparse
import contextlib
import os
import signal
import sys
import time

from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.errors import DaemonUnreachable, DeadlineExceeded, OperatorError
from operator_protocol.requests import Requester
from operatord.paths import lock_holder, resolve_dirs

_POLL_S = 0.02
_ASK_S = 3.0


def run(args: argparse.Namespace) -> int:
    """Stop; raises ``DaemonUnreachable`` if none runs, ``DeadlineExceeded`` if it takes too long."""
    runtime_dir, _ = resolve_dirs(args.runtime_dir, args.state_dir)
    endpoint = runtime_endpoint(runtime_dir)
    keeper = lock_holder(runtime_dir)
    if keeper is None:
        raise DaemonUnreachable(f"no daemon runs at {runtime_dir}", "start one with: operatord start")
    _ask(endpoint, keeper)
    until = time.monotonic() + args.timeout
    while lock_holder(runtime_dir) is not None:
        if time.monotonic() > until:
            raise DeadlineExceeded(
                f"the daemon (keeper pid {keeper}) still stops after {args.timeout:g} s", "look at its log"
            )
        time.sleep(_POLL_S)
    print("operatord: stopped", file=sys.stderr)
    return 0


def _ask(endpoint: Endpoint, keeper: int) -> None:
    """Through the control socket; should the daemon not answer, through its keeper, which ends it by force."""
    try:
        with Requester(endpoint) as requester:
            requester.command("shutdown", deadline_s=_ASK_S)
    except OperatorError:
        if keeper > 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(keeper, signal.SIGTERM)
