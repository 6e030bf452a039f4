"""``processes``, ``restart`` and ``stop``: the supervised processes."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE
from operator_clients.ctl.output import Paint, clean, maps, stdout_paint, table
from operator_clients.ctl.session import Session
from operator_clients.format import byte_size, duration

_HEADER = ("PROCESS", "KIND", "STATE", "PID", "RESTARTS", "CPU", "MEMORY")
_FIGURES = ("FDS", "THR")
"""Open descriptors and threads."""
_LAST_LINES = 5
"""Shown of a process that failed; ``logs`` has them all."""


def process_rows(processes: Iterable[Mapping[str, Any]], paint: Paint) -> list[str]:
    """The table of processes, as ``status`` shows it too; below it the last words of those that failed."""
    listed = list(processes)
    rows = table((*_HEADER, "NOTE"), ((*_row(process), _note(process)) for process in listed), paint)
    return rows + _last_words(listed)


def process_figures(processes: Iterable[Mapping[str, Any]], paint: Paint) -> list[str]:
    """The same with every figure; the notes come below the table, which is 80 columns wide without them."""
    listed = list(processes)
    counted = ((*_row(process), process.get("descriptors"), process.get("threads")) for process in listed)
    rows = table((*_HEADER, *_FIGURES), counted, paint)
    notes = [f"{clean(process.get('name'))}: {clean(note)}" for process in listed if (note := _note(process))]
    return rows + (["", *notes] if notes else []) + _last_words(listed)


def _last_words(listed: Iterable[Mapping[str, Any]]) -> list[str]:
    rows: list[str] = []
    for process in listed:
        last = process.get("last_lines")
        if process.get("state") == "failed" and isinstance(last, list) and last:
            rows += ["", f"The last lines of {clean(process.get('name'))}:"]
            rows += [f"  {clean(text)}" for text in last[-_LAST_LINES:]]
    return rows


def _row(process: Mapping[str, Any]) -> tuple[object, ...]:
    cpu = process.get("cpu_percent")
    return (
        process.get("name"),
        process.get("kind"),
        process.get("state"),
        process.get("pid"),
        process.get("restarts", 0),
        f"{cpu:.0f} %" if isinstance(cpu, int | float) else None,
        _memory(process.get("rss")),
    )


def _note(process: Mapping[str, Any]) -> str:
    notes = []
    if process.get("reason"):
        notes.append(str(process["reason"]))
    if process.get("pid") is None and process.get("signal") is not None:
        notes.append(f"ended by signal {process['signal']}")
    elif process.get("pid") is None and process.get("exit_code") is not None:
        notes.append(f"exit code {process['exit_code']}")
    if isinstance(process.get("next_start_in"), int | float):
        notes.append(f"next start in {duration(process['next_start_in'])}")
    return ", ".join(notes)


def _list(_args: argparse.Namespace, session: Session) -> int:
    result = session.ask("processes")
    session.show(result, process_figures(maps(result.get("processes")), stdout_paint()))
    return DONE


def _restart(args: argparse.Namespace, session: Session) -> int:
    result = session.perform("restart", {"name": args.name})
    return _show_one(result, session)


def _stop(args: argparse.Namespace, session: Session) -> int:
    result = session.perform("stop", {"name": args.name})
    return _show_one(result, session)


def _show_one(result: Mapping[str, Any], session: Session) -> int:
    process = result.get("process")
    if process is None:
        session.show(result, clean(result.get("message", "")))
        return DONE
    pid = f" (pid {process['pid']})" if process.get("pid") else ""
    session.show(result, f"{clean(process.get('name', '?'))} is {clean(process.get('state', '?'))}{pid}")
    return DONE


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a process as `operatorctl processes` lists it")


PROCESSES = Subcommand(_no_arguments, _list, "  operatorctl processes\n  operatorctl processes --json")
RESTART = Subcommand(
    _name,
    _restart,
    "  operatorctl restart monitor\n  operatorctl restart valkey-2\n"
    "  operatorctl restart cluster   after a start of the cluster that failed",
)
STOP = Subcommand(_name, _stop, "  operatorctl stop agent\n  operatorctl restart agent")


def _memory(rss: object) -> str:
    return byte_size(rss) if isinstance(rss, int) else "-"
