"""The command line: what can be asked of the client, checked before anything is touched."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from operatord.ycsb.core import DISTRIBUTIONS, WORKLOADS, CoreProperties
from operatord.ycsb.topology import Address

MAX_CLIENTS = 1024

_DESCRIPTION = """\
YCSB core client: loads records into a database and asks for them, as the workloads A to F of YCSB do.

Once a second it prints a status line in the format of Java YCSB to stderr, and at the end (also on Ctrl+C or TERM) the
final block to stdout. 'operations' and 'current ops/sec' count what succeeded; what failed is in [READ-FAILED: ...].
While it runs, a line 'rate 3000' on stdin (a pipe or a terminal) changes the target rate; 'rate 0' removes it.
"""

_EPILOG = """\
workloads:
{workloads}

examples:
  python -m operatord.ycsb load --hosts 127.0.0.1:7000,127.0.0.1:7001 --record-count 100000
  python -m operatord.ycsb run --hosts 127.0.0.1:7000 --workload a --threads 8 --target 2000 --load-first

exit codes: 0 done or stopped; 1 the database could not be reached or did not take the records; 2 usage.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    phase: str
    """``load`` or ``run``."""
    hosts: tuple[Address, ...]
    clients: int
    target: float
    """Operations per second; 0 is unthrottled."""
    core: CoreProperties
    workload: str
    load_first: bool
    status_interval_s: float
    max_execution_s: float | None
    connect_timeout_s: float
    die_with_parent: bool
    label: str


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, and no usage dump in front of it."""
        self.exit(2, f"operatord.ycsb: {message}; see --help\n")


def parse_options(argv: Sequence[str]) -> Options:
    """Read the command line. Ends the process with one line and status 2 when it makes no sense."""
    parser = _parser()
    given = parser.parse_args(argv)
    mix = WORKLOADS[given.workload]
    if given.phase == "load" and given.load_first:
        parser.error("--load-first belongs to 'run'")
    if given.min_scan_length > given.max_scan_length:
        parser.error("--min-scan-length is larger than --max-scan-length")
    core = CoreProperties(
        mix=mix,
        record_count=given.record_count,
        operation_count=given.operation_count,
        field_count=given.field_count,
        field_length=given.field_length,
        read_all_fields=given.read_all_fields,
        write_all_fields=given.write_all_fields,
        distribution=given.request_distribution or mix.distribution,
        min_scan_length=given.min_scan_length,
        max_scan_length=given.max_scan_length,
        insert_start=given.insert_start,
        seed=given.seed,
    )
    return Options(
        phase=given.phase,
        hosts=given.hosts,
        clients=given.threads,
        target=given.target,
        core=core,
        workload=given.workload,
        load_first=given.load_first,
        status_interval_s=given.status_interval,
        max_execution_s=given.max_execution_time,
        connect_timeout_s=given.connect_timeout,
        die_with_parent=given.die_with_parent,
        label=given.label,
    )


def _parser() -> argparse.ArgumentParser:
    workloads = "\n".join(f"  {name}  {mix.description} ({mix.distribution})" for name, mix in WORKLOADS.items())
    parser = _Parser(
        prog="python -m operatord.ycsb",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(workloads=workloads),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("phase", choices=("load", "run"), help="load: insert the records; run: do operations on them")
    add("--binding", choices=("valkey",), default="valkey", help="the database (default: valkey, a Valkey Cluster)")
    add("--hosts", required=True, type=_hosts, metavar="HOST:PORT,...", help="nodes; one that answers is enough")
    add("--workload", choices=sorted(WORKLOADS), type=str.lower, default="a", help="core workload (default: a)")
    add("--threads", type=_whole(1, MAX_CLIENTS), default=8, help="clients, each with one operation at a time (8)")
    add(
        "--target",
        type=_number(0),
        default=0.0,
        metavar="OPS",
        help="operations per second of all clients (0: no limit)",
    )
    add("--record-count", type=_whole(1), default=1000, help="records (1000)")
    add("--operation-count", type=_whole(0), default=0, help="operations, then end (0: endless)")
    add("--load-first", action="store_true", help="insert the records before the run, as often as it takes")
    add("--status-interval", type=_number(0, above=True), default=1.0, metavar="S", help="seconds between lines (1)")
    add(
        "--max-execution-time", type=_number(0, above=True), default=None, metavar="S", help="end after so many seconds"
    )
    add("--connect-timeout", type=_number(0, above=True), default=10.0, metavar="S", help="for the first node (10)")
    add("--request-distribution", choices=DISTRIBUTIONS, default=None, help="instead of the workload's own")
    add("--field-count", type=_whole(1, 1000), default=10, help="fields of a record (10)")
    add("--field-length", type=_whole(1, 1 << 20), default=100, help="bytes of a field (100)")
    flag = argparse.BooleanOptionalAction
    add("--read-all-fields", action=flag, default=True, help="read whole records, or one field")
    add("--write-all-fields", action=flag, default=False, help="update whole records, or one field")
    add("--min-scan-length", type=_whole(1), default=1, help="records of the shortest scan (1)")
    add("--max-scan-length", type=_whole(1), default=100, help="records of the longest scan (100)")
    add("--insert-start", type=_whole(0), default=0, help="number of the first record (0)")
    add("--seed", type=_whole(0), default=None, help="draw the same numbers in every run")
    add("--label", default="", help="put in front of each status line")
    add("--die-with-parent", action="store_true", help="end when the process that started this one ends")
    return parser


def _hosts(text: str) -> tuple[Address, ...]:
    hosts = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        host, colon, port = item.rpartition(":")
        if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise argparse.ArgumentTypeError(f"{item!r} is not HOST:PORT")
        hosts.append(Address(host.strip("[]"), int(port)))
    if not hosts:
        raise argparse.ArgumentTypeError("name at least one HOST:PORT")
    return tuple(hosts)


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < low or (high is not None and value > high):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"must be {limits}, not {value}")
        return value

    return convert


def _number(low: float, *, above: bool = False) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not math.isfinite(value) or value < low or (above and value == low):
            raise argparse.ArgumentTypeError(f"must be {'above' if above else 'at least'} {low:g}, not {text}")
        return value

    return convert
