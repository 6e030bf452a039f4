"""Readers who all come to a gateway at once, each with a connection of its own."""

import asyncio
import time
from urllib.parse import urlsplit

from .clusterwatch import Unexpected

_ANSWERED_WITHIN_S = 30.0


def ask_together(url: str, path: str, readers: int, *, holding: bytes = b"{") -> list[float]:
    """Milliseconds that each waited, from connecting to the last byte of an answer ``holding`` that.

    Raises ``Unexpected`` for another answer than that.
    """
    return asyncio.run(_ask(url, path, readers, holding))


async def _ask(url: str, path: str, readers: int, holding: bytes) -> list[float]:
    where = urlsplit(url)
    request = f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n".encode()

    async def one() -> float:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(request)
        answer = await reader.read()
        taken_ms = (time.monotonic() - began) * 1000
        writer.close()
        if not answer.startswith(b"HTTP/1.1 200") or holding not in answer:
            raise Unexpected(f"{path}: {answer[:200]!r}")
        return taken_ms

    async with asyncio.timeout(_ANSWERED_WITHIN_S):
        return await asyncio.gather(*(one() for _ in range(readers)))
