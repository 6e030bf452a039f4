"""A line between a daemon's frames and a client that loses what a test tells it to, and nothing else."""

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import zmq

from operator_protocol.endpoint import Endpoint


class LossyLine:
    """Forwards frames down and subscriptions up; ``endpoint`` is the daemon's but for its frames."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint._replace(frames=endpoint.frames.replace("frames.sock", "lossy.sock"))
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._up = self._context.socket(zmq.XSUB)
        self._down = self._context.socket(zmq.XPUB)
        for socket in (self._up, self._down):
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.SNDHWM, 0)
            socket.setsockopt(zmq.RCVHWM, 0)
        self._down.setsockopt(zmq.XPUB_VERBOSER, 1)
        self._up.connect(endpoint.frames)
        self._down.bind(self.endpoint.frames)
        self._to_lose: Counter[str] = Counter()
        self._running = True
        self._thread = threading.Thread(target=self._forward, name="lossy line")

    def lose(self, topic: str, count: int = 1) -> None:
        """Have the next ``count`` frames of ``topic`` lost."""
        self._to_lose[topic] += count

    def wait_lost(self) -> None:
        """Wait until all of them are."""
        until = time.monotonic() + 30
        while self._to_lose.total():
            assert time.monotonic() < until, f"never came by: {self._to_lose}"
            time.sleep(0.005)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._running = False
        self._thread.join(5)
        self._up.close()
        self._down.close()
        self._context.term()

    def _forward(self) -> None:
        poller = zmq.Poller()
        poller.register(self._up, zmq.POLLIN)
        poller.register(self._down, zmq.POLLIN)
        while self._running:
            ready = dict(poller.poll(20))
            if self._up in ready:
                parts = self._up.recv_multipart()
                topic = parts[0].decode()
                if self._to_lose[topic]:
                    self._to_lose[topic] -= 1
                else:
                    self._down.send_multipart(parts)
            if self._down in ready:
                self._up.send_multipart(self._down.recv_multipart())
