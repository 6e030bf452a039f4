"""The worker with real child processes: small programs that print what a load generator would."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, Conflict, Unavailable
from operator_protocol.models import WorkloadSample
from operator_protocol.records import from_body, to_body
from operatord.subjects.base import Handler, WorkloadSource
from operatord.workers.ycsb.source import LoadProcess, how_it_ended
from operatord.workers.ycsb.worker import LoadWorker, main, restart_delay_s

DEADLINE_S = 20.0

STEADY = """
import itertools, select, signal, sys
rate = 100
signal.signal(signal.SIGTERM, lambda *_: (print("[OVERALL], the end", flush=True), sys.exit(0)))
print("ready", flush=True)
for second in itertools.count(1):
    print(f"x {second} sec: {second * rate} operations; {rate} current ops/sec; [READ: Count={rate}]", flush=True)
    if select.select([sys.stdin], [], [], 0.02)[0]:
        line = sys.stdin.readline()
        if not line:
            break
        rate = int(float(line.split()[1]))
        print("heard", line.strip(), flush=True)
"""


def source(program: str, **changes: Any) -> WorkloadSource:
    values: dict[str, Any] = {"rate": 100.0, "description": "a test's own load", **changes}
    return WorkloadSource(command=[sys.executable, "-c", program], **values)


class Recorded:
    """Collects what the worker publishes and echoes."""

    def __init__(self) -> None:
        self.samples: list[WorkloadSample] = []
        self.lines: list[str] = []
        self.worker = LoadWorker(self.publish, self.lines.append)

    def publish(self, topic: str, body: Body) -> None:
        assert topic == "workload.sample"
        self.samples.append(from_body(WorkloadSample, body))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.01)


def with_worker(story: Callable[[Recorded], Awaitable[None]]) -> Recorded:
    async def play() -> Recorded:
        recorded = Recorded()
        try:
            await story(recorded)
        finally:
            await recorded.worker.close()
        return recorded

    return asyncio.run(play())


def gone(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], DEADLINE_S)[0])
    finally:
        os.close(descriptor)


def test_a_load_is_started_echoed_sampled_and_stopped() -> None:
    async def story(recorded: Recorded) -> None:
        idle = await recorded.worker.status({})
        assert (idle["running"], idle["sample"], idle["command"]) == (False, None, "")
        status = await recorded.worker.start({"source": to_body(source(STEADY)), "rate": None})
        assert (status["running"], status["rate"]) == (True, 100.0)
        await recorded.until(lambda: len(recorded.samples) >= 10)
        status = await recorded.worker.status({})
        assert from_body(WorkloadSample, status["sample"]).ops_per_sec == 100
        status = await recorded.worker.stop({})
        assert status["running"] is False
        assert (await recorded.worker.stop({}))["running"] is False

    recorded = with_worker(story)
    assert recorded.lines[0] == "ready"
    assert recorded.lines[-1] == "[OVERALL], the end", "what it says at its end is heard"
    assert recorded.lines[1].startswith("x 1 sec: 100 operations;")
    assert [sample.baseline for sample in recorded.samples[:8]] == [None] * 6 + [100, 100]


def test_a_new_rate_reaches_the_load_and_begins_a_new_baseline() -> None:
    async def story(recorded: Recorded) -> None:
        await recorded.worker.start({"source": to_body(source(STEADY)), "rate": 300.0})
        await recorded.until(lambda: any(sample.baseline == 300 for sample in recorded.samples))
        status = await recorded.worker.set_rate({"ops_per_sec": 30})
        assert status["rate"] == 30
        await recorded.until(lambda: recorded.samples[-1].baseline == 30)
        assert not recorded.samples[-1].degraded

    assert "heard rate 300" in with_worker(story).lines


def test_a_load_that_begins_while_something_is_broken_has_no_baseline_until_it_is_not() -> None:
    async def story(recorded: Recorded) -> None:
        await recorded.worker.configure({"source": to_body(source(STEADY)), "rate": None, "disturbed": True})
        await recorded.until(lambda: len(recorded.samples) >= 12)
        assert recorded.samples[-1].baseline is None
        await recorded.worker.set_disturbed({"disturbed": False})
        await recorded.until(lambda: recorded.samples[-1].baseline == 100)

    with_worker(story)


def test_a_script_that_runs_the_load_ends_with_all_that_it_started(tmp_path: Path) -> None:
    inner = tmp_path / "inner.pid"
    note = f"import os, pathlib\npathlib.Path({str(inner)!r}).write_text(str(os.getpid()))\n"
    program = note + STEADY.replace("signal.SIGTERM", "signal.SIGUSR1")
    # As the script of Java YCSB: the shell stays, and does not hand on what it is told.
    load = WorkloadSource(["sh", "-c", f'{sys.executable} -c "$0"; true', program], 0.0, "", "any")

    async def story(recorded: Recorded) -> None:
        await recorded.worker.start({"source": to_body(load), "rate": 0.0})
        await recorded.until(lambda: len(recorded.samples) >= 3)
        assert recorded.samples[-1].ops_per_sec == 100
        with pytest.raises(Unavailable, match="fixed by its command"):
            await recorded.worker.set_rate({"ops_per_sec": 5})
        await recorded.worker.stop({})
        assert gone(int(inner.read_text()))

    with_worker(story)


def test_starting_what_runs_only_changes_the_rate() -> None:
    async def story(recorded: Recorded) -> None:
        await recorded.worker.start({"source": to_body(source(STEADY)), "rate": None})
        status = await recorded.worker.start({"source": to_body(source(STEADY)), "rate": 50})
        assert status["rate"] == 50
        await recorded.until(lambda: "heard rate 50" in recorded.lines)
        assert recorded.lines.count("ready") == 1

    with_worker(story)


def test_another_source_replaces_the_one_that_runs() -> None:
    async def story(recorded: Recorded) -> None:
        await recorded.worker.start({"source": to_body(source(STEADY)), "rate": None})
        other = source("print('another', flush=True); import time; time.sleep(60)")
        status = await recorded.worker.start({"source": to_body(other), "rate": None})
        assert "another" in status["command"]
        await recorded.until(lambda: "another" in recorded.lines)
        assert recorded.lines.count("ready") == 1

    with_worker(story)


def test_a_load_that_ends_at_once_is_refused_with_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # It has said something, and may be late with its end.
    monkeypatch.setattr("operatord.workers.ycsb.worker._LAST_WORD_S", 10.0)

    async def story(recorded: Recorded) -> None:
        broken = source("import sys; print('no such workload: z'); sys.exit(2)")
        with pytest.raises(Unavailable, match="exit code 2, last line: no such workload: z"):
            await recorded.worker.start({"source": to_body(broken), "rate": None})
        assert (await recorded.worker.status({}))["running"] is False

    with_worker(story)


def test_a_command_that_does_not_exist_is_refused() -> None:
    async def story(recorded: Recorded) -> None:
        missing = WorkloadSource(command=["no-such-program-here"], rate=1.0, description="")
        with pytest.raises(Unavailable, match="no-such-program-here"):
            await recorded.worker.start({"source": to_body(missing), "rate": None})

    with_worker(story)


def test_a_load_that_dies_is_reported_and_started_again_at_the_rate_it_had() -> None:
    async def story(recorded: Recorded) -> None:
        await recorded.worker.start({"source": to_body(source(STEADY)), "rate": None})
        await recorded.worker.set_rate({"ops_per_sec": 70})
        await recorded.until(lambda: "heard rate 70" in recorded.lines)
        load = recorded.worker._process
        assert load is not None
        assert load.pid is not None
        os.kill(load.pid, signal.SIGKILL)
        await recorded.until(lambda: recorded.lines.count("heard rate 70") == 2)
        status = await recorded.worker.status({})
        assert status["running"] is True
        assert status["ended"].startswith("killed by SIGKILL, last line: x ")

    recorded = with_worker(story)
    assert any(
        line.startswith("ycsb: the load ended: killed by SIGKILL") and line.endswith("again in 0.5 s")
        for line in recorded.lines
    )


def test_a_bounded_load_that_is_done_is_left_alone() -> None:
    async def story(recorded: Recorded) -> None:
        await recorded.worker.start({"source": to_body(source("print('1 sec: 5 operations;')")), "rate": None})
        await recorded.until(lambda: "ycsb: the load is done" in recorded.lines)
        assert (await recorded.worker.status({}))["running"] is False
        with pytest.raises(Conflict):
            await recorded.worker.set_rate({"ops_per_sec": 5})

    assert len(with_worker(story).samples) == 1


def test_go_ycsb_tables_are_samples_as_soon_as_they_are_complete_and_its_rate_is_fixed() -> None:
    program = (
        "import time\n"
        "print('READ   - Takes(s): 10.0, Count: 1000, OPS: 100.0, Avg(us): 5', flush=True)\n"
        "print('TOTAL  - Takes(s): 10.0, Count: 1000, OPS: 100.0, Avg(us): 5', flush=True)\n"
        "time.sleep(60)"
    )

    async def story(recorded: Recorded) -> None:
        tables = source(program, line_format="go-ycsb")
        with pytest.raises(Unavailable, match="fixed"):
            await recorded.worker.start({"source": to_body(tables), "rate": 5.0})
        await recorded.worker.start({"source": to_body(tables), "rate": None})
        await recorded.until(lambda: len(recorded.samples) == 1)
        with pytest.raises(Unavailable, match="fixed"):
            await recorded.worker.set_rate({"ops_per_sec": 5})

    assert with_worker(story).samples[0].ops_per_sec == 100


@pytest.mark.parametrize("rate", [-1, float("nan"), "fast", True])
def test_a_rate_that_is_none_is_refused(rate: object) -> None:
    async def story(recorded: Recorded) -> None:
        with pytest.raises(BadRequest):
            await recorded.worker.set_rate({"ops_per_sec": rate})
        with pytest.raises(BadRequest):
            await recorded.worker.start({"source": to_body(source(STEADY)), "rate": rate})

    with_worker(story)


def test_a_source_that_is_none_is_refused() -> None:
    async def story(recorded: Recorded) -> None:
        for args in ({}, {"source": None}, {"source": {"command": "x"}}):
            with pytest.raises(BadRequest):
                await recorded.worker.start(args)
        strange = to_body(source(STEADY, line_format="morse"))
        with pytest.raises(BadRequest, match="morse"):
            await recorded.worker.start({"source": strange})

    with_worker(story)


def test_lines_are_cut_at_64_kib_and_a_last_line_needs_no_end() -> None:
    async def play() -> list[str]:
        lines: list[str] = []
        program = "import sys; sys.stdout.write('a' * 200_000 + '\\n' + 'b' * 10)"
        process = LoadProcess([sys.executable, "-c", program], lines.append, lambda: None)
        await process.start()
        assert await process.listen() == 0
        return lines

    lines = asyncio.run(play())
    assert all(len(line) <= 65_536 for line in lines)
    assert lines[0] == "a" * 65_536
    assert lines[-1] == "b" * 10


def test_a_load_that_ignores_term_is_killed() -> None:
    async def play() -> int | None:
        program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
        process = LoadProcess([sys.executable, "-c", program + "time.sleep(60)"], lambda _line: None, lambda: None)
        await process.start()
        listening = asyncio.create_task(process.listen())
        await process.spoke.wait()
        await process.stop(timeout_s=0.1)
        return await listening

    assert asyncio.run(play()) == -signal.SIGKILL


def test_the_load_dies_with_its_worker() -> None:
    program = """
import asyncio, sys
from operatord.workers.ycsb.source import LoadProcess

async def main():
    told = lambda line: print(process.pid, flush=True)
    load = "import time; print('here', flush=True); time.sleep(600)"
    process = LoadProcess([sys.executable, "-c", load], told, lambda: None)
    await process.start()
    await process.listen()

asyncio.run(main())
"""
    worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    load_pid = int(worker.stdout.readline())
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert gone(load_pid)


def test_restarts_come_ever_more_slowly_up_to_a_limit() -> None:
    assert [restart_delay_s(failures) for failures in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]


def test_an_end_is_told_in_words() -> None:
    assert [how_it_ended(status) for status in (0, 1, -9, -64)] == [
        "exit code 0",
        "exit code 1",
        "killed by SIGKILL",
        "killed by SIGRTMAX",
    ]


class Context:
    """A worker's line to the daemon, without a daemon at the other end."""

    def __init__(self, configuration: Body) -> None:
        self.name = "ycsb"
        self.published: list[tuple[str, Body]] = []
        self.handlers: dict[str, Handler] = {}
        self.is_ready = asyncio.Event()
        self.reconfigure: Callable[[Mapping[str, Any]], None] = lambda _configuration: None
        self._configuration = configuration

    def publish(self, topic: str, body: Body) -> None:
        self.published.append((topic, body))

    def handle(self, cmd: str, handler: Handler) -> None:
        self.handlers[cmd] = handler

    async def configured(self) -> Body:
        return self._configuration

    def on_configure(self, callback: Callable[[Mapping[str, Any]], None]) -> None:
        self.reconfigure = callback

    def ready(self) -> None:
        self.is_ready.set()


def test_the_worker_starts_the_load_it_is_configured_with_and_ends_it_when_cancelled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def play() -> int:
        context = Context({"source": to_body(source(STEADY))})
        work = asyncio.create_task(main(context))  # type: ignore[arg-type]  # what it uses of a WorkerContext is there
        async with asyncio.timeout(DEADLINE_S):
            await context.is_ready.wait()
            while len(context.published) < 3:
                await asyncio.sleep(0.01)
            assert (await context.handlers["status"]({}))["running"] is True
            context.reconfigure({"source": None})
            while (await context.handlers["status"]({}))["running"]:
                await asyncio.sleep(0.01)
            await context.handlers["start"]({"source": to_body(source(STEADY)), "rate": None})
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        return len(context.published)

    assert asyncio.run(play()) >= 3
    assert "x 1 sec: 100 operations;" in capsys.readouterr().out


def test_a_defect_while_listening_ends_the_worker_instead_of_leaving_the_load_unheard() -> None:
    class Full(Context):
        def publish(self, topic: str, body: Body) -> None:
            raise BufferError("no room")

    async def play() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main(Full({"source": to_body(source(STEADY))}))  # type: ignore[arg-type]  # as above

    with pytest.raises(BufferError):
        asyncio.run(play())


def test_a_worker_without_a_source_is_ready_and_idle() -> None:
    async def play() -> None:
        context = Context({"source": None})
        work = asyncio.create_task(main(context))  # type: ignore[arg-type]  # as above
        async with asyncio.timeout(DEADLINE_S):
            await context.is_ready.wait()
        assert set(context.handlers) == {"start", "stop", "rate", "disturbed", "status"}
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(play())
