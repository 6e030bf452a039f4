"""The engine's own account of what happens, line by line, for as long as the engine lives."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from typing import Any

from operatord.workers.docker.refusals import not_installed

_LONGEST_LINE = 1 << 20


class EventStream:
    """The output of ``docker events``, as an asynchronous iterator of its JSON objects; it ends when the engine does.

    After the end ``complaint`` is what the command said last on its standard error.
    """

    def __init__(self, lines: asyncio.StreamReader, errors: asyncio.StreamReader) -> None:
        self._lines = lines
        self._errors = errors
        self.complaint = ""

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        async for line in self._lines:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    yield found
        said = (await self._errors.read()).decode(errors="replace").splitlines()
        self.complaint = next((line.strip() for line in reversed(said) if line.strip()), "the engine ended the stream")


@contextlib.asynccontextmanager
async def event_stream(command: Sequence[str]) -> AsyncIterator[EventStream]:
    """Run the command, and end it with the context. Raises ``Unavailable`` when there is no such command."""
    # It ends with this process, however that ends.
    setpriv = shutil.which("setpriv")
    guard = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *guard, *command, stdin=null, stdout=pipe, stderr=pipe, limit=_LONGEST_LINE
        )
    except FileNotFoundError as error:  # behind ``setpriv`` it is a line on standard error
        raise not_installed(command[0]) from error
    try:
        if process.stdout is not None and process.stderr is not None:  # they are: both are pipes
            yield EventStream(process.stdout, process.stderr)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
