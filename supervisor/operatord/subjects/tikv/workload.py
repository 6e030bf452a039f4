"""The load that belongs to this subject: go-ycsb, in a container of the project, or the program on this host."""

import shutil
import sys
from pathlib import Path

from operator_protocol.errors import BadRequest, Unavailable
from operatord.subjects.base import WorkloadSource
from operatord.subjects.tikv import project as projects
from operatord.subjects.tikv.options import Options
from operatord.subjects.tikv.project import Project

_PROGRAM = "go-ycsb"
_INSTEAD = "name a command, or a file to follow, in [workload]"
_ENDLESS = 1_000_000_000_000
"""go-ycsb has no word for it."""


def of_project(directory: Path, project: Project, options: Options) -> WorkloadSource:
    """Both phases in containers of the project; see ``load``."""
    _workload_file(project.compose_file, options)
    return WorkloadSource(
        command=[sys.executable, "-m", "operatord.subjects.tikv.load", str(directory)],
        rate=options.workload_rate,
        description=_description(options),
        line_format="go-ycsb",
    )


def of_attached(endpoints: tuple[str, ...], options: Options, *, secure: bool) -> WorkloadSource:
    """The program on this host, which must reach the stores by the addresses that PD tells. Raises ``Unavailable``."""
    if secure:
        raise Unavailable(f"{_PROGRAM} speaks no TLS, and this cluster does", _INSTEAD)
    if shutil.which(_PROGRAM) is None:
        raise Unavailable(
            f"{_PROGRAM} is not on the PATH of the daemon", f"build it from deploy/tikv/go-ycsb; or {_INSTEAD}"
        )
    pds = ",".join(url.partition("://")[2] for url in endpoints)
    command = [_PROGRAM, "run", "tikv", "-P", str(_workload_file(str(projects.compose_file()), options))]
    for setting in (
        f"tikv.pd={pds}",
        "tikv.type=raw",
        f"recordcount={options.workload_records}",
        f"operationcount={_ENDLESS}",
    ):
        command += ["-p", setting]
    command += [f"--threads={options.workload_threads}", f"--target={options.workload_rate:.0f}", "--interval=1"]
    return WorkloadSource(command, options.workload_rate, _description(options), "go-ycsb")


def _workload_file(compose_file: str, options: Options) -> Path:
    files = Path(compose_file).parent / "workloads"
    file = files / f"workload{options.workload_name}"
    if not file.is_file():
        there = ", ".join(sorted(one.name.removeprefix("workload") for one in files.glob("workload?")))
        raise BadRequest(f"there is no workload {options.workload_name!r} for TiKV", f"there are {there or 'none'}")
    return file


def _description(options: Options) -> str:
    what = f"go-ycsb workload {options.workload_name.upper()}, {options.workload_threads} threads"
    return f"{what}, {options.workload_rate:,.0f} ops/s"
