"""Running the application: a socket of our own, uvicorn on it, and the address told once it answers."""

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import uvicorn

from operator_clients.web.app import create_app
from operator_clients.web.connections import BoundedProtocol, room_for
from operator_clients.web.daemons import Daemons
from operator_clients.web.heap import made_for_good
from operator_clients.web.security.binding import check_binding
from operator_clients.web.security.token import ControlToken, TokenKeeper
from operator_clients.web.settings import Settings, bracketed, is_everywhere
from operator_protocol.errors import BadRequest, Conflict, OperatorError

_BACKLOG = 512
_GRACE_S = 1
"""For answers that are under way when it is told to stop; then the guard says that it stops."""
_HANDSHAKE_S = 10.0
_LOOK_EVERY_S = 5
"""For a token that was rotated."""
_log = logging.getLogger("operator_web")


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose servers wait less long for a TLS handshake than the minute that uvicorn leaves them."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """As it is, with another default."""
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", _HANDSHAKE_S)
        return await super().create_server(*args, **options)


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
        """Stop: no new connections, no more streams and commands, then what is under way."""
        self._daemons.stop()
        await super().shutdown(sockets)


def serve(settings: Settings, *, any_port: bool = False, address_file: Path | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Raises ``BadRequest`` for what may not be, ``Conflict`` for a port in use."""
    check_binding(settings)
    os.umask(0o077)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="operator-web: %(message)s")
    listener = _listener(settings, _ports(settings, any_port, address_file))
    keeper = TokenKeeper(settings.token_file)
    address = _Address(_url(settings, listener), keeper.ensure(settings.token_days), address_file)
    with made_for_good():
        app = create_app(settings)
    limits = settings.limits
    bounded = partial(BoundedProtocol, limits=limits.model_copy(update={"connections": room_for(limits.connections)}))
    config = uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", bounded),  # it is only ever called
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips=list(settings.proxies),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=_GRACE_S,
        ws="none",
        callback_notify=partial(address.keep_right, keeper),
        timeout_notify=_LOOK_EVERY_S,
    )
    _load_certificate(config, settings)
    with contextlib.closing(listener), address.told():
        shown = str(address) if sys.stdout.isatty() and not settings.read_only else address.url
        print(f"operator-web: the console is at {shown}", flush=True)
        with asyncio.Runner(loop_factory=_Loop) as runner:
            runner.run(_Server(config, app.state.daemons).serve([listener]))
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
    number = problem.errno if problem and problem.errno else 0
    # The words of create_server repeat the address; what resolving a name says has a number below zero.
    why = os.strerror(number) if number > 0 else problem.strerror if problem else ""
    hint = "another --port, or --any-port" if number == errno.EADDRINUSE else ""
    raise Conflict(f"cannot listen at {bracketed(settings.host)}:{settings.port}: {why}", hint)


def _load_certificate(config: uvicorn.Config, settings: Settings) -> None:
    for file in (settings.tls_cert, settings.tls_key):
        if file is not None and not file.is_file():
            raise BadRequest(f"there is no file {file}", "--tls-cert and --tls-key name the certificate and its key")
    try:
        config.load()
    except OSError as error:
        raise BadRequest(f"cannot use the certificate: {error.strerror or error}", "both files must be PEM") from error


def _url(settings: Settings, listener: socket.socket) -> str:
    host = "localhost" if is_everywhere(settings.host) else bracketed(settings.host)
    return f"{'https' if settings.tls else 'http'}://{host}:{listener.getsockname()[1]}/"


class _Address:
    """Where it listens, with the token, for who may read the file of ``--address-file``."""

    def __init__(self, url: str, token: ControlToken, file: Path | None) -> None:
        self.url = url
        self._secret = token.secret
        self._file = file

    def __str__(self) -> str:
        return f"{self.url}#token={self._secret}"

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """The file has it for as long as it is good for something; only its owner can read it."""
        self._write()
        try:
            yield
        finally:
            if self._file is not None:
                self._file.unlink(missing_ok=True)

    async def keep_right(self, keeper: TokenKeeper) -> None:
        """Tell the token that was rotated meanwhile: with the old one the address leads to a refusal."""
        try:
            now = keeper.current().secret
        except OperatorError:
            return  # nobody is let in as long as that is so, and who tries is told
        if now == self._secret:
            return
        self._secret = now
        try:
            self._write()
        except OperatorError as error:
            _log.warning("the address file has an old token: %s", error)

    def _write(self) -> None:
        if self._file is None:
            return
        beside = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            beside.write_text(json.dumps({"url": str(self), "pid": os.getpid()}) + "\n")  # 0600, by the umask
            beside.replace(self._file)
        except OSError as error:
            raise BadRequest(f"cannot write {self._file}: {error.strerror}") from error
