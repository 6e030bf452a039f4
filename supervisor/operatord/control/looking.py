"""Commands that only look: ``ping, hello, snapshot, status, processes``."""

import os
import time
from dataclasses import dataclass
from typing import Any

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, Unavailable, VersionMismatch
from operator_protocol.records import to_body
from operatord.control.context import Context
from operatord.control.registry import Command, NoArgs

_MAX_NONCE_CHARS = 64
"""It becomes a topic."""


@dataclass(frozen=True, slots=True)
class HelloArgs:
    """Who comes, and the nonce whose echo proves that its subscriptions are in force."""

    version: int
    nonce: str | None = None
    client: str = ""


async def ping(context: Context, _: NoArgs) -> Body:
    """Answer at once."""
    return {"boot_id": context.broker.boot_id, "wall_ts": time.time()}


async def hello(context: Context, args: HelloArgs) -> Body:
    """Begin a join."""
    if args.version != PROTOCOL_VERSION:
        raise VersionMismatch(
            f"this daemon speaks protocol version {PROTOCOL_VERSION}, the client {args.version}",
            "install the same major version on both sides",
        )
    if args.nonce:
        if len(args.nonce) > _MAX_NONCE_CHARS or not args.nonce.isprintable():
            raise BadRequest(f"hello: nonce is over {_MAX_NONCE_CHARS} characters, or not printable")
        context.broker.expect_join(args.nonce)
    return {"boot_id": context.broker.boot_id, "version": context.version}


async def snapshot(context: Context, _: NoArgs) -> Body:
    """State, tails and the sequence number they belong to."""
    return context.broker.snapshot()


async def status(context: Context, _: NoArgs) -> Body:
    """One page of everything, for scripts and for ``operatorctl status``."""
    state = context.broker.memory.state
    return {
        "version": context.version,
        "subject": context.subject.name,
        "boot_id": context.broker.boot_id,
        "pid": os.getpid(),
        "uptime": time.monotonic() - context.started_mono,
        "runtime_dir": str(context.runtime_dir),
        "state_dir": str(context.state_dir),
        "listen": context.config.listen.tcp or None,
        "health": to_body(state.cluster) if state.cluster else None,
        "processes": [to_body(process) for process in context.processes.states()],
        "workload": context.load.status(),
        "demo": to_body(context.director.state()),
        "faults": [to_body(fault) for fault in context.faults.owed()],
        "violations": [to_body(violation) for violation in state.violations.values()],
        "tickets_open": len(state.tickets),
        "tickets_shared": _shared(context),
        "agent": to_body(context.actions.agent()),
        "actions": [to_body(action) for action in state.actions.values()],
        "counters": context.counters(),
    }


def _shared(context: Context) -> Body | None:
    try:
        told = context.tickets.shared_status()
    except Unavailable as error:
        return {"database": "", "unsent": None, "error": error.message}
    return None if told is None else dict(told)


async def processes(context: Context, _: NoArgs) -> Body:
    """The process table."""
    return {"processes": [to_body(process) for process in context.processes.states()]}


COMMANDS: tuple[Command[Any], ...] = (
    Command("ping", NoArgs, ping, reads=True),
    Command("hello", HelloArgs, hello, reads=True),
    Command("snapshot", NoArgs, snapshot, reads=True),
    Command("status", NoArgs, status, reads=True),
    Command("processes", NoArgs, processes, reads=True),
)
