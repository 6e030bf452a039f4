"""Reading Server-Sent Events as a browser does: one page, its events in order."""

import json
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

_PATIENCE_S = 60.0


class Event(NamedTuple):
    name: str
    id: str
    data: Any


class Tab:
    """One open page: ``with Tab(url) as tab``."""

    def __init__(self, url: str, *, last_event_id: str = "", **params: str) -> None:
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        self._client = httpx.Client(timeout=_PATIENCE_S)
        self._request = self._client.build_request("GET", f"{url}/api/stream", params=params, headers=headers)

    def __enter__(self) -> Self:
        self.response = self._client.send(self._request, stream=True)
        self._lines = self.response.iter_lines()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.response.close()
        self._client.close()

    def events(self) -> Iterator[Event]:
        """What comes, until the server ends it."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                yield Event(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]))
                fields = {}

    def until(self, wanted: Callable[[Event], object]) -> list[Event]:
        """What came, up to the first that is wanted."""
        seen: list[Event] = []
        give_up = time.monotonic() + _PATIENCE_S
        for event in self.events():
            seen.append(event)
            if wanted(event):
                return seen
            assert time.monotonic() < give_up, [one.name for one in seen]
        raise AssertionError(f"the stream ended: {[one.name for one in seen]}")

    def next(self, name: str) -> Event:
        """The next of that name."""
        return self.until(lambda event: event.name == name)[-1]

    def frame(self, topic: str) -> Event:
        """The next frame on that topic."""
        return self.until(lambda event: event.name == "frame" and event.data["topic"] == topic)[-1]
