"""Running the application: a socket of our own, uvicorn on it, and the address told once it answers."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from operator_clients.web.app import create_app
from operator_clients.web.daemons import Daemons
from operator_clients.web.security.binding import check_binding
from operator_clients.web.security.token import TokenKeeper
from operator_clients.web.settings import Settings, bracketed, is_everywhere
from operator_protocol.errors import BadRequest, Conflict

_BACKLOG = 512
_GRACE_S = 3
"""For answers that are under way when it is told to stop."""


class _Server(uvicorn.Server):
    """Uvicorn, which otherwise waits for open streams when it stops."""

    def __init__(self, config: uvicorn.Config, daemons: Daemons) -> None:
        super().__init__(config)
        self._daemons = daemons

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on TERM and INT; uvicorn's own way ends by killing the process with the same signal."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.handle_exit, signum, None)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: no new connections, no more streams, then what is under way."""
        self._daemons.end_streams()
        await super().shutdown(sockets)


def serve(settings: Settings, *, any_port: bool = False, address_file: Path | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Raises ``BadRequest`` for what may not be, ``Conflict`` for a port in use."""
    check_binding(settings)
    os.umask(0o077)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="operator-web: %(message)s")
    listener = _listener(settings, _ports(settings, any_port, address_file))
    token = TokenKeeper(settings.token_file).ensure(settings.token_days)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips=list(settings.proxies),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=_GRACE_S,
        ws="none",
    )
    _load_certificate(config)
    url = _url(settings, listener)
    with contextlib.closing(listener), _told(address_file, f"{url}#token={token.secret}"):
        shown = f"{url}#token={token.secret}" if sys.stdout.isatty() and not settings.read_only else url
        print(f"operator-web: the console is at {shown}", flush=True)
        asyncio.run(_Server(config, app.state.daemons).serve([listener]))
    return 0


def _ports(settings: Settings, any_port: bool, address_file: Path | None) -> tuple[int, ...]:
    """What to try in turn. One that was killed leaves its address behind: open pages look for it there."""
    if not any_port:
        return (settings.port,)
    before = _told_port(address_file)
    return tuple(dict.fromkeys((*((before,) if before else ()), settings.port, 0)))


def _told_port(address_file: Path | None) -> int:
    try:
        url = json.loads(address_file.read_text())["url"] if address_file is not None else ""
        return urlsplit(url).port or 0
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0


def _listener(settings: Settings, ports: Sequence[int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    problem: OSError | None = None
    for port in ports:
        try:
            return socket.create_server((settings.host.strip("[]"), port), family=family, backlog=_BACKLOG)
        except OSError as error:
            problem = error
    why = problem.strerror if problem else ""
    raise Conflict(f"cannot listen at {settings.host}:{settings.port}: {why}", "another --port, or --any-port")


def _load_certificate(config: uvicorn.Config) -> None:
    try:
        config.load()
    except OSError as error:
        raise BadRequest(f"cannot use the certificate: {error.strerror or error}", "both files must be PEM") from error


def _url(settings: Settings, listener: socket.socket) -> str:
    host = "localhost" if is_everywhere(settings.host) else bracketed(settings.host)
    return f"{'https' if settings.tls else 'http'}://{host}:{listener.getsockname()[1]}/"


@contextlib.contextmanager
def _told(path: Path | None, url: str) -> Iterator[None]:
    """``path`` has the address for as long as it is good for something; only its owner can read it."""
    if path is None:
        yield
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")  # 0600, by the umask
        beside.replace(path)
    except OSError as error:
        raise BadRequest(f"cannot write {path}: {error.strerror}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
