"""The real cluster of six servers: formed, observed, broken, brought back."""

import asyncio
import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.supervisor.subjects.conftest import PlainServers

from operator_protocol.errors import BadRequest, Conflict, NotFound, Unavailable
from operator_protocol.models import Fault, Scalar
from operatord.subjects.base import Observation, Servers
from operatord.subjects.valkey.control import ValkeyControl
from operatord.subjects.valkey.formation import key_slot
from operatord.subjects.valkey.layout import plan
from operatord.subjects.valkey.probe import ValkeyProbe
from operatord.subjects.valkey.wire import NodeClient

ControlFactory = Callable[..., ValkeyControl]
LookUntil = Callable[[ValkeyProbe, Callable[[Observation], bool]], Awaitable[Observation]]

_NODES = [f"valkey-{index}" for index in range(6)]
_PATIENT_MS = 10_000
"""A node timeout where no failover is wanted, however late a server is."""


def _quiet(_: str) -> None:
    """Nobody reads the progress."""


@asynccontextmanager
async def _watching(control: ValkeyControl) -> AsyncIterator[ValkeyProbe]:
    probe = ValkeyProbe(control.spec)
    try:
        yield probe
    finally:
        await probe.close()


@asynccontextmanager
async def _cluster(control: ValkeyControl) -> AsyncIterator[ValkeyProbe]:
    await control.start(_quiet)
    async with _watching(control) as probe:
        yield probe


def _client(control: ValkeyControl, name: str) -> NodeClient:
    member = next(member for member in control.spec.members if member.id == name)
    return NodeClient(member.id, member.host, member.port)


async def _command(control: ValkeyControl, name: str, *command: str | int) -> object:
    client = _client(control, name)
    try:
        return await client.command(*command, deadline_s=5)
    finally:
        client.close()


def _fault(kind: str, target: str) -> Fault:
    return Fault(id=f"{kind}-{target}", kind=kind, target=target, state="active", owed=True)


async def _inject(control: ValkeyControl, kind: str, target: str) -> tuple[Fault, dict[str, Scalar]]:
    fault = _fault(kind, target)
    memo = dict(await control.prepare(fault))
    await control.inject(fault, memo)
    return fault, memo


def _broken(probe: ValkeyProbe, seen: Observation) -> set[str]:
    """Breaches before grace; latency is left out, because the machine that runs the tests may be slow itself."""
    return {one.name for one in probe.invariants() if one.name != "p99_latency" and one.check(seen)}


def _role(seen: Observation, name: str) -> str:
    node = seen.node(name)
    assert node is not None
    return node.role


def _all_slots_served(seen: Observation) -> bool:
    return seen.metrics["slots_served"] == 16384 and seen.metrics["cluster_ok"] == 1


def _key_of(slots: str) -> str:
    first, last = (int(slot) for slot in slots.split("-"))
    return next(key for number in range(10_000) if first <= key_slot(key := f"key:{number}") <= last)


def test_six_servers_become_a_healthy_cluster_that_is_seen_as_such(make_control: ControlFactory) -> None:
    async def scenario() -> None:
        control = make_control(cluster_node_timeout_ms=_PATIENT_MS)
        told: list[str] = []
        await control.start(told.append)
        assert told[-1].startswith("the cluster is healthy")
        async with _watching(control) as probe:
            seen = await probe.observe(2)
            assert (seen.ok, seen.reason) == (True, "")
            assert [node.role for node in seen.nodes] == ["primary"] * 3 + ["replica"] * 3
            assert [node.detail.get("primary") for node in seen.nodes][3:] == _NODES[:3]
            assert seen.metrics["slots_served"] == 16384
            assert _broken(probe, seen) == set()
            shown = await _command(control, "valkey-0", "DBSIZE")
            assert shown == 0, "the first write was taken away again"
        await control.stop()

    asyncio.run(scenario())


def test_the_load_is_seen_in_operations_and_latency_of_the_nodes(make_control: ControlFactory) -> None:
    async def scenario() -> None:
        async with _cluster(make_control(cluster_node_timeout_ms=_PATIENT_MS)) as probe:
            before = await probe.observe(2)
            primary = before.nodes[0]
            host, _, port = primary.address.rpartition(":")
            client = NodeClient(primary.id, host, int(port))
            key = _key_of(str(primary.detail["slots"]))
            for number in range(200):
                await client.ask(("HSET", key, "field0", number), ("HGETALL", key), deadline_s=2)
            client.close()
            after = await probe.observe(2)
            assert int(after.nodes[0].detail["commands"] or 0) - int(primary.detail["commands"] or 0) == 400
            assert float(after.nodes[0].detail["ops_per_sec"] or 0) > 0
            assert after.nodes[0].detail["command_p99_ms"] is not None
            assert after.nodes[1].detail["ops_per_sec"] == 0
            for _ in range(16):
                after = await probe.observe(2)
            assert after.nodes[0].detail["p99_ms"] is not None

    asyncio.run(scenario())


def test_a_killed_primary_is_seen_at_once_and_comes_back_as_a_replica_with_its_data(
    make_control: ControlFactory, servers: Servers, look_until: LookUntil
) -> None:
    async def scenario() -> None:
        control = make_control()
        async with _cluster(control) as probe:
            key = _key_of("10923-16383")
            await _command(control, "valkey-2", "SET", key, "kept")
            fault, memo = await _inject(control, "kill", "valkey-2")
            seen = await probe.observe(0.5)
            assert seen.ok is False
            assert "valkey-2 is down" in seen.reason
            assert seen.node("valkey-2") in [node for node in seen.nodes if node.state == "down"]
            assert "node_down" in _broken(probe, seen)
            assert control.remains(fault, memo, seen) == "valkey-2 is not running"

            seen = await look_until(probe, _all_slots_served)
            assert _role(seen, "valkey-5") == "primary"
            assert _role(seen, "valkey-2") == "replica"
            assert {"node_down", "primary_without_replica"} <= _broken(probe, seen)
            assert await _command(control, "valkey-5", "GET", key) == "kept"

            await control.undo(fault, memo)
            assert control.remains(fault, memo, seen), "a look from before the undo proves nothing"
            seen = await look_until(probe, lambda seen: not control.remains(fault, memo, seen))
            assert seen.ok, seen.reason
            assert _role(seen, "valkey-2") == "replica"
            assert _broken(probe, seen) == set()
            pid = servers.pid("valkey-2")
            await control.undo(fault, memo)
            assert servers.pid("valkey-2") == pid, "an undo that is done again changes nothing"

    asyncio.run(scenario())


def test_a_paused_primary_is_down_within_the_deadline_of_a_look_and_a_replica_after_it_was_woken(
    make_control: ControlFactory, look_until: LookUntil
) -> None:
    async def scenario() -> None:
        control = make_control()
        async with _cluster(control) as probe:
            await probe.observe(2)
            fault, memo = await _inject(control, "pause", "valkey-0")
            started = time.monotonic()
            seen = await probe.observe(1)
            assert time.monotonic() - started < 3, "a node that is silent must not hold up the look"
            node = seen.node("valkey-0")
            assert node is not None
            assert (node.state, node.detail["process_state"]) == ("down", "stopped")
            assert node.signals["process"] == "up"
            assert [other.state for other in seen.nodes[1:]] == ["up"] * 5
            assert control.remains(fault, memo, seen) == "valkey-0 is stopped by a signal"
            evidence = " ".join(item.text for item in await probe.evidence("valkey-0", 0.3))
            assert "stopped by a signal (state T in /proc)" in evidence
            seen = await look_until(probe, _all_slots_served)
            assert _role(seen, "valkey-3") == "primary"
            await control.undo(fault, memo)
            seen = await look_until(probe, lambda seen: not control.remains(fault, memo, seen))
            assert seen.ok, seen.reason
            assert _role(seen, "valkey-0") == "replica"

    asyncio.run(scenario())


def test_only_time_in_which_a_node_was_asked_counts_as_its_silence(make_control: ControlFactory) -> None:
    async def scenario() -> None:
        control = make_control()
        async with _cluster(control) as probe:
            await probe.observe(2)
            await _command(control, "valkey-4", "CLIENT", "PAUSE", 3_600_000, "ALL")
            await asyncio.sleep(1.0)  # nobody asks
            looking = asyncio.create_task(probe.observe(0.3))
            await asyncio.sleep(0.1)
            time.sleep(1.2)  # noqa: ASYNC251 - nobody listens
            node = (await looking).node("valkey-4")
            assert node is not None
            assert (node.state, node.detail["contact"]) == ("degraded", "silent")
            assert isinstance(silent_for_s := node.detail["silent_for_s"], float)
            assert silent_for_s < 0.8
            await asyncio.sleep(0.5)
            node = (await probe.observe(0.3)).node("valkey-4")
            assert node is not None
            assert node.state == "down", "two looks without an answer"

    asyncio.run(scenario())


def test_servers_that_stand_still_for_a_while_become_a_cluster_all_the_same(
    make_control: ControlFactory, servers: Servers
) -> None:
    async def scenario() -> None:
        control = make_control()
        starting = asyncio.create_task(control.start(_quiet))
        while servers.pid("valkey-5") is None:
            await asyncio.sleep(0.005)
        for nap in range(3):
            # At different steps of the formation.
            for name in ("valkey-1", "valkey-5"):
                servers.signal(name, signal.SIGSTOP)
            await asyncio.sleep(2.3)
            for name in ("valkey-1", "valkey-5"):
                servers.signal(name, signal.SIGCONT)
            await asyncio.wait((starting,), timeout=0.05 * (nap + 1))
            if starting.done():
                break
        await starting
        async with _watching(control) as probe:
            assert _all_slots_served(await probe.observe(2))

    asyncio.run(scenario())


def test_a_shard_that_lost_both_nodes_is_uncovered_and_whole_again_after_the_undo(
    make_control: ControlFactory, look_until: LookUntil
) -> None:
    async def scenario() -> None:
        control = make_control()
        async with _cluster(control) as probe:
            key = _key_of("5461-10922")
            await _command(control, "valkey-1", "SET", key, "kept")
            await probe.observe(2)
            owed = [await _inject(control, "kill", name) for name in ("valkey-4", "valkey-1")]
            seen = await look_until(probe, lambda seen: not seen.metrics["cluster_ok"])
            assert {"node_down", "slot_uncovered", "cluster_state"} <= _broken(probe, seen)
            assert "slots 5461-10922 uncovered" in seen.reason
            assert [seen.nodes[index].state for index in (0, 2, 3, 5)] == ["up"] * 4
            for fault, memo in owed:
                await control.undo(fault, memo)
            seen = await look_until(
                probe, lambda seen: not any(control.remains(fault, memo, seen) for fault, memo in owed)
            )
            assert seen.ok, seen.reason
            assert _broken(probe, seen) == set()
            owner = next(node.id for node in seen.nodes if node.group == "shard-1" and node.leader)
            assert await _command(control, owner, "GET", key) == "kept"

    asyncio.run(scenario())


def test_a_node_that_stands_still_most_of_the_time_is_slow_though_its_commands_are_quick(
    make_control: ControlFactory, servers: Servers, look_until: LookUntil
) -> None:
    def slow(node: str, over: threading.Event) -> None:
        while not over.wait(0.006):
            servers.signal(node, signal.SIGSTOP)
            time.sleep(0.024)
            servers.signal(node, signal.SIGCONT)

    async def scenario() -> None:
        control = make_control()
        async with _cluster(control) as probe:
            (latency,) = [one for one in probe.invariants() if one.name == "p99_latency"]
            over = threading.Event()
            slowing = asyncio.create_task(asyncio.to_thread(slow, "valkey-1", over))
            try:
                await look_until(probe, lambda seen: "valkey-1" in {breach.node for breach in latency.check(seen)})
            finally:
                over.set()
                await slowing

    asyncio.run(scenario())


def test_stopped_and_restarted_servers_come_back_and_a_restart_is_owed_until_then(
    make_control: ControlFactory, look_until: LookUntil
) -> None:
    async def scenario() -> None:
        control = make_control()
        async with _cluster(control) as probe:
            before = await probe.observe(2)
            stopped, stop_memo = await _inject(control, "stop", "valkey-4")
            restarted, restart_memo = await _inject(control, "restart", "valkey-0")
            assert control.remains(restarted, restart_memo, before), "an old look proves nothing"
            seen = await probe.observe(2)
            assert control.remains(stopped, stop_memo, seen) == "valkey-4 is not running"
            assert control.remains(restarted, restart_memo, seen), "started is not yet healthy"
            await control.undo(stopped, stop_memo)
            await look_until(probe, lambda seen: not control.remains(stopped, stop_memo, seen))
            seen = await look_until(probe, lambda seen: not control.remains(restarted, restart_memo, seen))
            assert seen.nodes[0].detail["run_id"] != before.nodes[0].detail["run_id"]
            seen = await look_until(probe, lambda seen: seen.ok is True)
            assert _broken(probe, seen) == set()

    asyncio.run(scenario())


def test_a_fault_on_another_shard_does_not_keep_one_from_being_recovered(
    make_control: ControlFactory, look_until: LookUntil
) -> None:
    async def scenario() -> None:
        control = make_control()
        async with _cluster(control) as probe:
            mine, my_memo = await _inject(control, "kill", "valkey-3")
            other, other_memo = await _inject(control, "kill", "valkey-5")
            await control.undo(mine, my_memo)
            seen = await look_until(probe, lambda seen: not control.remains(mine, my_memo, seen))
            assert seen.ok is False
            assert control.remains(other, other_memo, seen) == "valkey-5 is not running"

    asyncio.run(scenario())


def test_a_cluster_that_is_kept_is_adopted_with_its_dead_started_and_its_stopped_woken(
    make_control: ControlFactory, servers: Servers, look_until: LookUntil
) -> None:
    async def scenario() -> None:
        first = make_control(keep=True)
        await first.start(_quiet)
        key = _key_of("0-5460")
        await _command(first, "valkey-0", "SET", key, "kept")
        await first.stop()
        pids = {name: servers.pid(name) for name in _NODES}
        assert None not in pids.values(), "a cluster that is kept outlives its daemon"
        servers.signal("valkey-4", signal.SIGSTOP)
        servers.signal("valkey-5", signal.SIGKILL)
        while servers.pid("valkey-5") is not None:
            await asyncio.sleep(0.01)

        second = make_control(keep=True)
        told: list[str] = []
        await second.start(told.append)
        assert "adopting 5 running servers, starting valkey-5" in told
        assert {name: servers.pid(name) for name in _NODES[:5]} == {name: pids[name] for name in _NODES[:5]}
        assert second.spec == first.spec
        async with _watching(second) as probe:
            assert (await look_until(probe, lambda seen: seen.ok is True)).ok
        assert await _command(second, "valkey-0", "GET", key) == "kept"

    asyncio.run(scenario())


def test_without_keep_what_still_runs_is_ended_and_the_data_is_fresh(
    make_control: ControlFactory, servers: Servers
) -> None:
    async def scenario() -> None:
        first = make_control(keep=True)
        await first.start(_quiet)
        await _command(first, "valkey-0", "SET", _key_of("0-5460"), "gone")
        servers.signal("valkey-3", signal.SIGSTOP)
        pids = {servers.pid(name) for name in _NODES}

        second = make_control()
        await second.start(_quiet)
        assert not pids & {servers.pid(name) for name in _NODES}
        assert await _command(second, "valkey-0", "DBSIZE") == 0
        await second.stop()
        assert {servers.pid(name) for name in _NODES} == {None}
        assert make_control().spec.members == []

    asyncio.run(scenario())


def test_a_kept_cluster_whose_servers_are_all_gone_is_started_on_its_data(
    make_control: ControlFactory, servers: Servers
) -> None:
    async def scenario() -> None:
        first = make_control(keep=True)
        await first.start(_quiet)
        key = _key_of("0-5460")
        await _command(first, "valkey-0", "SET", key, "kept")
        for name in _NODES:
            await servers.terminate(name)
        second = make_control(keep=True)
        await second.start(_quiet)
        assert await _command(second, "valkey-0", "GET", key) == "kept"

    asyncio.run(scenario())


def test_servers_that_never_became_a_cluster_are_not_adopted(make_control: ControlFactory, servers: Servers) -> None:
    async def scenario() -> None:
        first = make_control(keep=True, start_timeout_s=20)
        starting = asyncio.create_task(first.start(_quiet))
        while servers.pid("valkey-5") is None:
            await asyncio.sleep(0.01)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        pids = {servers.pid(name) for name in _NODES}

        second = make_control(keep=True)
        await second.start(_quiet)
        assert not pids & {servers.pid(name) for name in _NODES}

    asyncio.run(scenario())


def test_an_undo_works_without_a_start_as_recover_needs_it(make_control: ControlFactory, look_until: LookUntil) -> None:
    async def scenario() -> None:
        daemon = make_control(keep=True)
        async with _cluster(daemon):
            fault, memo = await _inject(daemon, "pause", "valkey-1")
        later = make_control(keep=True)
        assert later.spec == daemon.spec
        await later.undo(fault, memo)
        async with _watching(later) as probe:
            await look_until(probe, lambda seen: not later.remains(fault, memo, seen))

    asyncio.run(scenario())


def test_a_dead_server_is_revived(make_control: ControlFactory, servers: Servers, look_until: LookUntil) -> None:
    async def scenario() -> None:
        control = make_control()
        async with _cluster(control) as probe:
            servers.signal("valkey-5", signal.SIGKILL)
            await look_until(probe, lambda seen: seen.ok is False)
            await control.revive("valkey-5")
            pid = servers.pid("valkey-5")
            await control.revive("valkey-5")
            assert servers.pid("valkey-5") == pid, "a server that runs is left alone"
            await look_until(probe, lambda seen: seen.ok is True)

    asyncio.run(scenario())


def test_a_server_that_copies_its_primary_ends_when_it_is_stopped_and_need_not_be_killed(
    make_control: ControlFactory, servers: PlainServers
) -> None:
    async def scenario() -> None:
        control = make_control()
        async with _cluster(control):
            for name in ("valkey-3", "valkey-4"):
                await _inject(control, "restart", name)
                await control.revive(name)
                await _inject(control, "stop", name)
                assert servers.exit_code(name) == 0

    asyncio.run(scenario())


def test_what_cannot_be_broken_is_refused_with_the_reason(make_control: ControlFactory) -> None:
    async def scenario() -> None:
        control = make_control()
        with pytest.raises(Unavailable, match="no Valkey cluster"):
            await control.prepare(_fault("kill", "valkey-0"))
        async with _cluster(control):
            with pytest.raises(NotFound, match="valkey-9"):
                await control.prepare(_fault("kill", "valkey-9"))
            with pytest.raises(NotFound, match="melt"):
                await control.prepare(_fault("melt", "valkey-0"))
            with pytest.raises(NotFound, match="melt"):
                await control.inject(_fault("melt", "valkey-0"), {})
            await _inject(control, "kill", "valkey-3")
            with pytest.raises(Conflict, match="valkey-3 does not run"):
                await control.prepare(_fault("pause", "valkey-3"))

    asyncio.run(scenario())


def test_a_base_port_that_is_taken_fails_the_start_and_leaves_nothing_running(
    make_control: ControlFactory, servers: Servers, tmp_path: Path
) -> None:
    async def scenario() -> None:
        base = plan(tmp_path, "127.0.0.1", 0, 1000).ports[0]
        with socket.create_server(("127.0.0.1", base + 2)), pytest.raises(Unavailable, match=f"port {base + 2} "):
            await make_control(base_port=base).start(_quiet)
        assert {servers.pid(name) for name in _NODES} == {None}

    asyncio.run(scenario())


def test_a_configured_base_port_is_where_the_servers_listen(make_control: ControlFactory, tmp_path: Path) -> None:
    async def scenario() -> None:
        for _ in range(5):  # what is free now may be somebody else's a moment later
            base = plan(tmp_path, "127.0.0.1", 0, 1000).ports[0]
            control = make_control(base_port=base)
            with contextlib.suppress(Unavailable):
                await control.start(_quiet)
                break
        async with _watching(control) as probe:
            assert [member.port for member in control.spec.members] == list(range(base, base + 6))
            assert (await probe.observe(2)).ok

    asyncio.run(scenario())


def test_an_unknown_option_is_refused_when_the_subject_is_made(make_control: ControlFactory) -> None:
    with pytest.raises(BadRequest, match="base_prot"):
        make_control(base_prot=7000)


def test_the_load_runs_our_client_against_all_nodes(make_control: ControlFactory, tmp_path: Path) -> None:
    directory = tmp_path / "state" / "valkey"
    directory.mkdir(parents=True)
    layout = plan(directory, "127.0.0.1", 0, 1000)
    layout.save()
    source = make_control(workload_rate=1500).workload()
    assert source.command[:4] == [sys.executable, "-m", "operatord.ycsb", "run"]
    hosts = source.command[source.command.index("--hosts") + 1]
    assert hosts == ",".join(f"127.0.0.1:{port}" for port in layout.ports)
    assert source.command[source.command.index("--target") + 1] == "1500"
    assert (source.rate, source.line_format) == (1500.0, "ycsb")
