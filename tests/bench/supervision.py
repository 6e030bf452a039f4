"""Deaths, and what supervision costs while nobody dies."""

import contextlib
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.follow import Follower
from operator_protocol.models import ProcessState
from operatord import procfs
from operatord.processes.usage import UsageSampler
from operatord.procfs import ProcessId

from .clusterwatch import Unexpected, follow_for, wait_for, whole
from .figures import Figure
from .peers import Peer, circusd, supervisord
from .registry import Bench, Benchmark
from .supervision_process import PLAIN, WORKER, plain_command

_GAP_S = 0.3
"""Between two deaths: the one before is over, and a worker has been forked ahead."""
_PEER_GAP_S = 1.5
"""supervisord counts a child as started after ``startsecs``, 1 s."""
_RESTART_S = 30.0
_SETTLED_S = 5.0


def run(bench: Bench) -> list[Figure]:
    """First the table with next to nothing in it, beside peers; then a whole daemon that has nothing to do."""
    figures = _deaths(bench)
    with bench.stopped_daemon() as daemon:
        daemon.start()
        with Follower(daemon.endpoint, actor="bench") as follower:
            follower.join(10)
            wait_for(follower, whole, "a whole system")
        family = _family(daemon.keeper)
        figures += _idle(family, seconds=30 if not bench.quick else 5)
        figures.append(_usage(family, rounds=bench.rounds(200, 20)))
    figures.append(Figure("supervision.stop", "s", [_stop(bench) for _ in range(bench.rounds(5, 1))], target=2.0))
    return figures


# ------------------------------------------------------------------------------------------------------------- deaths


def _deaths(bench: Bench) -> list[Figure]:
    rounds = bench.rounds(50, 5)
    with contextlib.ExitStack() as running:
        peers = [
            running.enter_context(supervisord(bench.directory())),
            running.enter_context(circusd(bench.directory())),
        ]
        told: dict[str, list[float]] = {}
        for peer in peers:
            for _ in range(bench.rounds(4, 1)):
                time.sleep(_PEER_GAP_S)
                told.setdefault(peer.name, []).append(_kill_child(peer) * 1000)
    frames, ready, execed = _ours(bench, rounds)
    bare = _bare_loop(bench, rounds)
    ratio = statistics.median(execed) / statistics.median(bare)
    return [
        Figure("supervision.worker", "ms", ready, target=5.0, peers=told, note="kill -9 to ready at a client"),
        Figure("supervision.frame.p99", "ms", [_p99(frames)], target=5.0, note=f"of {len(frames)}"),
        Figure("supervision.exec", "ms", execed, peers={"fork+exec": bare, **told}, note="kill -9 to its first word"),
        Figure("supervision.exec.ratio", "of fork+exec", [ratio], target=1.5),
    ]


def _ours(bench: Bench, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """From the death of the worker to the first frame and to ready, and from that of the exec'd one to its word."""
    directory = bench.directory()
    with _fifo(directory) as fifo, _supervision(directory, fifo) as follower:
        await_word, pid = _words(fifo), 0
        wait_for(follower, lambda state: _is_ready(state.processes.get(WORKER)), "the worker")
        wait_for(follower, lambda state: _is_ready(state.processes.get(PLAIN)), "the exec'd process")
        pid, _ = await_word()
        frames: list[float] = []
        ready: list[float] = []
        execed: list[float] = []
        for _ in range(rounds):
            follow_for(follower, _GAP_S)
            to_frame, to_ready = _kill_worker(follower)
            frames.append(to_frame * 1000)
            ready.append(to_ready * 1000)
            follow_for(follower, _GAP_S)
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            pid, at = await_word()
            execed.append((at - began) * 1000)
        return frames, ready, execed


def _kill_worker(follower: Follower) -> tuple[float, float]:
    before = follower.state.processes[WORKER].pid
    if before is None:
        raise Unexpected("the worker has no process")
    to_frame = 0.0
    began = time.monotonic()
    os.kill(before, signal.SIGKILL)
    while time.monotonic() < began + _RESTART_S:
        follower.poll(0.25)
        now = follower.state.processes[WORKER]
        if not to_frame and (now.state != "ready" or now.pid != before):
            to_frame = time.monotonic() - began
        if _is_ready(now) and now.pid != before:
            return to_frame, time.monotonic() - began
    raise Unexpected(f"the worker is not ready again after {_RESTART_S:g} s")


def _bare_loop(bench: Bench, rounds: int) -> list[float]:
    """What nobody can be faster than: wait for the child, fork and exec the next one."""
    samples: list[float] = []
    with _fifo(bench.directory()) as fifo:
        await_word = _words(fifo)
        command = plain_command(str(fifo))
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            await_word()
            for _ in range(rounds):
                time.sleep(_GAP_S)
                began = time.monotonic()
                os.kill(child.pid, signal.SIGKILL)
                child.wait()
                child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
                samples.append((await_word()[1] - began) * 1000)
        finally:
            child.kill()
            child.wait()
    return samples


@contextlib.contextmanager
def _fifo(directory: Path) -> Iterator[Path]:
    path = directory / "words"
    os.mkfifo(path, 0o600)
    yield path


def _words(fifo: Path) -> Callable[[], tuple[int, float]]:
    """A function that waits for the next pid; open for writing as well, so that there is no end of file between two."""
    fd = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)

    def word() -> tuple[int, float]:
        said = os.read(fd, 4096)
        return int(said.split()[-1]), time.monotonic()

    return word


@contextlib.contextmanager
def _supervision(directory: Path, fifo: Path) -> Iterator[Follower]:
    command = [sys.executable, "-m", "tests.bench.supervision_process", str(directory), str(fifo)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            with Follower(runtime_endpoint(directory), actor="bench") as follower:
                follower.join(20)
                yield follower
        finally:
            process.terminate()


def _kill_child(peer: Peer) -> float:
    began = time.monotonic()
    os.kill(peer.child_pid, signal.SIGKILL)
    return peer.await_child(_RESTART_S) - began


def _is_ready(process: ProcessState | None) -> bool:
    return process is not None and process.state == "ready"


def _p99(samples: Sequence[float]) -> float:
    return sorted(samples)[math.ceil(0.99 * len(samples)) - 1]


# --------------------------------------------------------------------------------------------------------------- idle


def _family(keeper: int) -> list[psutil.Process]:
    """Keeper, daemon, fork server, spare and workers; the subject's servers are what they work for, and not counted."""
    parent = psutil.Process(keeper)
    family = [parent, *parent.children(recursive=True)]
    return [one for one in family if not one.name().startswith("valkey")]


def _idle(family: Sequence[psutil.Process], *, seconds: float) -> list[Figure]:
    time.sleep(_SETTLED_S)
    before, began = [_cpu_s(one.pid) for one in family], time.monotonic()
    time.sleep(seconds)
    used, took_s = [_cpu_s(one.pid) for one in family], time.monotonic() - began
    percent = 100 * (sum(used) - sum(before)) / took_s
    pss = {one.name(): one.memory_full_info().pss / (1 << 20) for one in family}
    note = ", ".join(f"{name} {size:.0f}" for name, size in pss.items())
    return [
        Figure(
            "supervision.idle", "% of a core", [percent], target=3.0, note=f"over {took_s:.0f} s, six nodes watched"
        ),
        Figure("supervision.memory", "MiB", [sum(pss.values())], target=150.0, note=f"PSS: {note}"),
    ]


def _cpu_s(pid: int) -> float:
    """Processor time to the nanosecond, all threads: the ticks of ``stat`` are too coarse for what hardly runs."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def _usage(family: Sequence[psutil.Process], *, rounds: int) -> Figure:
    """The figures of one process: processor, memory, descriptors, threads."""
    ids = [ProcessId(one.pid, procfs.start_time(one.pid) or 0) for one in family]
    sampler = UsageSampler()

    def with_psutil() -> None:
        for one in family:
            with one.oneshot():
                one.cpu_percent(None)
                one.memory_info()
                one.num_fds()
                one.num_threads()

    ours = [_timed_us(lambda: sampler.sample(ids)) / len(ids) for _ in range(rounds)]
    theirs = [_timed_us(with_psutil) / len(ids) for _ in range(rounds)]
    return Figure("supervision.usage", "µs", ours, peers={"psutil": theirs}, note="per process, once a second")


def _timed_us(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e6


def _stop(bench: Bench) -> float:
    """``operatord stop``, from its launch to its end, when nothing is left."""
    with bench.stopped_daemon() as daemon:
        daemon.start()
        began = time.monotonic()
        daemon.stop()
        return time.monotonic() - began


BENCHMARK = Benchmark(
    "supervision", "deaths to running again, beside peers and a bare fork+exec; an idle daemon's share; stop", run
)
