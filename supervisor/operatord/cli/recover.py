"""``operatord recover``: undo what a daemon that is gone still owes. The keeper runs it, too."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from operator_protocol.errors import Conflict
from operator_protocol.models import Fault
from operator_protocol.records import to_body
from operatord.cli.aftermath import remove_network
from operatord.config import load_config
from operatord.faults.recovery import recover_offline
from operatord.faults.tools import Limits
from operatord.faults.undo_journal import UndoJournal, read_owed
from operatord.local_engine import LocalEngine
from operatord.noted_subject import NotedSubject, noted_subject
from operatord.options import DaemonOptions
from operatord.origin import take_over
from operatord.paths import ensure_private_dir, lock_dir, lock_holder, noted_state_dir, resolve_dirs
from operatord.processes.detached import DetachedServers
from operatord.processes.records import ServerRecords
from operatord.subject_factory import make_control
from operatord.subjects.base import Outliving
from operatord.subjects.registry import make_probe


def run(args: argparse.Namespace) -> int:
    """Undo, verify, strike out; nothing owed is success."""
    runtime_dir, state_dir = resolve_dirs(args.runtime_dir, args.state_dir)
    if args.state_dir is None:
        state_dir = noted_state_dir(runtime_dir) or state_dir
    ensure_private_dir(state_dir, "--state-dir")
    if args.by_keeper is None:
        if (holder := lock_holder(state_dir)) is not None:
            raise Conflict(f"a daemon runs (pid {holder}): it knows what it owes", "ask it with: operatorctl recover")
        lock_dir(state_dir)
        take_over(state_dir)
    options = _options(args, runtime_dir, state_dir)
    if (
        args.by_keeper is None
        and not ServerRecords(options.servers_file).living_servers()
        and remove_network(state_dir)
    ):
        print("operatord: removed the network of a cluster that is gone", file=sys.stderr)
    if not read_owed(options.undo_journal):
        _say(args, [], "nothing is owed")
        return 0
    recovered = asyncio.run(_recover(options))
    names = ", ".join(f"{fault.kind} on {fault.target}" for fault in recovered)
    _say(args, recovered, f"undone: {names}")
    return 0


def _options(args: argparse.Namespace, runtime_dir: Path, state_dir: Path) -> DaemonOptions:
    """Those of the daemon that owed, if its keeper asks; else what it noted, and what the configuration says."""
    if args.by_keeper is not None:
        return DaemonOptions.from_fd(args.by_keeper).model_copy(update={"keep_cluster": True})
    config = load_config(args.config)
    noted = noted_subject(state_dir) or NotedSubject(config.subject.name)
    config = noted.apply(config)
    return DaemonOptions(
        runtime_dir=runtime_dir,
        state_dir=state_dir,
        subject=noted.name,
        load=False,
        keep_cluster=True,
        config=config,
    )


async def _recover(options: DaemonOptions) -> list[Fault]:
    records = ServerRecords(options.servers_file)
    servers = DetachedServers(records)
    engine = LocalEngine()
    control = make_control(options, servers, servers.commands, engine)
    stands = isinstance(control, Outliving) and control.stands
    journal = UndoJournal(options.undo_journal)
    for notice in journal.notices:
        print(f"operatord: {notice}", file=sys.stderr)
    try:
        return await recover_offline(
            control,
            journal,
            make_probe,
            exists=stands or bool(records.living_servers()),
            limits=Limits(recover_s=options.config.faults.recovery_deadline_s),
        )
    finally:
        journal.close()
        engine.close()


def _say(args: argparse.Namespace, recovered: list[Fault], message: str) -> None:
    if args.json:
        print(json.dumps({"recovered": [to_body(fault) for fault in recovered], "message": message}))
    else:
        print(f"operatord: {message}", file=sys.stderr)
