"""The ycsb worker: keeps the load running as it was asked to, and publishes a sample for each of its reports.

Requests: ``start {source, rate}``, ``stop {}``, ``rate {ops_per_sec}``, ``disturbed {disturbed}``, ``status {}``; each
answers with the status.
A load that ends by itself with an error is reported and started again, ever more slowly, until it is stopped; one
that ends well (a bounded run) or does not understand its command line (exit code 2) is left alone.
"""

import asyncio
import contextlib
import math
import shlex
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, Conflict, OperatorError, Unavailable
from operator_protocol.models import WorkloadSample
from operator_protocol.records import from_body, to_body
from operator_protocol.topics import WORKLOAD_SAMPLE
from operatord.subjects.base import WorkloadSource
from operatord.workers.ycsb.samples import OWN_FORMAT, READERS, Sampler
from operatord.workers.ycsb.source import LoadProcess

if TYPE_CHECKING:
    from operatord.workers.runtime import WorkerContext

_FIRST_WORD_S = 3.0
"""How long ``start`` waits for the load to say something, or to end."""

_FIRST_RESTART_S = 0.5
_LONGEST_RESTART_S = 8.0
_STEADY_S = 30.0
"""A load that ran this long starts over with the shortest delay."""

_LAST_WORD_S = 0.25
"""How long after its first line a load may still turn out to have ended."""

_DRAIN_S = 1.0
"""For what a load that was stopped has said but nobody has read yet."""

_USAGE_ERROR = 2

_FIXED_RATE = "the rate of this load is fixed by its command"


async def main(ctx: "WorkerContext") -> None:
    """What the fork server calls."""
    worker = LoadWorker(ctx.publish)
    ctx.handle("start", worker.start)
    ctx.handle("stop", worker.stop)
    ctx.handle("rate", worker.set_rate)
    ctx.handle("disturbed", worker.set_disturbed)
    ctx.handle("status", worker.status)
    try:
        await worker.configure(await ctx.configured())
        later: set[asyncio.Task[None]] = set()

        def configure_again(configuration: Mapping[str, Any]) -> None:
            task = asyncio.create_task(worker.configure(configuration))
            later.add(task)
            task.add_done_callback(later.discard)

        ctx.on_configure(configure_again)
        ctx.ready()
        await worker.broken
    finally:
        await worker.close()


def restart_delay_s(failures: int) -> float:
    """How long to wait before the next start after so many failures in a row (from 1)."""
    return min(_FIRST_RESTART_S * 2.0 ** (failures - 1), _LONGEST_RESTART_S)


class LoadWorker:
    """The load and its samples."""

    def __init__(self, publish: Callable[[str, Body], None], echo: Callable[[str], None] = print) -> None:
        self._publish = publish
        self._echo = echo
        self._changing = asyncio.Lock()
        self._source: WorkloadSource | None = None
        self._rate: float | None = None
        self._process: LoadProcess | None = None
        self._sampler: Sampler | None = None
        self._disturbed = False
        self._keeping: asyncio.Task[None] | None = None
        self._last: WorkloadSample | None = None
        self._ended = ""
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with a defect of ours, which had better end the worker than leave the load unheard."""

    async def configure(self, configuration: Mapping[str, Any]) -> None:
        """Start the source of the configuration, or stop what runs if there is none. Trouble is told, not raised."""
        try:
            await self.set_disturbed(configuration)
            if configuration.get("source") is None:
                await self.stop({})
            else:
                await self._begin(_source(configuration), _rate(configuration.get("rate")), patient=True)
        except OperatorError as error:
            self._echo(f"ycsb: {error}")

    async def start(self, args: Mapping[str, Any]) -> Body:
        """Start the load; one that runs with the same command goes on, at the given rate.

        Raises ``Unavailable`` with its last line when the load ends at once.
        """
        await self._begin(_source(args), _rate(args.get("rate")), patient=False)
        return await self.status({})

    async def stop(self, _args: Mapping[str, Any]) -> Body:
        """Stop the load; none running is success."""
        async with self._changing:
            await self._end()
        return await self.status({})

    async def set_rate(self, args: Mapping[str, Any]) -> Body:
        """Go on at ``ops_per_sec`` (0: no limit). The baseline begins anew."""
        rate = _rate(args.get("ops_per_sec"))
        if rate is None:
            raise BadRequest("rate needs ops_per_sec")
        async with self._changing:
            self._apply_rate(rate)
        return await self.status({})

    async def set_disturbed(self, args: Mapping[str, Any]) -> Body:
        """Take no baseline while ``disturbed`` is true: something is broken on purpose."""
        self._disturbed = args.get("disturbed") is True
        if self._sampler is not None:
            self._sampler.disturb(self._disturbed)
        return await self.status({})

    async def status(self, _args: Mapping[str, Any]) -> Body:
        """``{running, rate, command, sample, ended}``; ``ended`` says why the load ended, if it did by itself."""
        return {
            "running": self._is_running(),
            "rate": self._rate,
            "command": shlex.join(self._source.command) if self._source else "",
            "sample": to_body(self._last) if self._last else None,
            "ended": self._ended,
        }

    async def close(self) -> None:
        """Stop for good."""
        await self._end()

    async def _begin(self, source: WorkloadSource, rate: float | None, *, patient: bool) -> None:
        async with self._changing:
            if self._source == source and self._is_running():
                if rate is not None and rate != self._rate:
                    self._apply_rate(rate)
                return
            if rate not in (None, source.rate) and source.line_format != OWN_FORMAT:
                raise Unavailable(_FIXED_RATE)
            await self._end()
            self._source, self._rate, self._last, self._ended = source, source.rate, None, ""
            if rate is not None:
                self._rate = rate
            self._process = process = await self._start_process(source)
            self._keeping = asyncio.create_task(self._keep_running(source, process))
            self._keeping.add_done_callback(self._keeping_ended)
            if not patient:
                await self._first_word(process)

    async def _first_word(self, process: LoadProcess) -> None:
        """Return when the load says something and goes on, raise ``Unavailable`` when that was all."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_WORD_S):
                await process.spoke.wait()
            async with asyncio.timeout(_LAST_WORD_S):
                await process.ended.wait()
        if process.status:
            await self._end()
            raise Unavailable(f"the load ended at once: {process.epitaph()}", "the log of the ycsb process has more")

    async def _start_process(self, source: WorkloadSource) -> LoadProcess:
        sampler = Sampler(READERS[source.line_format](), source.warmup_samples, time.time)
        sampler.disturb(self._disturbed)

        def on_line(line: str) -> None:
            self._echo(line)
            self._take(sampler.feed(line))

        process = LoadProcess(source.command, on_line, lambda: self._take(sampler.flush()))
        await process.start()
        self._sampler = sampler
        if self._rate is not None and self._rate != source.rate:
            process.send(f"rate {self._rate:g}")
        return process

    async def _keep_running(self, source: WorkloadSource, process: LoadProcess) -> None:
        failures = 0
        while True:
            started = time.monotonic()
            status = await process.listen()
            if self._process is not process:
                return  # it was ended on purpose
            if status == 0:
                self._echo("ycsb: the load is done")
                return
            failures = 1 if time.monotonic() - started > _STEADY_S else failures + 1
            self._ended = process.epitaph()
            if status == _USAGE_ERROR:
                self._echo(f"ycsb: the load ended: {self._ended}")
                return
            delay_s = restart_delay_s(failures)
            self._echo(f"ycsb: the load ended: {self._ended}; starting it again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            try:
                self._process = process = await self._start_process(source)
            except Unavailable as error:
                self._ended = error.message
                self._echo(f"ycsb: {error}")
                return

    def _take(self, sample: WorkloadSample | None) -> None:
        if sample is not None:
            self._last = sample
            self._publish(WORKLOAD_SAMPLE, to_body(sample))

    def _apply_rate(self, rate: float) -> None:
        if self._source is None or self._process is None or not self._is_running():
            raise Conflict("no load is running", "start it first")
        if self._source.line_format != OWN_FORMAT:
            raise Unavailable(_FIXED_RATE)
        self._rate = rate
        self._process.send(f"rate {rate:g}")
        if self._sampler is not None:
            self._sampler.restart_baseline()

    def _is_running(self) -> bool:
        return self._keeping is not None and not self._keeping.done()

    async def _end(self) -> None:
        keeping, self._keeping = self._keeping, None
        process, self._process = self._process, None
        if process is not None and not process.ended.is_set():
            await process.stop()
            # What it says at its end is still on the way through its pipe.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_S):
                    await process.ended.wait()
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait({keeping})

    def _keeping_ended(self, keeping: asyncio.Task[None]) -> None:
        if not keeping.cancelled() and (defect := keeping.exception()) is not None and not self.broken.done():
            self.broken.set_exception(defect)


def _source(args: Mapping[str, Any]) -> WorkloadSource:
    source = from_body(WorkloadSource, args.get("source") or {})
    if source.line_format not in READERS:
        raise BadRequest(f"unknown line format {source.line_format!r}", f"one of {', '.join(READERS)}")
    return source


def _rate(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise BadRequest(f"a rate is a number of operations per second, at least 0 (no limit), not {value!r}")
    return float(value)
