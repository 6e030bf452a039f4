"""The way in over TCP, with real sockets on both sides: a broker, a control socket, and peers of every kind."""

import asyncio
import contextlib
import json
import socket as sockets
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.ports import free_pair

from operator_protocol.aio import AsyncFollower
from operator_protocol.endpoint import Endpoint, runtime_endpoint, tcp_endpoint
from operator_protocol.errors import DaemonUnreachable, Unavailable
from operator_protocol.keyfile import CurveKeys
from operatord.audit import AuditLog
from operatord.bus.broker import Broker
from operatord.bus.gate import Gate
from operatord.keys import KeyStore
from operatord.zmq_loop import Context

Peer = zmq.Socket[bytes]


@dataclass
class Guarded:
    """A broker behind a gate."""

    broker: Broker
    gate: Gate
    store: KeyStore
    local: Endpoint
    remote: Endpoint
    clients: Context
    log: list[str]
    audit_file: Path
    sockets: list[Peer] = field(default_factory=list)

    def subscriber(self, keys: CurveKeys | None = None, address: str | None = None) -> Peer:
        socket = self._client(zmq.SUB, keys)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(address or self.remote.frames)
        return socket

    def commander(self, keys: CurveKeys | None = None) -> Peer:
        socket = self._client(zmq.DEALER, keys)
        socket.connect(self.remote.control)
        return socket

    def audit(self, event: str) -> list[dict[str, Any]]:
        if not self.audit_file.exists():
            return []
        found = [json.loads(line) for line in self.audit_file.read_text().splitlines()]
        return [record for record in found if record["event"] == event]

    def _client(self, kind: int, keys: CurveKeys | None) -> Peer:
        socket = self.clients.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        if keys is not None:
            socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public.encode())
            socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret.encode())
            socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server.encode())
        return socket


@asynccontextmanager
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    context: Context = zmq.Context()
    clients: Context = zmq.Context()
    log: list[str] = []
    store = KeyStore(tmp_path)
    audit = AuditLog(tmp_path / "audit.log", on_error=pytest.fail)
    broker = Broker(context, on_listener_error=lambda topic, error: pytest.fail(f"{topic}: {error}"))
    control = context.socket(zmq.ROUTER)
    with tempfile.TemporaryDirectory(prefix="operatord-test-") as directory:
        local, remote = runtime_endpoint(directory), tcp_endpoint(f"tcp://127.0.0.1:{free_pair()}")
        gate = Gate(context, remote.label, store, audit=audit, log=log.append)
        broker.bind(local.frames)
        control.bind(local.control)
        gate.open(broker.socket, control, nudge_frames=broker.nudge)
        bus = Guarded(broker, gate, store, local, remote, clients, log, tmp_path / "audit.log")
        try:
            yield bus
        finally:
            gate.close()
            control.close(linger=0)
            broker.close()
            gate.shut()
            context.destroy(linger=0)
            clients.destroy(linger=0)
            audit.close()


async def until(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        await asyncio.sleep(0.01)


def received(socket: Peer) -> int:
    count = 0
    while socket.poll(0):
        socket.recv_multipart()
        count += 1
    return count


async def gets(socket: Peer, frames: int) -> None:
    """Wait until the subscriber has got so many."""
    count = 0

    def enough() -> bool:
        nonlocal count
        count += received(socket)
        return count >= frames

    await until(enough, f"{frames} frames")


async def hears(bus: Guarded, socket: Peer) -> None:
    """Wait until the subscriber gets what is published now."""

    def tried() -> bool:
        bus.broker.heartbeat()
        return received(socket) > 0

    await until(tried, "a frame")


async def noticed(bus: Guarded, name: str) -> None:
    """Wait until the gate has seen that this key is revoked."""
    await until(lambda: any(f"revoked: {name}" in line for line in bus.log), "the daemon to notice")


async def publish_while(bus: Guarded, frames: int = 100) -> None:
    for _ in range(frames):
        bus.broker.heartbeat()
        await asyncio.sleep(0.005)


def test_both_kinds_of_key_get_frames_and_ipc_needs_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(tmp_path) as bus:
            for keys in (bus.store.create("console", "control"), bus.store.create("wall", "read")):
                await hears(bus, bus.subscriber(keys))
            await hears(bus, bus.subscriber(address=bus.local.frames))

    asyncio.run(scenario())


def test_no_key_an_unknown_key_plain_and_the_wrong_daemon_get_nothing_and_are_logged(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(tmp_path) as bus:
            known = bus.store.create("wall", "read")
            stranger = KeyStore(tmp_path / "elsewhere").create("wall", "read")
            plain = bus._client(zmq.SUB, None)
            plain.setsockopt(zmq.PLAIN_USERNAME, b"root")
            plain.setsockopt(zmq.PLAIN_PASSWORD, b"root")
            plain.setsockopt(zmq.SUBSCRIBE, b"")
            plain.connect(bus.remote.frames)
            refused = [
                bus.subscriber(),
                plain,
                bus.subscriber(stranger._replace(server=known.server)),
                bus.subscriber(known._replace(server=stranger.server)),
                bus.commander(),
                bus.commander(stranger._replace(server=known.server)),
            ]
            for peer in refused[4:]:
                peer.send_multipart([b"", b"ping"])
            admitted = bus.subscriber(known)
            await hears(bus, admitted)
            await publish_while(bus)
            await gets(admitted, 90)
            assert [received(peer) for peer in refused] == [0] * len(refused)

            denied = bus.audit("denied")
            assert {(one["domain"], one["key"]) for one in denied if one["key"]} == {
                ("frames", stranger.public),
                ("control", stranger.public),
            }
            reasons = " ".join(one["reason"] for one in denied)
            for reason in ("not known", "it has no key", "this daemon's public key"):
                assert reason in reasons
            assert {one["address"] for one in denied} <= {"127.0.0.1", None}
            assert sum("refused" in line for line in bus.log) == len(denied) < 20

    asyncio.run(scenario())


def test_a_revoked_key_hears_nothing_more_and_the_others_are_back_after_one_resync(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(tmp_path) as bus:
            wall, other = bus.store.create("wall", "read"), bus.store.create("other", "read")
            revoked, kept = bus.subscriber(wall), bus.subscriber(other)
            local = bus.subscriber(address=bus.local.frames)
            for socket in (revoked, kept, local):
                await hears(bus, socket)
            bus.store.revoke("wall")
            await noticed(bus, "wall")
            await until(lambda: bus.audit("denied"), "the revoked one to be refused when it comes back")
            received(revoked)
            await hears(bus, kept)
            received(local)
            await publish_while(bus)
            await gets(kept, 90)
            await gets(local, 100)
            assert received(revoked) == 0
            denied = bus.audit("denied")[0]
            assert (denied["actor"], denied["reason"]) == ("wall", "the key is revoked")

    asyncio.run(scenario())


def test_revoking_a_key_that_is_not_there_disturbs_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(tmp_path) as bus:
            bus.store.create("gone", "read")
            kept = bus.subscriber(bus.store.create("other", "read"))
            await hears(bus, kept)
            bus.store.revoke("gone")
            await noticed(bus, "gone")
            received(kept)
            await publish_while(bus)
            await gets(kept, 100)

    asyncio.run(scenario())


def test_keys_can_come_and_go_many_times(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(tmp_path) as bus:
            kept = bus.subscriber(bus.store.create("kept", "read"))
            await hears(bus, kept)
            for number in range(5):
                guest = bus.subscriber(bus.store.create(f"guest-{number}", "read"))
                await hears(bus, guest)
                bus.store.revoke(f"guest-{number}")
                await noticed(bus, f"guest-{number}")
                received(kept)
                await hears(bus, kept)
            assert not [line for line in bus.log if "cannot" in line]

    asyncio.run(scenario())


def test_the_asyncio_client_is_told_that_its_key_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(tmp_path) as bus:
            keys = bus.store.create("wall", "read")
            bus.store.revoke("wall")
            async with AsyncFollower(bus.remote._replace(curve=keys)) as follower:
                with pytest.raises(DaemonUnreachable, match="refuses the key 'wall'"):
                    await follower.join(10)
                with pytest.raises(DaemonUnreachable):
                    await follower.perform("ping")
                with pytest.raises(DaemonUnreachable):
                    async for _ in follower.events():
                        pass

    asyncio.run(scenario())


def test_a_port_scan_and_garbage_do_no_harm(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(tmp_path) as bus:
            port = int(bus.remote.frames.rpartition(":")[2])
            for data in (
                b"",
                b"GET / HTTP/1.0\r\n\r\n",
                b"\xff" * 1000,
                b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0CURVE" + b"\0" * 99,
            ):
                for target in (port, port + 1):
                    with sockets.create_connection(("127.0.0.1", target)) as visitor:
                        visitor.sendall(data)
            await hears(bus, bus.subscriber(bus.store.create("wall", "read")))

    asyncio.run(scenario())


def test_who_has_not_shown_a_key_cannot_have_the_daemon_hold_much_for_it(tmp_path: Path) -> None:
    greeting = b"\xff" + b"\0" * 8 + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + b"\0" * 32
    too_long = b"\x06" + (2 << 20).to_bytes(8, "big")

    async def scenario() -> None:
        async with guarded(tmp_path) as bus:
            for address in (bus.remote.frames, bus.remote.control):
                port = int(address.rpartition(":")[2])
                with sockets.create_connection(("127.0.0.1", port), timeout=30) as stranger:
                    stranger.sendall(greeting)
                    await asyncio.to_thread(_read_to_the_end_after, stranger, too_long)

    asyncio.run(scenario())


def _read_to_the_end_after(peer: sockets.socket, data: bytes) -> None:
    """Greet, send ``data``, and be cut off; the timeout of the socket is below that of the handshake."""
    greeting = b""
    while len(greeting) < 64:
        greeting += peer.recv(64 - len(greeting))
    peer.sendall(data)
    with contextlib.suppress(ConnectionResetError):
        while peer.recv(4096):
            pass


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(tmp_path) as first:
            context: Context = zmq.Context()
            audit = AuditLog(tmp_path / "second", on_error=pytest.fail)
            gate = Gate(context, first.remote.label, first.store, audit=audit, log=lambda _: None)
            with pytest.raises(Unavailable, match=first.remote.label) as taken:
                gate.open(context.socket(zmq.XPUB), context.socket(zmq.ROUTER), nudge_frames=lambda: None)
            assert "[listen] tcp" in taken.value.hint
            gate.close()
            gate.shut()
            context.destroy(linger=0)

    asyncio.run(scenario())


def test_without_its_handler_the_door_lets_nobody_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with guarded(tmp_path) as bus:
            keys = bus.store.create("wall", "read")
            bus.gate.shut()
            socket = bus.subscriber(keys)
            local = bus.subscriber(address=bus.local.frames)
            await hears(bus, local)
            await publish_while(bus)
            await gets(local, 100)
            assert received(socket) == 0

    asyncio.run(scenario())
