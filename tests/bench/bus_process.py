"""The daemon's bus without its subject: ``python -m tests.bench.bus_process DIRECTORY``.

Broker, journal, ingest line, control socket and audit log are the daemon's own, put together as the daemon does. It
answers ``ping``, ``hello`` and ``snapshot``.
"""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import zmq

from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.frames import Frame
from operatord.audit import FILE_NAME, AuditLog
from operatord.bus.broker import Broker
from operatord.bus.ingest import Ingest
from operatord.bus.journal import Journal
from operatord.config import JournalSection
from operatord.control.commands import COMMANDS
from operatord.control.context import Context
from operatord.control.server import ControlServer
from operatord.zmq_loop import Context as ZmqContext

_COMMANDS = ("ping", "hello", "snapshot")
_HEARD = ("cluster.", "workload.", "process.", "violation.", "ticket.", "agent.", "fault.")
"""The daemon listens to these; what is published here is none of them, like most of what would come that fast."""


async def main(directory: Path) -> None:
    """Run until TERM."""
    endpoint = runtime_endpoint(directory)
    context: ZmqContext = zmq.Context()
    settings = JournalSection()
    journal = Journal(
        directory / "journal",
        max_bytes=int(settings.max_mib * (1 << 20)),
        keep_files=settings.keep_files,
        on_error=_complain,
    )
    broker = Broker(context, journal=journal, on_listener_error=lambda topic, error: _complain(f"{topic}: {error!r}"))
    ingest = Ingest(context, broker, on_beat=_nothing, on_ready=_nothing, configuration=lambda _: None, log=_complain)
    control = ControlServer(
        context,
        [command for command in COMMANDS if command.name in _COMMANDS],
        audit=AuditLog(directory / FILE_NAME, on_error=_complain),
    )
    broker.listen(_heard, _HEARD)
    broker.bind(endpoint.frames)
    ingest.bind(endpoint.ingest)
    control.bind(endpoint.control)
    # Those commands touch no other part of a daemon.
    parts = SimpleNamespace(version="bench", broker=broker, log=_complain)
    parts.called_by = lambda _caller: parts
    control.serve(cast("Context", parts))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    while not ended.is_set():
        broker.heartbeat(dict(ingest.intake.refusals))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 1)
    await control.close()
    await ingest.close()
    control.hang_up()
    broker.close()
    context.term()


def _nothing(_name: str, _pid: int) -> None:
    pass


def _heard(_frame: Frame) -> None:
    pass


def _complain(line: str) -> None:
    print(f"bus: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
