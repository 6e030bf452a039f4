"""A command that is read for as long as it runs, and that ends with this process, however that ends."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from operatord.workers.docker.refusals import not_installed

_LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Stream:
    """What it prints."""

    lines: asyncio.StreamReader
    errors: asyncio.StreamReader | None


@contextlib.asynccontextmanager
async def following(command: Sequence[str], *, errors: bool = True) -> AsyncIterator[Stream]:
    """Run the command, and end it with the context. Without ``errors`` nobody reads what it says of itself.

    Raises ``Unavailable`` when there is no such command.
    """
    setpriv = shutil.which("setpriv")
    guard = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *guard, *command, stdin=null, stdout=pipe, stderr=pipe if errors else null, limit=_LONGEST_LINE
        )
    except FileNotFoundError as error:  # behind ``setpriv`` it is a line on standard error
        raise not_installed(command[0]) from error
    try:
        if process.stdout is not None:  # it is a pipe
            yield Stream(process.stdout, process.stderr)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
