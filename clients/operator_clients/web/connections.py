"""How many connections there may be, and how long one may keep what it owes: a whole request, or to read its answer.

Uvicorn closes those that are idle between requests. It waits for ever for the rest of a request, and for a client that
reads no further, and it takes as many as come. Here both are bounded. When there are too many, the one goes that has
waited longest for its next request to be whole: a thousand that say nothing keep nobody out. Only where all the others
are being answered, the new one is refused, and the guard does that: it lets probes through.
"""

import asyncio
import resource
from typing import Any

import h11
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from operator_clients.web.errors import document
from operator_clients.web.headers import NO_STORE, SECURITY_HEADERS
from operator_clients.web.settings import LimitsSection

CROWDED = "operator.crowded"
"""In the state of a scope: this connection is one too many."""
TOO_MANY = ("too_many_connections", "this gateway has as many connections as it takes", "close some pages")
_TOO_SLOW = ("request_timeout", "the request did not come in time")
_STALLED_S = 60.0
"""An answer of which nothing is read for so long is given up; a page opens its stream again by itself."""
_OWN_FILES = 128
"""Descriptors for all else."""


def room_for(connections: int) -> int:
    """How many of them there are descriptors for; the limit of the process is raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft - _OWN_FILES))


class BoundedProtocol(H11Protocol):
    """One connection; ``limits`` are those of the gateway, the rest is what uvicorn gives each."""

    def __init__(self, *, limits: LimitsSection, **of_server: Any) -> None:
        super().__init__(**of_server)
        self._limits = limits
        self.waiting_since = 0.0
        """In time of the loop, of one that ``waits``."""
        self._begun = False
        """Something of the next request has come."""
        self._request_timer: asyncio.TimerHandle | None = None
        self._stalled_timer: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """For a request, or the rest of one; otherwise it is answering."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says that there always is one
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take it, if need be in place of another."""
        super().connection_made(transport)
        self.waiting_since = self.loop.time()
        self._expect_request()
        if len(self.connections) <= self._limits.connections:
            return
        others = (one for one in self.connections if isinstance(one, BoundedProtocol) and one is not self and one.waits)
        if longest := min(others, key=lambda one: one.waiting_since, default=None):
            longest.end(503, TOO_MANY)
        else:
            self.app_state = {**self.app_state, CROWDED: True}

    def data_received(self, data: bytes) -> None:
        """Some bytes; the time for a request begins with its first, and not again with each."""
        self._begun = True
        super().data_received(data)
        self._expect_request()

    def on_response_complete(self) -> None:
        """Idle until the next request begins; for that uvicorn has a time-out."""
        self.waiting_since = self.loop.time()
        self._begun = False
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        _cancel(self._request_timer)
        _cancel(self._stalled_timer)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._stalled_timer = self.loop.call_later(_STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        _cancel(self._stalled_timer)
        super().resume_writing()

    def _expect_request(self) -> None:
        if not self.waits or self.transport.is_closing():
            _cancel(self._request_timer)
            self._request_timer = None
        elif self._request_timer is None:
            self._request_timer = self.loop.call_later(self._limits.request_s, self._too_slow)

    def _too_slow(self) -> None:
        if self._begun:
            self.end(408, _TOO_SLOW)
        else:
            # A browser that opened it in case it would need it; it would take words for the answer to something.
            self.transport.close()

    def end(self, status: int, why: tuple[str, ...]) -> None:
        """Close it; say why, unless it is in the middle of something."""
        self.connections.discard(self)
        if self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            answer = JSONResponse(document(*why), status, {"Connection": "close", "Retry-After": "1"})
            headers = [*answer.raw_headers, *SECURITY_HEADERS, NO_STORE]
            start = h11.Response(status_code=status, headers=headers)
            for event in (start, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
