"""The fork server: a small process that has imported what workers need, and forks one when asked.

It is started by exec, has one thread and no ZeroMQ context, so what it forks is a clean copy. What it forks is a child
of the daemon, its own parent (``sibling``), which can then wait for it like for any child; where the kernel cannot do
that it forks twice, the intermediate ends at once, and the worker becomes the daemon's, a child subreaper. The order
matters, each line for a race that was seen without it:

1. The daemon sends the request with the writing ends of the worker's output and the reading end of a *go* pipe.
2. The fork server forks the worker, waits for the intermediate if there is one (now the worker is the daemon's child),
   and replies with the pid.
3. The daemon opens the pidfd, puts the worker into a process group of its own, and sends a byte through the go pipe; or
   closes it, and then the worker ends.
4. The worker asks for SIGKILL at its parent's death. Earlier, the intermediate's death would have been that. It looks
   whether the daemon is still its parent, and starts.

A copy of a process is slow at first: each page that it touches is copied then (2 µs; 800 of them until a worker has
its loop and its socket). So when there is nothing to do one worker is forked ahead (``spares``). It touches them, and
has whatever needs no name made by the time it gets one; that is for ``warm_up`` to do.

``forkclient`` is the daemon's side. The two talk over a SOCK_SEQPACKET pair, one msgpack map in each message.
"""

import argparse
import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from operator_protocol.codec import pack, unpack_map
from operator_protocol.errors import OperatorError
from operator_protocol.records import from_body, to_body
from operatord import procfs
from operatord.processes import prctl
from operatord.processes.sibling import fork_twice, sibling_fork
from operatord.processes.spares import Spares

MAX_REQUEST_BYTES = 64 * 1024
"""A name, an entry point and a few arguments; what is large goes to the worker with ``configure``."""

ORPHANED = 75
"""Exit code of a worker whose daemon was gone before it began."""

_PARENT_TRIES, _PARENT_PAUSE_S = 1000, 0.001

Entry = Callable[[Mapping[str, Any]], object]
"""What ``module:function`` names: called once with the arguments; returning ends the worker."""


@dataclass(frozen=True, slots=True)
class ForkRequest:
    """Asks for a worker. Three descriptors go with it: its stdout, its stderr, and the reading end of the go pipe."""

    id: int
    name: str
    entry: str
    """``package.module:function``."""
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForkReply:
    """The worker's pid, or why there is none. ``id`` 0 is the fork server's greeting once its imports are done."""

    id: int
    pid: int | None = None
    error: str = ""


def load_entry(entry: str) -> Entry:
    """Import what ``module:function`` names."""
    module, _, function = entry.partition(":")
    loaded: Entry = getattr(importlib.import_module(module), function)
    return loaded


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m operatord.processes.forkserver --fd N [--preload MODULE]…``; ends when the other side hangs up."""
    parser = argparse.ArgumentParser(prog="operatord.processes.forkserver")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--preload", action="append", default=[])
    parser.add_argument("--warm-up", metavar="MODULE:FUNCTION", help="what a spare calls, with no arguments")
    options = parser.parse_args(argv)
    channel = socket.socket(fileno=options.fd)
    os.set_inheritable(options.fd, False)
    prctl.set_process_name("op:forkserver")
    for module in options.preload:
        _preload(module)
    threads = procfs.thread_count()
    if threads > 1:
        sys.stderr.write(
            f"forkserver: importing {options.preload} started {threads - 1} threads, which no worker has\n"
        )
    # Keep the collector from touching, and thereby copying, the pages that all workers share.
    gc.collect()
    gc.freeze()
    channel.send(pack(to_body(ForkReply(0, os.getpid()))))
    return _serve(channel, options.warm_up)


def _preload(module: str) -> None:
    """Import it; a worker that needs it and cannot have it will say so itself, in its own output."""
    try:
        importlib.import_module(module)
    except Exception:
        traceback.print_exc()


def _serve(channel: socket.socket, warm_up: str | None) -> int:
    daemon = os.getppid()
    fork = sibling_fork() or fork_twice
    spares = Spares(fork, channel)
    while True:
        errand = spares.wait()
        if errand is not None:
            _be_spare(errand, warm_up, daemon)
        data, fds, _, _ = socket.recv_fds(channel, MAX_REQUEST_BYTES, 3, socket.MSG_CMSG_CLOEXEC)
        if not data:
            return 0
        asked = -1
        try:
            stdout, stderr, go = fds
            pid = spares.hand_out(data, fds)  # it reads the request itself, meanwhile
            request = from_body(ForkRequest, unpack_map(data))
            asked = request.id
            if pid is None:
                pid = fork()
            if pid == 0:
                channel.close()
                _reset_signals()
                _be_worker(request, (stdout, stderr, go), daemon)
            reply = ForkReply(asked, pid)
        except (OSError, OperatorError, ValueError) as error:
            reply = ForkReply(asked, error=str(error))
        finally:
            for fd in fds:
                os.close(fd)
        channel.send(pack(to_body(reply)))


def _be_spare(errand: socket.socket, warm_up: str | None, daemon: int) -> NoReturn:
    """Do all that can be done without knowing which worker to be, and wait to be told."""
    try:
        _reset_signals()
        _await_parent(daemon)
        prctl.set_parent_death_signal(signal.SIGKILL)
        prctl.set_process_name("op:spare")
        if warm_up is not None:
            load_entry(warm_up)({})
        data, fds, _, _ = socket.recv_fds(errand, MAX_REQUEST_BYTES, 3, socket.MSG_CMSG_CLOEXEC)
        errand.close()
        if data:
            stdout, stderr, go = fds
            _be_worker(from_body(ForkRequest, unpack_map(data)), (stdout, stderr, go), daemon)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _await_parent(daemon: int) -> None:
    """Where it took two forks the intermediate may still be there, and its death must not be ours."""
    for _ in range(_PARENT_TRIES):
        if os.getppid() == daemon:
            return
        time.sleep(_PARENT_PAUSE_S)
    os._exit(ORPHANED)


def _be_worker(request: ForkRequest, fds: tuple[int, int, int], daemon: int) -> NoReturn:
    code = 1
    try:
        _take_over(request.name, fds, daemon)
        code = _run(request)
    except BaseException:
        traceback.print_exc()
    finally:
        # Never back up the stack: that belongs to the fork server. Nor through its atexit handlers.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _take_over(name: str, fds: tuple[int, int, int], daemon: int) -> None:
    """Wait for the go, then make this copy of the fork server a process of its own."""
    stdout, stderr, go = fds
    started = os.read(go, 1)
    if not started:
        os._exit(ORPHANED)
    prctl.set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != daemon:
        os._exit(ORPHANED)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for fd in fds:
        os.close(fd)
    prctl.set_process_name(f"op:{name}")


def _reset_signals() -> None:
    for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _run(request: ForkRequest) -> int:
    try:
        load_entry(request.entry)(request.args)
    except SystemExit as ending:
        if ending.code is None or isinstance(ending.code, int):
            return ending.code or 0
        sys.stderr.write(f"{ending.code}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
