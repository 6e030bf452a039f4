"""Finds what was left behind: processes of a run that should be gone, counted from outside that run.

Every process of a run inherits ``OPERATOR_RUN_ID`` in its environment. That alone is not enough to find them all: a
zombie has no environment any more, and some servers overwrite theirs to show a title in ``ps``. So the run is followed
while it lasts, and its processes are remembered by pid and start time, together with their descendants.

``python -m operatord.leftovers watch --marker ID`` follows until its standard input ends, and then counts. It exits
with 1 when something is left.
"""

import argparse
import json
import os
import select
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from operatord import procfs
from operatord.procfs import ProcessId, ProcessStat

MARKER = "OPERATOR_RUN_ID"
"""Name of the environment variable; its value tells runs apart."""

_FOLLOW_S = 0.1
"""Between two looks while the run lasts."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A process that should be gone."""

    pid: int
    ppid: int
    state: str
    command: str

    @property
    def zombie(self) -> bool:
        """True for what has ended and was not reaped, False for what still runs (an orphan)."""
        return self.state == "Z"


class Follower:
    """Remembers the processes of one run.

    This process and its ancestors do not count, whatever they carry: whoever starts the run and the watch of it has
    good reason to be there afterwards.
    """

    def __init__(self, marker: str) -> None:
        self._entry = f"{MARKER}={marker}"
        self._seen: set[ProcessId] = set()
        self._excluded = _self_and_ancestors()

    def look(self) -> list[Leftover]:
        """Take note of the run's processes, and return those that exist now."""
        now = {stat.pid: stat for stat in procfs.all_stats() if stat.id not in self._excluded}
        # Parents first: a process is then noted in the same look as the parent by which it is known.
        for stat in sorted(now.values(), key=lambda stat: stat.start_time):
            if stat.id not in self._seen and (self._descends(stat, now) or self._carries(stat)):
                self._seen.add(stat.id)
        return [_leftover(stat) for stat in now.values() if stat.id in self._seen or self._is_their_zombie(stat)]

    def settle(self, grace_s: float) -> list[Leftover]:
        """Look until nothing is left, at most ``grace_s`` seconds; returns what is."""
        deadline = time.monotonic() + grace_s
        while (left := self.look()) and time.monotonic() < deadline:
            time.sleep(_FOLLOW_S / 2)
        return left

    def _carries(self, stat: ProcessStat) -> bool:
        return stat.alive and procfs.environment_has(stat.pid, self._entry)

    def _descends(self, stat: ProcessStat, now: dict[int, ProcessStat]) -> bool:
        parent = now.get(stat.ppid)
        return parent is not None and parent.id in self._seen

    def _is_their_zombie(self, stat: ProcessStat) -> bool:
        """A zombie that was never seen alive, known by the group or session that one of the run has led."""
        if stat.alive:
            return False
        return any(seen.pid in (stat.pgrp, stat.session) and seen.start_time <= stat.start_time for seen in self._seen)


def find_marked(marker: str) -> list[Leftover]:
    """What of the run can be found at this moment without having followed it."""
    return Follower(marker).look()


def count(left: Iterable[Leftover]) -> dict[str, object]:
    """The report: ``{"zombies": N, "orphans": N, "processes": [{pid, ppid, state, command}]}``."""
    found = list(left)
    zombies = sum(one.zombie for one in found)
    return {"zombies": zombies, "orphans": len(found) - zombies, "processes": [asdict(one) for one in found]}


def main(argv: Sequence[str] | None = None) -> int:
    """``watch --marker ID [--json] [--grace S]``."""
    parser = argparse.ArgumentParser(
        prog="python -m operatord.leftovers", description="Count what a run leaves behind."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    watch = commands.add_parser("watch", help="follow a run until standard input ends, then count")
    watch.add_argument("--marker", required=True, metavar="ID", help=f"the run's {MARKER}")
    watch.add_argument("--json", action="store_true", help="print the count as JSON")
    watch.add_argument(
        "--grace", type=float, default=1.0, metavar="S", help="seconds for the last ones to go (default 1)"
    )
    options = parser.parse_args(argv)

    follower = Follower(options.marker)
    while True:
        follower.look()
        if select.select([sys.stdin], [], [], _FOLLOW_S)[0] and not os.read(sys.stdin.fileno(), 4096):
            break
    left = follower.settle(options.grace)
    report = count(left)
    if options.json:
        print(json.dumps(report))
    else:
        print(f"{report['zombies']} zombies, {report['orphans']} orphans")
        for one in left:
            print(f"  {one.pid} (parent {one.ppid}) {one.state} {one.command}")
    return 1 if left else 0


def _self_and_ancestors() -> set[ProcessId]:
    chain: set[ProcessId] = set()
    stat = procfs.read_stat(os.getpid())
    while stat is not None:
        chain.add(stat.id)
        stat = procfs.read_stat(stat.ppid) if stat.ppid else None
    return chain


def _leftover(stat: ProcessStat) -> Leftover:
    return Leftover(stat.pid, stat.ppid, stat.state, " ".join(procfs.command_line(stat.pid)) or stat.comm)


if __name__ == "__main__":
    sys.exit(main())
