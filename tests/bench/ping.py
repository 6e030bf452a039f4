"""A command there and back on a connection that is kept, beside circus, and while frames pass."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import zmq

from operator_protocol.requests import Requester

from .buses import Buses, begin_round, end_round, in_turns, percentile, warm_up
from .clusterwatch import Unexpected
from .figures import Figure
from .peers import circus_endpoint, circusd
from .registry import Bench, Benchmark

TARGET_TO_CIRCUS = 1.5
TARGET_LOADED_US = 2_000.0
RATE = 10_000.0
_COMMANDS = 500
"""Of a round."""
_LOADED_S = 3.0
_PAUSE_S = 0.002
_DEADLINE_MS = 5_000
_OURS, _CIRCUS = "ping", "circus status"


def run(bench: Bench) -> list[Figure]:
    """First a whole daemon that nothing happens on, then its bus with ten thousand frames a second."""
    return [*_beside_circus(bench), *_while_frames_pass(bench)]


def _beside_circus(bench: Bench) -> list[Figure]:
    rounds: dict[str, list[float]] = {_OURS: [], _CIRCUS: []}
    endpoint, directory = bench.daemon().endpoint, bench.directory()
    with (
        circusd(directory),
        Requester(endpoint, actor="bench") as requester,
        _circus_status(circus_endpoint(directory)) as status,
    ):
        commands: dict[str, Callable[[], object]] = {_OURS: lambda: requester.command("ping"), _CIRCUS: status}
        for command in commands.values():
            _round_us(command, _COMMANDS // 5)
        for name in in_turns(bench.rounds(7, 2), list(commands)):
            rounds[name].append(percentile(_round_us(commands[name], _COMMANDS), 50))
    ratios = [ours / theirs for ours, theirs in zip(rounds[_OURS], rounds[_CIRCUS], strict=True)]
    return [
        Figure("ping.p50", "us", rounds[_OURS], peers={_CIRCUS: rounds[_CIRCUS]}, note="of the real daemon"),
        Figure("ping.ratio", "x", ratios, target=TARGET_TO_CIRCUS, note="ours to circus"),
    ]


def _while_frames_pass(bench: Bench) -> list[Figure]:
    p50_us: list[float] = []
    p99_us: list[float] = []
    lost: list[float] = []
    frames = int(RATE * _LOADED_S)
    with Buses(bench.directory()) as buses, Requester(endpoint := buses.bus(), actor="bench") as requester:
        worker, reader = buses.source("worker", endpoint.ingest), buses.reader("count", endpoint.frames)
        warm_up(worker, [reader])
        for _ in range(bench.rounds(3, 1)):
            number = begin_round(worker, frames, RATE)
            taken_us: list[float] = []
            # The first and the last tenth are left out: there the frames may not pass yet, or no more.
            time.sleep(_LOADED_S / 10)
            until = time.monotonic() + _LOADED_S * 0.8
            while time.monotonic() < until:
                taken_us += _round_us(lambda: requester.command("ping"), 1)
                time.sleep(_PAUSE_S)
            (told,) = end_round(number, [reader], 10)
            lost.append(frames - told["count"])
            rates = told["count"] / (told["ended"] - told["began"])
            if rates < RATE * 0.9:
                raise Unexpected(f"{rates:.0f} frames/s passed instead of {RATE:g}")
            p50_us.append(percentile(taken_us, 50))
            p99_us.append(percentile(taken_us, 99))
    note = f"while {RATE:,.0f} frames/s pass, journal on"
    return [
        Figure("ping.loaded.p50", "us", p50_us, note=note),
        Figure("ping.loaded.p99", "us", p99_us, target=TARGET_LOADED_US, note=note),
        Figure("ping.loaded.lost", "frames", lost, target=0),
    ]


def _round_us(command: Callable[[], object], count: int) -> list[float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        command()
        taken.append((time.perf_counter() - began) * 1e6)
    return taken


@contextmanager
def _circus_status(endpoint: str) -> Iterator[Callable[[], object]]:
    """What ``circus.client.CircusClient`` does for ``status``, without its imports."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)

    def ask() -> object:
        call_id = uuid.uuid4().hex
        socket.send(json.dumps({"command": "status", "properties": {}, "id": call_id}).encode())
        while poller.poll(_DEADLINE_MS):
            reply = json.loads(socket.recv())
            if reply.get("id") == call_id:
                return reply
        raise Unexpected("circus does not answer")

    try:
        yield ask
    finally:
        context.destroy(linger=0)


BENCHMARK = Benchmark("ping", "a command there and back, beside circus, and while frames pass", run)
