"""Where the frames come from, each in a process of its own: ``python -m tests.bench.bus_sources KIND ADDRESS...``.

``worker INGEST`` is a worker of the daemon: the runtime of all workers, and frames through ``publish``. ``raw OUT`` is
the peer: a plain PUB that sends the same three parts. ``hop IN OUT`` sends on, part by part, what comes from a ``raw``:
what any broker in Python costs at the least.

A source reads rounds from its stdin, a line each: ``ROUND COUNT RATE``. It sends that many frames, so many a second
(0: as fast as it can), and one that ends the round. The body of each tells when it was handed over, on the monotonic
clock, which is the same for all processes. It ends with its stdin.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import zmq

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import Body, pack
from operator_protocol.frames import Header
from operatord.workers import runtime

FRAME = "bench.frame"
END = "bench.end"
WORKER = "bench"
_NOTE = "x" * 60
"""As long as what a workload sample says besides."""
_BATCH = 500
"""Frames between two looks at the other things that a worker has to do."""


def body(number: int, at: float) -> Body:
    """What a frame of round ``number`` carries that was handed over at ``at``."""
    return {
        "round": number,
        "at": at,
        "ops_per_sec": 2000.0,
        "errors_per_sec": 0.0,
        "degraded": False,
        "operations": 20_000,
        "note": _NOTE,
    }


def wait_until(due: float) -> None:
    """Sleep, since an event loop's timers are no finer than a millisecond."""
    if (left_s := due - time.monotonic()) > 0:
        time.sleep(left_s)


async def main(ctx: runtime.WorkerContext) -> None:
    """The worker."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    ctx.ready()
    while line := await lines.readline():
        number, count, rate = _round(line)
        publish, now = ctx.publish, time.monotonic
        constant, began = body(number, 0.0), now()
        for sent in range(count):
            if rate:
                wait_until(began + sent / rate)
                constant["at"] = now()
            publish(FRAME, constant)
            if sent % _BATCH == _BATCH - 1:
                await asyncio.sleep(0)
        publish(END, body(number, now()))


def _raw(address: str) -> None:
    socket = _socket(zmq.PUB)
    socket.bind(address)
    header = pack(list(Header(PROTOCOL_VERSION, os.urandom(8).hex(), 1, 1, time.time(), time.monotonic(), WORKER)))
    topic = FRAME.encode()
    for line in sys.stdin.buffer:
        number, count, rate = _round(line)
        packed, began = pack(body(number, 0.0)), time.monotonic()
        for sent in range(count):
            if rate:
                wait_until(began + sent / rate)
                packed = pack(body(number, time.monotonic()))
            socket.send_multipart([topic, header, packed])
        socket.send_multipart([END.encode(), header, pack(body(number, time.monotonic()))])


def _hop(source: str, address: str) -> None:
    incoming, outgoing = _socket(zmq.SUB), _socket(zmq.PUB)
    incoming.setsockopt(zmq.SUBSCRIBE, b"")
    incoming.connect(source)
    outgoing.bind(address)
    while True:
        outgoing.send_multipart(incoming.recv_multipart())


def _worker(address: str) -> None:
    runtime.run({"name": WORKER, "module": __spec__.name, "ingest": address})


def _round(line: bytes) -> tuple[int, int, float]:
    number, count, rate = line.split()
    return int(number), int(count), float(rate)


def _socket(kind: int) -> "zmq.Socket[bytes]":
    """Without high-water marks: a peer of ours loses nothing."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(kind)
    for option in (zmq.SNDHWM, zmq.RCVHWM, zmq.LINGER):
        socket.setsockopt(option, 0)
    return socket


_KINDS: dict[str, Callable[..., Any]] = {"worker": _worker, "raw": _raw, "hop": _hop}

if __name__ == "__main__":
    _KINDS[sys.argv[1]](*sys.argv[2:])
