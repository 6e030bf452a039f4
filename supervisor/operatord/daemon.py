"""The daemon: one asyncio process that runs the parts from first frame to last.

Started by the keeper as ``python -m operatord.daemon OPTIONS``. The order of the start is the order of the needs:
sockets first (clients may attach and watch), then servers, then what an earlier run still owes, then the workers.
"""

import asyncio
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from operator_protocol.endpoint import default_runtime_dir
from operator_protocol.errors import OperatorError, Unavailable
from operatord.assembly import Assembly
from operatord.logging_bridge import logging_to
from operatord.options import DaemonOptions
from operatord.processes.records import end_leftovers
from operatord.reporting import Reporter
from operatord.sd_notify import ServiceManager
from operatord.staging import check_demo
from operatord.subjects.base import Outliving
from operatord.workforce import HEALTHY

_DESCRIPTORS = 65_536
_STOP_STEP_S = 5.0
"""No step of the stop may take longer; the keeper ends what is left."""
_UNDO_S = 12.0
"""Undoing what is owed before leaving; what is cut off stays owed, and is undone at the next start."""


class Daemon:
    """One run of the parts."""

    def __init__(self, options: DaemonOptions, reporter: Reporter, manager: ServiceManager) -> None:
        self._options = options
        self._reporter = reporter
        self._manager = manager
        self._started_mono = time.monotonic()
        self._stop_reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.parts = Assembly(options, reporter, then=self._operate_after_all)
        self._chores: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """From first frame to last. Raises the error that made a start fail, after everything was taken down."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._defect)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(signum, self.shutdown, signal.Signals(signum).name)
        try:
            self.parts.bind()
            start = asyncio.create_task(self._start())
            both: set[asyncio.Future[Any]] = {start, self._stop_reason}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                await start
                self._tell_ready()
                reason = await self._stop_reason
            else:
                reason = self._stop_reason.result()
                start.cancel()
                await asyncio.gather(start, return_exceptions=True)
            self._manager.stopping(reason)
            self.parts.log(f"stopping: {reason}")
        finally:
            await self._stop()

    def shutdown(self, reason: str) -> None:
        """Begin the stop."""
        if not self._stop_reason.done():
            self._stop_reason.set_result(reason)

    # the start

    async def _start(self) -> None:
        parts = self.parts
        check_demo(self._options, parts.subject)
        await self._take_over()
        parts.workforce.add(parts.sockets.pass_for_workers)
        if parts.console.notice:
            parts.log(parts.console.notice)
        parts.declared.start()
        subject_start = asyncio.create_task(parts.launch.first())
        try:
            await parts.open_stores()
            self._serve()
            await subject_start
        finally:
            subject_start.cancel()
            await asyncio.gather(subject_start, return_exceptions=True)
        if parts.launch.is_up:
            await self._operate()

    async def _take_over(self) -> None:
        """Deal with what an earlier daemon left: end it, or adopt its servers under ``--keep-cluster``."""
        keep, parts = self._options.keep_cluster, self.parts
        for record in await end_leftovers(parts.records, keep_servers=keep):
            done = "found" if keep and record.kind == "server" else "ended"
            parts.log(f"{done} {record.name} (pid {record.pid}) of an earlier run")
        await parts.processes.start()
        for record in parts.records.servers():
            if parts.processes.adopt(record):
                parts.log(f"adopted {record.name} (pid {record.pid})")
        if parts.records.notice:
            parts.log(parts.records.notice)
        # With rules or limits of an earlier run in force the cluster might not even form.
        await parts.faults.clear()

    def _serve(self) -> None:
        self.parts.sockets.control.serve(self.parts.context(self.shutdown, self._started_mono))
        self.parts.director.start()
        self._chores = [asyncio.create_task(self._every_second())]

    async def _operate(self) -> None:
        """The subject is up: look at it, pay what is owed, load it."""
        parts = self.parts
        await parts.workforce.start()
        await parts.debts.settle()
        if self._options.load:
            await parts.load.start_after(partial(parts.milestones.wait, HEALTHY), parts.log)

    async def _operate_after_all(self) -> None:
        await self._operate()
        self._manager.status(f"operating {self._options.subject}")

    def _tell_ready(self) -> None:
        """A daemon whose subject could not be started is there to say why, and to try again."""
        options = self._options
        if (error := self.parts.launch.error) is not None:
            self._reporter.without_cluster(error)
            self._manager.ready(f"not operating {options.subject}: {error.message}")
            return
        took_s = time.monotonic() - self._started_mono
        at = "" if options.runtime_dir == default_runtime_dir() else f" --endpoint {options.runtime_dir}"
        self._reporter.ready(f"ready in {took_s:.2f} s; attach with: operator-viewer{at}")
        self._manager.ready(f"operating {options.subject}")

    # each second

    @property
    def _each_second(self) -> tuple[Callable[[], None], ...]:
        parts = self.parts
        return (
            parts.sockets.heartbeat,
            parts.sockets.audit.tick,
            parts.ticketing.retry,
            parts.actions.tick,
            parts.coordination.tick,
            parts.publish_usage,
            parts.launch.tick,
        )

    async def _every_second(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for chore in self._each_second:
                try:
                    chore()
                except Exception as error:
                    # One chore that fails must not take the heartbeat with it.
                    self.parts.report_defect("the chores of a second", error)
            due = max(due + 1.0, loop.time())
            await asyncio.sleep(due - loop.time())

    # the stop

    async def _stop(self) -> None:
        parts = self.parts
        await self._step("the actions", parts.actions.close())
        await self._step("the story", parts.director.close(undo=False))
        await self._step("the faults", parts.debts.pay_before_leaving(), _UNDO_S)
        await self._step("the load", parts.load.stop())
        await self._step("the diagnoses", parts.ticketing.stop_diagnosing())
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self._step("the control socket", parts.sockets.deafen())
        await self._step("the observer", parts.observer.close())
        await self._step("the declared processes", parts.declared.stop(), parts.declared.stop_budget_s + _STOP_STEP_S)
        # Workers before servers: a monitor that still looks would report the end of the cluster as an outage.
        await self._step("the workers", parts.workforce.stop())
        budget_s = parts.subject.stop_budget_s if isinstance(parts.subject, Outliving) else 2 * _STOP_STEP_S
        await self._step("the subject", parts.subject.stop(), budget_s)
        await self._step("the debts", parts.debts.forfeit())
        await self._step("the containers", parts.containers.close())
        await self._step("the processes", parts.processes.stop_all(), 2 * _STOP_STEP_S)
        await self._step("the ingest socket", parts.ingest.close())
        parts.undo_journal.close()
        parts.ticketing.close()
        parts.sockets.close()

    async def _step(self, what: str, work: Awaitable[object], timeout_s: float = _STOP_STEP_S) -> None:
        """One step of the stop: none may keep the others from happening."""
        try:
            async with asyncio.timeout(timeout_s):
                await work
        except Exception as error:
            # Whatever it was, the rest must still be taken down; the keeper ends what this step left.
            self._reporter.line(f"while stopping {what}: {type(error).__name__}: {error}")

    def _defect(self, _loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        error = told.get("exception")
        lines = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
        self._reporter.line(f"defect: {told.get('message')}\n{lines}")


def main(argv: list[str]) -> int:
    """Run the daemon with the options in the descriptor ``argv[0]``; the exit status is the keeper's."""
    options = DaemonOptions.from_fd(int(argv[0]))
    os.umask(0o077)
    _allow_many_connections()
    reporter = Reporter(options.ready_fd)
    manager = ServiceManager(os.environ)

    async def run() -> None:
        alive = asyncio.create_task(manager.keep_alive())
        daemon = Daemon(options, reporter, manager)
        with logging_to(daemon.parts.log):
            await daemon.run()
        alive.cancel()

    try:
        asyncio.run(run())
    except OperatorError as error:
        reporter.failed(error)
        return 1
    except OSError as error:
        where = error.filename or "the system"
        reporter.failed(Unavailable(f"{where}: {error.strerror}", "mend it, or choose other directories"))
        return 1
    return 0


def _allow_many_connections() -> None:
    """Each client takes two descriptors; ZeroMQ spins when there are none left. What we start inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
