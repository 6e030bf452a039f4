"""A stand-in for the Messages API: one endpoint, answers by script, every request kept.

It speaks HTTP and the JSON of the real thing, so that the real client library is what talks to it. An answer is a
function of the request, so that a test can have a model that obeys what it read, or asks for ever.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from tests.standins.serving import Server

Json = dict[str, Any]
MODEL = "claude-sonnet-5-5"


class Reply(NamedTuple):
    """What goes over the wire."""

    status: int
    body: Any
    headers: Mapping[str, str] = {}
    kind: str = "application/json"
    hang_s: float = 0.0
    """Before anything is sent."""
    endless: bool = False
    """The body is sent again and again, until the other side hangs up."""


Script = Callable[[Json, int], Reply]
"""Of the request and its number, from 0."""


def message(
    content: Sequence[Json], stop: str = "end_turn", *, read: int = 1_000, wrote: int = 200, cached: int = 0
) -> Reply:
    """A message of the assistant."""
    usage = {
        "input_tokens": read,
        "output_tokens": wrote,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
    }
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }
    return Reply(200, body)


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def thinking(words: str) -> Json:
    return {"type": "thinking", "thinking": words, "signature": "c2lnbmVk"}


def tool_use(tool: str, number: int = 1, /, **args: Any) -> Json:
    return {"type": "tool_use", "id": f"toolu_{number:04d}", "name": tool, "input": args}


def answer(**change: Any) -> Json:
    """A sound diagnosis of a killed ``valkey-0``, as the schema wants it."""
    return {
        "summary": "valkey-0 was killed",
        "component": "valkey-0",
        "cause": "process_killed",
        "explanation": [{"text": "Signal 9 ended its process.", "evidence": [1, 2]}],
        "timeline": [{"at": "T+0.0 s", "what": "the process ended", "evidence": [2]}],
        "alternatives": [
            {"cause": "process_stopped", "rejected_because": "its log announces no shutdown", "evidence": [2]},
            {"cause": "process_paused", "rejected_because": "its process is gone", "evidence": [1]},
        ],
        "confidence": 0.9,
        "blast_radius": {"text": "Its slots were not served for two seconds.", "evidence": [1]},
        "actions": [
            {
                "kind": "start_server",
                "target": "valkey-0",
                "params": [],
                "risk": "safe",
                "expected": "it joins as a replica",
                "verify": "it is up",
            }
        ],
        "would_change_my_mind": "a message of the kernel about memory",
        **change,
    }


def diagnosis(**change: Any) -> Reply:
    """The same as an answer of the API."""
    return message([text(json.dumps(answer(**change)))])


def error(status: int, kind: str, words: str, **headers: str) -> Reply:
    """What the API says when it refuses."""
    return Reply(status, {"type": "error", "error": {"type": kind, "message": words}}, headers)


class Api:
    """The server, while it stands."""

    def __init__(self) -> None:
        self.script: Script = lambda _request, _number: diagnosis()
        self.requests: list[Json] = []
        self.raw: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""
        self.closing = threading.Event()

    def answers(self, *replies: Reply) -> None:
        """These one after the other; the last one again and again."""
        self.script = lambda _request, number: replies[min(number, len(replies) - 1)]

    def tool_results(self) -> list[Json]:
        """What was sent back to tool calls."""
        parts = [part for request in self.requests[-1:] for one in request["messages"] for part in _parts(one)]
        return [part for part in parts if part.get("type") == "tool_result"]


def _parts(one: Json) -> list[Json]:
    return [part for part in one["content"] if isinstance(part, dict)] if isinstance(one["content"], list) else []


@contextmanager
def standing() -> Iterator[Api]:
    """The API on a free port of this machine."""
    api = Api()

    class Adapter(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            number = len(api.requests)
            api.raw.append(raw)
            api.headers.append(dict(self.headers))
            api.requests.append(json.loads(raw))
            reply = api.script(api.requests[-1], number)
            if reply.hang_s and api.closing.wait(reply.hang_s):
                return
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            for name, value in reply.headers.items():
                self.send_header(name.replace("_", "-"), value)
            if reply.endless:
                self.send_header("Connection", "close")
                self.end_headers()
                until = time.monotonic() + 30
                while not api.closing.is_set() and time.monotonic() < until:
                    self.wfile.write(data)
                return
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            """Requests are kept, not logged."""

    server = Server(("127.0.0.1", 0), Adapter)
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
