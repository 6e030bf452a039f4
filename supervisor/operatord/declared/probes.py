"""Is it ready? One try of each kind: ask over HTTP, connect, run a command. What a process prints is not asked for
but comes by itself, so that kind is in ``watch``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from operator_protocol.errors import DeadlineExceeded, Unavailable
from operatord.declared.host import resolved
from operatord.declared.http import get_status, said
from operatord.declared.sections import ProcessSection, TcpAddress, parse_address
from operatord.processes.commands import ChildCommands

_MAX_CHARS = 200
"""Of what a command printed; it travels in state frames."""

Attempt = Callable[[], Awaitable[None]]
"""One try; raises ``OperatorError`` that says why it is not ready."""


class Probe(NamedTuple):
    """What is tried, and how it is called in a message."""

    title: str
    attempt: Attempt


def make_probe(section: ProcessSection, commands: ChildCommands) -> Probe | None:
    """The probe of that process; None if it has none to be tried."""
    ready = section.ready
    if ready is None:
        return None
    if ready.http is not None:
        url = ready.http
        return Probe(f"GET {url}", lambda: _within(ready.timeout, _answers(url)))
    if ready.tcp is not None:
        address = parse_address(ready.tcp)
        return Probe(f"connection to {address}", lambda: _within(ready.timeout, _accepts(address)))
    if ready.exec is not None:
        argv, timeout_s = resolved(ready.exec, section), ready.timeout
        return Probe(ready.exec[0], lambda: _succeeds(argv, section, commands, timeout_s))
    return None


async def _within(timeout_s: float, attempt: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await attempt
    except TimeoutError as error:
        raise DeadlineExceeded(f"no answer within {timeout_s:g} s") from error


async def _answers(url: str) -> None:
    status = await get_status(url)
    if not 200 <= status < 400:
        raise Unavailable(f"status {status}")


async def _accepts(address: TcpAddress) -> None:
    try:
        _, writer = await asyncio.open_connection(address.host, address.port)
    except OSError as error:
        raise Unavailable(said(error)) from error
    except UnicodeError as error:
        raise Unavailable(f"{address.host!r} is not the name of a host") from error
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _succeeds(argv: Sequence[str], section: ProcessSection, commands: ChildCommands, timeout_s: float) -> None:
    completed = await commands.run(argv, timeout_s=timeout_s, cwd=section.cwd, env=section.env, user=section.user)
    if completed.returncode != 0:
        printed = (completed.stderr.strip() or completed.stdout.strip()).splitlines()
        raise Unavailable(f"exit code {completed.returncode}" + (f": {printed[-1][:_MAX_CHARS]}" if printed else ""))
