"""The smallest HTTP client that can ask "are you there?": one GET, the status, nothing else.

A library would cost the daemon a tenth of a second of its start and several MiB for what is one line out and one in.
"""

import asyncio
import os
import re
from contextlib import suppress
from urllib.parse import urlsplit

from operator_protocol.errors import Unavailable

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |\r|\n)")
_MAX_HEADERS = 200
_LIMIT_BYTES = 16 * 1024


def said(error: OSError) -> str:
    """What went wrong, without asyncio's words around it; several addresses may have failed in several ways."""
    return os.strerror(error.errno) if error.errno else str(error)


async def get_status(url: str) -> int:
    """The final status of ``GET url`` (plain http); redirects are not followed.

    Raises ``Unavailable`` when nobody answers, or not in HTTP. It has no time limit of its own.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = (
        f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: operatord\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n"
    )
    try:
        reader, writer = await asyncio.open_connection(host, port, limit=_LIMIT_BYTES)
    except OSError as error:
        raise Unavailable(f"no connection to {parts.netloc}: {said(error)}") from error
    except UnicodeError as error:
        raise Unavailable(f"{host!r} is not the name of a host") from error
    try:
        writer.write(request.encode("ascii"))
        return await _final_status(reader)
    except OSError as error:
        raise Unavailable(f"{parts.netloc} hung up: {said(error)}") from error
    except ValueError as error:  # a line longer than the limit
        raise Unavailable(f"{parts.netloc} does not answer in HTTP") from error
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _final_status(reader: asyncio.StreamReader) -> int:
    """Reads over interim answers (1xx)."""
    for _ in range(_MAX_HEADERS):
        line = await reader.readline()
        found = _STATUS_LINE.match(line)
        if found is None:
            raise Unavailable("the answer is not HTTP" if line else "the connection was closed without an answer")
        status = int(found[1])
        if status >= 200:
            return status
        while (await reader.readline()).strip():
            pass
    raise Unavailable("the answer does not come to an end")
