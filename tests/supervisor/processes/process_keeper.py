"""Runs a keeper: ``process_keeper.py STATE_DIR spare|none|broken STOP_TIMEOUT COMMAND…``."""

import sys
from pathlib import Path

from operatord.keeper import run_keeper
from operatord.processes.records import ServerRecords


def main() -> int:
    state_dir, mode, timeout, *argv = sys.argv[1:]

    def spared() -> set[tuple[int, int]]:
        if mode == "broken":
            raise RuntimeError("nobody knows")
        return set(ServerRecords(Path(state_dir) / "servers.json").living_servers()) if mode == "spare" else set()

    def after() -> None:
        print("after", flush=True)
        if mode == "broken":
            raise RuntimeError("could not recover")

    return run_keeper(argv, spared=spared, after=after, stop_timeout_s=float(timeout))


if __name__ == "__main__":
    sys.exit(main())
