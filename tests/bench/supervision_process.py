"""Bus and process table of the daemon without its subject.

``python -m tests.bench.supervision_process DIRECTORY FIFO``. Broker, journal, ingest line, table and fork server are
the daemon's own, put together as the daemon does. Two processes are supervised: ``warm``, a worker in the runtime of
all workers, which is ready when it has a ZeroMQ context, a loop and the daemon's ear; and ``plain``, an interpreter
that is exec'd and writes its pid into FIFO. Both are started again without a pause, as one is that had been ready for
a while.
"""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import zmq

from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.models import ProcessState
from operator_protocol.records import to_body
from operator_protocol.topics import process_state
from operatord.audit import FILE_NAME, AuditLog
from operatord.bus.broker import Broker
from operatord.bus.ingest import Ingest
from operatord.bus.journal import Journal
from operatord.config import JournalSection
from operatord.control.commands import COMMANDS
from operatord.control.context import Context
from operatord.control.server import ControlServer
from operatord.processes.backoff import BackoffPolicy
from operatord.processes.records import ServerRecords
from operatord.processes.spec import ProcessSpec
from operatord.processes.supervision import Policies
from operatord.processes.table import ProcessTable
from operatord.zmq_loop import Context as ZmqContext

WORKER, PLAIN = "warm", "plain"
_COMMANDS = ("ping", "hello", "snapshot")
_AT_ONCE = BackoffPolicy(stable_after_s=0, flap_deaths=None)


def plain_command(fifo: str) -> list[str]:
    """An interpreter without anything: it says its pid and waits."""
    code = f"import os, signal; os.write(os.open({fifo!r}, os.O_WRONLY), b'%d\\n' % os.getpid()); signal.pause()"
    return [sys.executable, "-S", "-c", code]


async def main(directory: Path, fifo: str) -> None:
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

    def on_state(state: ProcessState) -> None:
        broker.publish(process_state(state.name), to_body(state))

    table = ProcessTable(
        on_state=on_state,
        on_log=lambda name, stream, line, dropped: _complain(f"{name}: {line}"),
        records=ServerRecords(directory / "servers.json"),
        preload=("operatord.workers.runtime", "tests.bench.supervision_worker"),
        warm_up="operatord.workers.runtime:warm_up",
        policies=Policies(backoff=_AT_ONCE),
    )
    ingest = Ingest(
        context,
        broker,
        on_beat=table.beat,
        on_ready=table.mark_ready,
        configuration=lambda _: None,
        log=_complain,
    )
    table.on_exit(lambda name, state: ingest.gone(name) if state.kind == "worker" else None)
    control = ControlServer(
        context,
        [command for command in COMMANDS if command.name in _COMMANDS],
        audit=AuditLog(directory / FILE_NAME, on_error=_complain),
    )
    broker.bind(endpoint.frames)
    ingest.bind(endpoint.ingest)
    control.bind(endpoint.control)
    # Those commands touch no other part of a daemon.
    parts = SimpleNamespace(version="bench", broker=broker, log=_complain)
    parts.called_by = lambda _caller: parts
    control.serve(cast("Context", parts))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    table.add_worker(
        WORKER,
        "operatord.workers.runtime:run",
        {"name": WORKER, "module": "tests.bench.supervision_worker", "ingest": endpoint.ingest},
    )
    table.add_process(ProcessSpec(PLAIN, tuple(plain_command(fifo)), restart="always", backoff=_AT_ONCE))
    await table.start()
    await table.start_worker(WORKER)
    await table.start_worker(PLAIN)
    while not ended.is_set():
        broker.heartbeat(dict(ingest.intake.refusals))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 1)
    await table.stop_all()
    await control.close()
    await ingest.close()
    control.hang_up()
    broker.close()
    context.term()


def _complain(line: str) -> None:
    print(f"supervision: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.umask(0o077)
    # The fork server finds modules by this alone.
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
