"""What stands before all routes: Host, rate, Origin, size and time of the body; and the headers of every answer.

Plain ASGI: Starlette's own middleware class would put a queue between a stream and its browser.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from operator_clients.web.connections import CROWDED, TOO_MANY
from operator_clients.web.errors import ApiError, document
from operator_clients.web.headers import HSTS, NO_STORE, SECURITY_HEADERS
from operator_clients.web.health import PROBES
from operator_clients.web.security.hosts import is_host_allowed, is_origin_allowed
from operator_clients.web.security.rates import RateLimit
from operator_clients.web.settings import LimitsSection, Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_DIGITS = 18
"""Of a length that is a length."""
_STOPPING = ("stopping", "the gateway stops", "ask again when it is back")
_DEFECT = ("internal", "the gateway failed", "a defect; its log has the traceback")


class Guard:
    """Wraps an ASGI application."""

    def __init__(
        self, app: "ASGIApp", settings: Settings, answered: Callable[[Mapping[str, Any], int, float], None]
    ) -> None:
        """``answered`` is told of each answer: the scope, its status, and the seconds that it took."""
        self._app = app
        self._settings = settings
        self._answered = answered
        self._always = (*SECURITY_HEADERS, NO_STORE, *((HSTS,) if settings.tls else ()))
        self._rate = RateLimit(settings.limits.requests_per_s, settings.limits.burst)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        sender = _Sender(send, self._always)
        began = time.perf_counter()
        try:
            self._check(scope, headers)
            takes_body = scope["method"] not in _BODILESS
            bounded = _Bounded(receive, self._settings.limits, takes_body=takes_body)
            await self._app(scope, bounded, sender)
        except ApiError as error:
            answer = JSONResponse(document(error.word, error.message, error.hint), error.status, error.headers)
            await answer(scope, receive, sender)
        except asyncio.CancelledError:
            # The server's, when it stops and this takes too long; it would say 500, and log a defect.
            if not sender.status:
                await JSONResponse(document(*_STOPPING), 503)(scope, receive, sender)
        except Exception:
            # Starlette would answer outside of the guard, without its headers; so the server's log has the traceback.
            if not sender.status:
                await JSONResponse(document(*_DEFECT), 500)(scope, receive, sender)
            raise
        finally:
            self._answered(scope, sender.status, time.perf_counter() - began)

    def _check(self, scope: "Scope", headers: Mapping[str, str]) -> None:
        settings = self._settings
        # A probe calls it by its address, and one that were told to come back later would take it out of service.
        if not (scope["path"] in PROBES and scope["method"] == "GET"):
            if CROWDED in scope.get("state", ()):
                raise ApiError(503, *TOO_MANY, {"Connection": "close"})
            if not is_host_allowed(headers.get("host", ""), settings.known_hosts):
                raise ApiError(421, "wrong_host", "this gateway has no such name", "start it with --allow-host NAME")
            client = (scope.get("client") or ("", 0))[0]
            if (wait_s := self._rate.take(client)) > 0:
                raise ApiError(429, "too_many_requests", "too many requests", "", {"Retry-After": str(int(wait_s) + 1)})
        secure = settings.tls or (settings.behind_proxy and scope.get("scheme") == "https")
        proxied = settings.allow_hosts if settings.behind_proxy else ()
        if not is_origin_allowed(scope["method"], headers, secure=secure, proxied=proxied):
            raise ApiError(403, "wrong_origin", "a page of another origin may not do this", "open the console itself")
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > _DIGITS or int(declared) > settings.limits.body_bytes:
            raise _too_large(settings.limits.body_bytes)


class _Sender:
    """``send`` that puts the headers of every answer on this one."""

    def __init__(self, send: "Send", always: Iterable[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._always = always
        self.status = 0
        """Of the answer; 0 before it began."""

    async def __call__(self, message: "Message") -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = list(message.get("headers", ()))
            named = {name.lower() for name, _ in own}
            message = {**message, "headers": [*own, *(one for one in self._always if one[0] not in named)]}
        await self._send(message)


class _Bounded:
    """``receive`` that gives up on a body that is longer than it said, or that said nothing, or does not come."""

    def __init__(self, receive: "Receive", limits: LimitsSection, *, takes_body: bool) -> None:
        self._receive = receive
        self._limit = limits.body_bytes
        self._takes_body = takes_body
        self._until = asyncio.get_running_loop().time() + limits.request_s
        self._more = True
        self._taken = 0

    async def __call__(self) -> "Message":
        message = await self._in_time() if self._takes_body and self._more else await self._receive()
        if message["type"] == "http.request":
            self._more = message.get("more_body", False)
            self._taken += len(message.get("body", b""))
            if self._taken > self._limit:
                if not self._takes_body:
                    # Only a stream looks here, for the end of its connection; of an error it could make no answer.
                    return {"type": "http.disconnect"}
                # FastAPI reads the body, and lets no other error through from there.
                raise HTTPException(413, f"the body is over {self._limit} bytes", {"Connection": "close"})
        return message

    async def _in_time(self) -> "Message":
        try:
            async with asyncio.timeout_at(self._until):
                return await self._receive()
        except TimeoutError:
            raise HTTPException(408, "the body did not come in time", {"Connection": "close"}) from None


def _too_large(limit_bytes: int) -> ApiError:
    return ApiError(413, "too_large", f"the body is over {limit_bytes} bytes", "", {"Connection": "close"})
