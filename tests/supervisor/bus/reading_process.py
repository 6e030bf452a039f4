"""Many subscribers in one process: ``python -m ... DIRECTORY COUNT``.

Reads until each has seen a frame on ``the.end``, and prints how many frames each got at least, and how many were lost.
"""

import json
import sys

import msgpack
import zmq

from operator_protocol.endpoint import runtime_endpoint

_DONTWAIT = int(zmq.DONTWAIT)


def main(directory: str, count: int) -> None:
    """Subscribe to everything, say so, and read."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    poller = zmq.Poller()
    last: dict[zmq.Socket[bytes], int] = {}
    received: dict[zmq.Socket[bytes], int] = {}
    for _ in range(count):
        socket = context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, 50_000)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(runtime_endpoint(directory).frames)
        poller.register(socket, zmq.POLLIN)
        received[socket] = 0
    reading, lost, unpack = set(received), 0, msgpack.unpackb
    while reading:
        for socket, _ in poller.poll():
            assert isinstance(socket, zmq.Socket)
            # Not for as long as there is something: the others are due as well.
            for _ in range(200):
                try:
                    topic = socket.recv(_DONTWAIT)
                except zmq.Again:
                    break
                seq = unpack(socket.recv())[2]
                socket.recv()
                lost += seq - last.get(socket, seq - 1) - 1
                last[socket] = seq
                received[socket] += 1
                if topic == b"the.end":
                    reading.discard(socket)
    print(json.dumps({"received": min(received.values()), "lost": lost}), flush=True)
    context.destroy(linger=0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
