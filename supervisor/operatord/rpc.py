"""Requests and replies between the daemon and a worker: the same on both ends of the ingest line."""

import asyncio
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from operator_protocol.codec import Body, pack
from operator_protocol.errors import (
    DeadlineExceeded,
    InternalError,
    OperatorError,
    Unavailable,
    UnknownCommand,
    error_from_wire,
)
from operator_protocol.requests import new_id
from operatord.subjects.base import Handler


def worker_identity(name: str, secret: str, pid: int) -> bytes:
    """How a worker names itself on the ingest line: what it is, what the daemon told it, and which process it is."""
    return f"{name}/{secret}/{pid}".encode("ascii")


class PendingRequests:
    """What was asked of peers and is not answered yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[str, asyncio.Future[Body]]] = {}

    async def ask(
        self, peer: str, cmd: str, args: Mapping[str, Any], *, send: Callable[[bytes], bool], timeout_s: float
    ) -> Body:
        """Send a request and wait for its reply.

        Raises the peer's typed error, ``Unavailable`` when it takes no requests or dies, ``DeadlineExceeded``.
        """
        request_id = new_id()
        future: asyncio.Future[Body] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = (peer, future)
        try:
            if not send(pack({"id": request_id, "cmd": cmd, "args": dict(args)})):
                raise Unavailable(f"{peer} does not take requests", "it restarts by itself; try again")
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise DeadlineExceeded(f"{peer} did not answer {cmd} within {timeout_s:g} s") from None
        finally:
            self._waiting.pop(request_id, None)

    def settle(self, reply: Body) -> None:
        """Take in a reply; one that nobody waits for any more is ignored."""
        _, future = self._waiting.get(str(reply.get("id")), ("", None))
        if future is None or future.done():
            return
        if reply.get("ok") is True:
            result = reply.get("result")
            future.set_result(result if isinstance(result, dict) else {})
        else:
            error = reply.get("error")
            future.set_exception(error_from_wire(error if isinstance(error, dict) else {}))

    def fail(self, peer: str, reason: str) -> None:
        """Fail everything that was asked of ``peer``."""
        for name, future in list(self._waiting.values()):
            if name == peer and not future.done():
                future.set_exception(Unavailable(reason))


async def answer(handlers: Mapping[str, Handler], request: Body, side: str) -> Body:
    """The reply to ``request``, whatever the handler does; ``side`` names who answers."""
    cmd, args = request.get("cmd"), request.get("args")
    reply: Body = {"id": request.get("id"), "ok": True}
    try:
        handler = handlers.get(str(cmd))
        if handler is None:
            raise UnknownCommand(f"{side} has no request {cmd!r}")
        reply["result"] = dict(await handler(args if isinstance(args, dict) else {}))
    except OperatorError as error:
        reply |= {"ok": False, "error": error.to_wire()}
    except Exception as error:
        # A defect: the other side gets a typed error, the log of this one the traceback.
        traceback.print_exc()
        reply |= {"ok": False, "error": InternalError(f"{type(error).__name__}: {error}").to_wire()}
    return reply
