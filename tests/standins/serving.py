"""What the stand-ins share: a small HTTP server, requests with a deadline, log lines in TiKV's format.

Standard library only: these programs also run in containers that hold nothing but Python.
"""

import json
import os
import signal
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """``body``: bytes as they are, anything else as JSON."""

    status: int
    body: Any
    kind: str = "application/json"


class Request(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    """Decoded JSON, or bytes."""
    headers: Mapping[str, str]
    raw: bytes
    target: str


Handler = Callable[[Request], Answer]


_server_tls: "ssl.SSLContext | None" = None
"""With it everything that is served is encrypted, and only for clients that the authority knows."""


def encrypt(ca: str, cert: str, key: str) -> None:
    """From here on serve over TLS with client certificates, and ask with this one."""
    global _server_tls, _opener  # noqa: PLW0603  # of the whole process, which is one server
    _server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _server_tls.load_verify_locations(ca)
    _server_tls.verify_mode = ssl.CERT_REQUIRED
    _server_tls.load_cert_chain(cert, key)
    _opener = client_of(ca, cert, key)


def client_of(ca: str, cert: str, key: str) -> urllib.request.OpenerDirector:
    """What asks with this certificate."""
    client = ssl.create_default_context(cafile=ca)
    client.load_cert_chain(cert, key)
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=client))


_HANDSHAKE = b"\x16"
_NOT_TLS = (
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"  # as Go's server says it
)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def server_bind(self) -> None:
        # Without the reverse look-up of the name, which may take seconds where there is no name service.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the thread that answers: a client that does not come to the point blocks nobody."""
        if _server_tls is None:
            super().finish_request(request, client_address)
        elif request.recv(1, socket.MSG_PEEK) != _HANDSHAKE:
            request.sendall(_NOT_TLS)
        else:
            with _server_tls.wrap_socket(request, server_side=True) as line:
                super().finish_request(line, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def serve(address: str, handler: Handler, gate: threading.Event | None = None) -> Server:
    """Answer on ``host:port`` in threads, until the process ends. While ``gate`` is not set, nothing is read."""

    class Adapter(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one segment: two would wait for each other's acknowledgement, 40 ms of it.
        wbufsize = -1
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            if gate is not None:
                gate.wait()
            super().handle_one_request()

        def _do(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            pairs = dict(part.partition("=")[::2] for part in query.split("&") if part)
            try:
                body: Any = json.loads(raw) if raw else None
            except ValueError:
                body = raw
            answer = handler(Request(self.command, path, pairs, body, dict(self.headers), raw, self.path))
            data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815  # the names that the library calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            """Requests are not logged."""

    host, _, port = address.rpartition(":")
    server = Server((host, int(port)), Adapter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def ask(
    method: str,
    url: str,
    body: Any = None,
    *,
    timeout_s: float = 1.0,
    headers: Mapping[str, str] | None = None,
    opener: "urllib.request.OpenerDirector | None" = None,
) -> tuple[int, bytes]:
    """Status and body. Raises ``OSError`` when there is no answer."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=dict(headers or {}))  # noqa: S310
    try:
        with (opener or _opener).open(request, timeout=timeout_s) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_printing = threading.Lock()


def log(level: str, source: str, message: str, **fields: Any) -> None:
    """One line as TiKV and PD write it."""
    now = datetime.now(timezone.utc)  # noqa: UP017  # the containers' Python may be older than 3.11
    stamp = f"{now:%Y/%m/%d %H:%M:%S}.{now.microsecond // 1000:03d} +00:00"
    pairs = "".join(f" [{_quoted(key)}={_quoted(str(value))}]" for key, value in fields.items())
    with _printing:
        print(f"[{stamp}] [{level}] [{source}] [{_quoted(message)}]{pairs} [thread_id=1]", flush=True)


def _quoted(text: str) -> str:
    plain = text and not any(char <= " " or char in '"=[]' for char in text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def until_stopped() -> None:
    """Wait for TERM or INT."""
    asked: list[int] = []
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _: asked.append(number))
    while not asked:
        # Short waits: a signal that another thread took does not wake this one.
        time.sleep(0.2)
    sys.stdout.flush()
    # At once: an interpreter that takes itself apart while threads still serve may crash, or wait for one of them.
    os._exit(0)
