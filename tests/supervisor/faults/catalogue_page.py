"""The part of docs/faults.md that is the catalogue: ``python -m tests.supervisor.faults.catalogue_page`` writes it.

What a kind needs is told, what this host lacks of it is not: the page is the same on every machine.
"""

import re
import tempfile
from pathlib import Path

from operator_protocol.models import FaultKind
from operatord.config import Config
from operatord.faults.params import describe_default, describe_range
from operatord.options import DaemonOptions
from operatord.processes.detached import DetachedServers
from operatord.processes.records import ServerRecords
from operatord.subject_factory import make_control
from operatord.subjects.tikv.engine import NoEngine

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
BEGIN, END = "<!-- catalogue: begin -->\n", "<!-- catalogue: end -->\n"

OF_VALKEY = frozenset(("client-pause", "failover"))
"""Done by commands of the server itself."""


def kinds() -> list[FaultKind]:
    """The whole catalogue, as a daemon with the default configuration has it."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        options = DaemonOptions(
            runtime_dir=directory,
            state_dir=directory,
            subject="valkey",
            load=False,
            keep_cluster=False,
            config=Config(),
        )
        servers = DetachedServers(ServerRecords(directory / "servers.json"))
        return list(make_control(options, servers, servers.commands, NoEngine()).faults().values())


def render() -> str:
    """The section, without its marks."""
    return "\n".join(_section(kind) for kind in kinds())


def shown() -> str:
    """What the page has there now."""
    found = re.search(f"{BEGIN}(.*){END}", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return found[1] if found else ""


def _section(kind: FaultKind) -> str:
    subjects = "Valkey" if kind.name in OF_VALKEY else "any subject whose servers are processes of this machine"
    lines = [f"### {kind.name}", "", f"{kind.description[0].upper()}{kind.description[1:]}.", ""]
    lines += [f"- Undone by {kind.undone_by}.", f"- For {subjects}."]
    if kind.needs:
        lines.append(f"- Needs {kind.needs}.")
    if kind.params:
        lines += ["", "| `--set` | default | allowed | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{one.name}` | {describe_default(one)} | {describe_range(one)} | {one.meaning} |" for one in kind.params
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the section anew."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{render()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
