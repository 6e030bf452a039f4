"""The engine's own account of what happens, line by line, for as long as the engine lives."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from operatord.workers.docker.streams import Stream, following


class EventStream:
    """The output of ``docker events``, as an asynchronous iterator of its JSON objects; it ends when the engine does.

    After the end ``complaint`` is what the command said last on its standard error.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.complaint = ""

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        async for line in self._stream.lines:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    yield found
        errors = self._stream.errors
        said = (await errors.read()).decode(errors="replace").splitlines() if errors is not None else []
        self.complaint = next((line.strip() for line in reversed(said) if line.strip()), "the engine ended the stream")


@contextlib.asynccontextmanager
async def event_stream(command: Sequence[str]) -> AsyncIterator[EventStream]:
    """Run the command, and end it with the context. Raises ``Unavailable`` when there is no such command."""
    async with following(command) as stream:
        yield EventStream(stream)
