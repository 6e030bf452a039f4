"""Who receives the frames, each in a process of its own: ``python -m tests.bench.bus_readers KIND ...``.

``count ADDRESS...`` counts what arrives. ``delay ADDRESS`` receives likewise and notes how old each frame is;
``follow DIRECTORY`` does so with the client library. ``crowd DIRECTORY SUBSCRIBERS`` is many that read. At the end of
each round a reader prints one line of JSON with what it saw.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from operator_protocol.codec import unpack
from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.events import FrameSeen
from operator_protocol.follow import Follower
from operator_protocol.link import RECEIVE_HWM

from .bus_sources import END, FRAME

_END = END.encode()
_DONTWAIT = int(zmq.DONTWAIT)
_TURN = 200
_SILENCE_MS = 3_000
"""Who hears nothing for so long has lost the end of the round."""


def _count(*addresses: str) -> None:
    """All addresses at one socket: only one of them has something to say at a time."""
    socket = _subscriber(zmq.Context(), *addresses)
    socket.setsockopt(zmq.RCVTIMEO, _SILENCE_MS)
    receive = socket.recv_multipart
    while True:
        socket.poll()
        topic, _, last = receive()
        began, count = time.monotonic(), int(topic != _END)
        silent_s = 0.0
        while topic != _END:
            try:
                topic, _, last = receive()
            except zmq.Again:
                silent_s = _SILENCE_MS / 1000
                break
            count += topic != _END
        ended = time.monotonic() - silent_s
        _say({"round": unpack(last)["round"], "count": count, "began": began, "ended": ended})


def _delay(address: str) -> None:
    receive = _subscriber(zmq.Context(), address).recv_multipart
    delays: list[float] = []
    while True:
        topic, _, body = receive()
        at = time.monotonic()
        told = unpack(body)
        if topic == _END:
            _say({"round": told["round"], "delays": delays})
            delays = []
        else:
            delays.append(at - told["at"])


def _follow(directory: str) -> None:
    delays: list[float] = []
    with Follower(runtime_endpoint(Path(directory)), actor="bench") as follower:
        follower.join(10)
        _say({"round": 0})
        while True:
            for event in follower.poll(1):
                at = time.monotonic()
                if not isinstance(event, FrameSeen):
                    continue
                if event.frame.topic == FRAME:
                    delays.append(at - event.frame.body["at"])
                elif event.frame.topic == END:
                    _say({"round": event.frame.body["round"], "delays": delays})
                    delays = []


def _crowd(directory: str, count: str) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    poller = zmq.Poller()
    subscribers = [_subscriber(context, runtime_endpoint(Path(directory)).frames) for _ in range(int(count))]
    for subscriber in subscribers:
        poller.register(subscriber, zmq.POLLIN)
    while True:
        received = dict.fromkeys(subscribers, 0)
        reading, number = set(subscribers), 0
        poller.poll()
        began = time.monotonic()
        while reading and (ready := poller.poll(_SILENCE_MS)):
            for subscriber, _ in ready:
                assert isinstance(subscriber, zmq.Socket)
                # Not for as long as there is something: the others are due as well.
                for _ in range(_TURN):
                    try:
                        topic, _, body = subscriber.recv_multipart(_DONTWAIT)
                    except zmq.Again:
                        break
                    if topic == _END:
                        number = unpack(body)["round"]
                        reading.discard(subscriber)
                    else:
                        received[subscriber] += 1
        _say({"round": number, "received": list(received.values()), "began": began, "ended": time.monotonic()})


def _subscriber(context: "zmq.Context[zmq.Socket[bytes]]", *addresses: str) -> "zmq.Socket[bytes]":
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, RECEIVE_HWM)
    socket.setsockopt(zmq.SUBSCRIBE, b"bench.")
    for address in addresses:
        socket.connect(address)
    return socket


def _say(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


_KINDS: dict[str, Callable[..., None]] = {"count": _count, "delay": _delay, "follow": _follow, "crowd": _crowd}

if __name__ == "__main__":
    _KINDS[sys.argv[1]](*sys.argv[2:])
