"""``operatord tickets import``: put exported tickets back, while no daemon runs on that state directory."""

import argparse
from pathlib import Path

from operator_protocol.errors import Conflict
from operatord.paths import ensure_private_dir, lock_dir, lock_holder, resolve_dirs
from operatord.tickets.db import FILE_NAME, TicketDB
from operatord.tickets.exchange import read_export


def run(args: argparse.Namespace) -> int:
    """All of the file, or nothing of it."""
    records = read_export(Path(args.file))
    _, state_dir = resolve_dirs(args.runtime_dir, args.state_dir)
    ensure_private_dir(state_dir, "--state-dir")
    if (holder := lock_holder(state_dir)) is not None:
        raise Conflict(f"a daemon (pid {holder}) writes the tickets in {state_dir}", "stop it: operatord stop")
    lock_dir(state_dir)
    db = TicketDB(state_dir / FILE_NAME)
    try:
        if db.message:
            print(f"operatord: {db.message}")
        added = db.restore(records)
    finally:
        db.close()
    there = len(records) - added
    print(
        f"imported {added} {'ticket' if added == 1 else 'tickets'} into {db.path}"
        + (f"; {there} were there already" if there else "")
    )
    return 0
