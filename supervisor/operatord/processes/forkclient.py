"""The daemon's side of the fork server: keeps one running, and asks it for workers.

The fork server's end shows as the end of the socket. Another one is started then; workers are not its children and are
not touched. A request that was under way is made again: the worker that the dead one may have forked is still waiting
for its go, gets the end of the pipe instead, and ends.
"""

import asyncio
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from operator_protocol.codec import pack, unpack_map
from operator_protocol.errors import BadRequest, OperatorError, Unavailable
from operator_protocol.records import from_body, to_body
from operatord.clock import Clock
from operatord.processes.backoff import BackoffPolicy, History, after_death
from operatord.processes.forkserver import MAX_REQUEST_BYTES, ForkReply, ForkRequest
from operatord.processes.reaper import ExitStatus, Reaper
from operatord.processes.spawn import Spawned, spawn

_ANSWER_S = 5.0
"""A fork takes 2 ms; a fork server that has not answered by then is stuck (stopped, most likely) and is replaced."""
_HELLO_S = 30.0
"""Importing takes 0.3 s on an idle machine."""
_TRIES = 3
_KILLED_S = 10.0
"""Until what was killed is reaped; it is a moment, but a process that gets no processor does not end."""


@dataclass(frozen=True, slots=True)
class ForkedWorker:
    """A worker that has been told to go; the receiver owns the three descriptors."""

    pid: int
    pidfd: int
    stdout_fd: int
    stderr_fd: int


@dataclass(slots=True)
class _Server:
    """One incarnation of the fork server."""

    spawned: Spawned
    channel: socket.socket
    greeted: "asyncio.Future[None]"
    waiting: dict[int, "asyncio.Future[int]"]
    ready_since: float | None = None
    lost: bool = False
    """Its socket is closed; it is dead, or about to be."""


class ForkServer:
    """Keeps a fork server running. ``on_start`` and ``on_end`` tell of each incarnation."""

    def __init__(
        self,
        reaper: Reaper,
        preload: Sequence[str],
        *,
        warm_up: str | None = None,
        env: Mapping[str, str],
        on_start: Callable[[Spawned], None],
        on_ready: Callable[[], None],
        on_end: Callable[[ExitStatus], None],
        clock: Clock = time.monotonic,
    ) -> None:
        self._reaper = reaper
        self._preload = list(preload)
        self._warm_up = warm_up
        self._env = dict(env)
        self._on_start = on_start
        self._on_ready = on_ready
        self._on_end = on_end
        self._clock = clock
        # The daemon cannot do without it, so it is never given up.
        self._policy = BackoffPolicy(flap_deaths=None)
        self._history = History()
        self._server: _Server | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._last_id = 0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The pid of the one that runs."""
        return None if self._server is None else self._server.spawned.pid

    def start(self) -> None:
        """Start it; it imports while the daemon goes on."""
        self._retry = None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            argv = [sys.executable, "-P", "-u", "-X", "utf8", "-m", "operatord.processes.forkserver"]
            argv += ["--fd", str(theirs.fileno())]
            for module in self._preload:
                argv += ["--preload", module]
            if self._warm_up is not None:
                argv += ["--warm-up", self._warm_up]
            try:
                spawned = spawn(argv, pass_fds=[theirs.fileno()], env=self._env)
            except OperatorError:
                ours.close()
                raise
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        server = _Server(spawned, ours, loop.create_future(), {})
        self._server = server
        self._reaper.looked_after.add(spawned.pid)
        loop.add_reader(ours, self._readable, server)
        self._reaper.watch(spawned.pid, os.pidfd_open(spawned.pid), lambda ended: self._ended(server, ended))
        self._on_start(spawned)
        self._announce()

    async def fork(self, name: str, entry: str, args: Mapping[str, Any], began: Callable[[ForkedWorker], None]) -> None:
        """Fork a worker that calls ``entry`` with ``args``, and hand it to ``began`` before anything can reap it.

        Raises ``Unavailable`` when no fork server gets it done, ``BadRequest`` for arguments that are too large.
        """
        problem = "it did not come up"
        async with self._turn:
            for _ in range(_TRIES):
                server = await self._greeted()
                try:
                    with self._reaper.hold():
                        began(await self._request(server, name, entry, args))
                except (ConnectionError, TimeoutError) as error:
                    problem = str(error) or "it did not answer"
                    self._give_up_on(server)
                except OSError as error:
                    raise Unavailable(f"cannot fork {name}: {error.strerror or error}") from error
                else:
                    return
        raise Unavailable(f"cannot fork {name}: fork server failed: {problem}")

    async def close(self) -> None:
        """End it, and do not start another."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        server = self._server
        if server is None:
            return
        if not server.lost:
            with suppress(OSError):
                server.channel.shutdown(socket.SHUT_RDWR)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone(server), 1.0)
            return
        with suppress(ProcessLookupError):
            os.kill(server.spawned.pid, signal.SIGKILL)  # a child that only the reaper reaps: it is still that one
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone(server), _KILLED_S)

    async def _gone(self, server: _Server) -> None:
        while self._server is server:
            await self._changed.wait()

    async def _greeted(self) -> _Server:
        """The fork server, once it has imported everything."""
        server = self._server
        if server is not None and server.ready_since is not None and not server.lost:
            return server

        async def greeted() -> _Server:
            while True:
                server = self._server
                if server is None:
                    await self._changed.wait()
                    continue
                if server.lost:
                    await self._gone(server)
                    continue
                with suppress(ConnectionError):
                    await asyncio.shield(server.greeted)
                    return server
                await self._gone(server)

        try:
            return await asyncio.wait_for(greeted(), _HELLO_S)
        except TimeoutError as error:
            if self._server is not None:
                self._give_up_on(self._server)
            raise Unavailable(f"the fork server was not ready within {_HELLO_S:g} s") from error

    async def _request(self, server: _Server, name: str, entry: str, args: Mapping[str, Any]) -> ForkedWorker:
        self._last_id += 1
        asked = self._last_id
        message = pack(to_body(ForkRequest(asked, name, entry, args)))
        if len(message) > MAX_REQUEST_BYTES:
            raise BadRequest(f"the arguments of {name} take {len(message)} bytes", "send them with configure")
        answer = server.waiting[asked] = asyncio.get_running_loop().create_future()
        stdout, stdout_end = os.pipe()
        stderr, stderr_end = os.pipe()
        go, go_end = os.pipe()
        try:
            try:
                socket.send_fds(server.channel, [message], [stdout_end, stderr_end, go])
            except BlockingIOError as error:
                raise ConnectionResetError("it does not read its requests") from error
            finally:
                for fd in (stdout_end, stderr_end, go):
                    os.close(fd)
            async with asyncio.timeout(_ANSWER_S):
                pid = await answer
            pidfd = os.pidfd_open(pid)
            with suppress(ProcessLookupError, PermissionError):  # it was killed meanwhile, or is on its own already
                os.setpgid(pid, pid)
            with suppress(BrokenPipeError):  # it was killed meanwhile; the pidfd tells
                os.write(go_end, b"g")
        except BaseException:
            os.close(stdout)
            os.close(stderr)
            raise
        finally:
            os.close(go_end)
            server.waiting.pop(asked, None)
        return ForkedWorker(pid, pidfd, stdout, stderr)

    def _readable(self, server: _Server) -> None:
        try:
            data = server.channel.recv(MAX_REQUEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._give_up_on(server)
            return
        reply = from_body(ForkReply, unpack_map(data))
        if reply.id == 0:
            server.ready_since = self._clock()
            server.greeted.set_result(None)
            self._on_ready()
            return
        answer = server.waiting.pop(reply.id, None)
        if answer is None or answer.done():
            return
        if reply.pid is None:
            answer.set_exception(Unavailable(f"fork failed: {reply.error}"))
        else:
            answer.set_result(reply.pid)

    def _give_up_on(self, server: _Server) -> None:
        """Its socket has ended, or it is stuck: see to it that it dies; ``_ended`` does the rest."""
        self._hang_up(server)
        if self._server is server:
            with suppress(ProcessLookupError):
                os.kill(server.spawned.pid, signal.SIGKILL)  # not reaped yet, so it is still that one

    def _hang_up(self, server: _Server) -> None:
        server.lost = True
        if server.channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(server.channel)
            server.channel.close()
        gone = ConnectionResetError("it ended")
        for answer in server.waiting.values():
            if not answer.done():
                answer.set_exception(gone)
        server.waiting.clear()
        if not server.greeted.done():
            server.greeted.set_exception(gone)
            server.greeted.exception()  # looked at: there may be nobody who waits for it

    def _ended(self, server: _Server, ended: ExitStatus) -> None:
        server.spawned.settle(ended.returncode)
        self._reaper.looked_after.discard(server.spawned.pid)
        self._server = None
        self._hang_up(server)
        self._on_end(ended)
        self._announce()
        if self._closed:
            return
        verdict = after_death(
            self._policy, self._history, now=self._clock(), ready_since=server.ready_since, chance=random.random()
        )
        self._history = verdict.history
        self._retry = asyncio.get_running_loop().call_later(verdict.delay_s or 0.0, self._start_again)

    def _start_again(self) -> None:
        try:
            self.start()
        except OperatorError as error:
            self._on_end(ExitStatus())
            sys.stderr.write(f"operatord: no fork server: {error}; trying again in {self._policy.cap_s:g} s\n")
            self._retry = asyncio.get_running_loop().call_later(self._policy.cap_s, self._start_again)

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
