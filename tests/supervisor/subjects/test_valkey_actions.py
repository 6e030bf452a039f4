"""Actions on the real cluster: each does what it says, and only while its precondition holds."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from operator_protocol.errors import Conflict, NotFound, Unavailable
from operator_protocol.models import Action, Scalar
from operatord.subjects.base import Acting, Observation, Servers
from operatord.subjects.valkey.control import ValkeyControl
from operatord.subjects.valkey.probe import ValkeyProbe
from operatord.subjects.valkey.wire import NodeClient

ControlFactory = Callable[..., ValkeyControl]
LookUntil = Callable[[ValkeyProbe, Callable[[Observation], bool]], Awaitable[Observation]]


def action(kind: str, target: str, **params: Scalar) -> Action:
    return Action(1, None, kind, target, "approved", params)


@asynccontextmanager
async def cluster(control: ValkeyControl) -> AsyncIterator[ValkeyProbe]:
    await control.start(lambda _: None)
    probe = ValkeyProbe(control.spec)
    try:
        yield probe
    finally:
        await probe.close()


async def ask(control: ValkeyControl, name: str, *command: str | int) -> Any:
    member = next(member for member in control.spec.members if member.id == name)
    client = NodeClient(member.id, member.host, member.port)
    try:
        return await client.command(*command, deadline_s=5)
    finally:
        client.close()


def is_well(seen: Observation) -> bool:
    return seen.ok is True


def test_each_action_does_what_it_says_and_is_refused_when_it_does_not_apply(
    make_control: ControlFactory, servers: Servers, look_until: LookUntil
) -> None:
    control = make_control()
    assert isinstance(control, Acting)

    async def refused(error: type[Exception], match: str, *wanted: Action) -> None:
        for one in wanted:
            for attempt in (control.check, control.act):
                with pytest.raises(error, match=match):
                    await attempt(one)

    async def story() -> None:
        async with cluster(control) as probe:
            await refused(NotFound, "no node", action("start_server", "valkey-9"))
            await refused(NotFound, "no action 'explode'", action("explode", "valkey-0"))

            # start_server
            await refused(Conflict, "runs already", action("start_server", "valkey-0"))
            servers.signal("valkey-0", signal.SIGKILL)
            await look_until(probe, lambda seen: _role(seen, "valkey-3") == "primary")
            assert await control.check(action("start_server", "valkey-0")) == "start valkey-0 on its data"
            assert servers.pid("valkey-0") is None, "a check does nothing"
            await refused(
                Conflict, "does not run", action("resume_server", "valkey-0"), action("restart_server", "valkey-0")
            )
            await refused(Conflict, "no replica in sync", action("restart_server", "valkey-3"))
            await refused(Conflict, "no replica is in sync", action("failover", "valkey-3"))
            assert "was started" in await control.act(action("start_server", "valkey-0"))
            await look_until(probe, is_well)

            # resume_server, and restart_server of one that is stopped
            await refused(Conflict, "not stopped by a signal", action("resume_server", "valkey-4"))
            servers.signal("valkey-4", signal.SIGSTOP)
            pid = servers.pid("valkey-4")
            assert pid is not None
            await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
            assert "SIGCONT" in await control.check(action("resume_server", "valkey-4"))
            assert "goes on" in await control.act(action("resume_server", "valkey-4"))
            assert servers.pid("valkey-4") == pid
            await look_until(probe, is_well)

            # restart_server of a primary that has a replica
            await control.act(action("restart_server", "valkey-4"))
            assert servers.pid("valkey-4") not in (None, pid)
            await look_until(probe, is_well)

            # failover
            seen = await probe.observe(1.0)
            primary = next(node for node in seen.nodes if node.group == "shard-2" and node.role == "primary").id
            replica = next(node for node in seen.nodes if node.group == "shard-2" and node.role == "replica").id
            await refused(Conflict, "is a replica", action("failover", replica))
            await refused(Conflict, "valkey-3 is in sync", action("failover", primary, to="valkey-3"))
            assert f"have {replica} take the place" in await control.check(action("failover", primary, to=replica))
            await control.act(action("failover", primary, to=replica))
            await look_until(probe, lambda seen: _role(seen, replica) == "primary" and is_well(seen))

            # unpause_clients
            await refused(Conflict, "are not paused", action("unpause_clients", "valkey-5"))
            await ask(control, "valkey-5", "CLIENT", "PAUSE", 60_000, "WRITE")
            assert "CLIENT UNPAUSE" in await control.check(action("unpause_clients", "valkey-5"))
            await control.act(action("unpause_clients", "valkey-5"))
            await refused(Conflict, "are not paused", action("unpause_clients", "valkey-5"))
            await ask(control, "valkey-5", "CLIENT", "PAUSE", 20_000, "ALL")
            await refused(Unavailable, "does not say", action("unpause_clients", "valkey-5"))

    asyncio.run(story())


def _role(seen: Observation, name: str) -> str:
    node = seen.node(name)
    return node.role if node is not None else ""
