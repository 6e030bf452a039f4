"""A real daemon on TCP: who gets in, who is put out, and what the audit log tells of it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.clients.viewer.terminal import Terminal
from tests.ports import free_pair

from operator_protocol.codec import unpack
from operator_protocol.endpoint import Endpoint, resolve_endpoint
from operator_protocol.errors import DaemonUnreachable, Unauthorized
from operator_protocol.events import Event, Resynced
from operator_protocol.follow import Follower
from operator_protocol.keyfile import CurveKeys, encode_key_file, read_key_file
from operator_protocol.requests import Requester, encode_command, new_id

from .real_daemon import BIN, RealDaemon, run, until

HEARTBEATS_S = 3.0


class GuardedDaemon(RealDaemon):
    """A daemon that listens on TCP as well."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.directory = directory
        self.address = f"tcp://127.0.0.1:{free_pair()}"
        self.config = directory / "c.toml"
        self.config.write_text(f'[listen]\ntcp = "{self.address}"\n')

    def key(self, name: str, *options: str) -> Path:
        file = self.directory / f"{name}.key"
        done = self.operatord("keys", "new", name, "--out", str(file), *options)
        assert read_key_file(str(file)).secret not in done.stdout + done.stderr
        assert self.address in done.stderr
        return file

    def operatord(self, command: str, *options: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        # Options come after the subcommand of `keys`.
        return run([str(BIN / "operatord"), command, *options, *self.directories], check=check)

    def revoke(self, name: str) -> None:
        self.operatord("keys", "revoke", name)

    def remote(self, key: Path) -> Endpoint:
        return resolve_endpoint(self.address, {}, key=str(key))

    def over_tcp(self, key: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run([str(BIN / "operatorctl"), "--endpoint", self.address, "--key", str(key), *arguments], check=False)

    def audit(self, event: str) -> list[dict[str, Any]]:
        lines = (self.state_dir / "audit.log").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["event"] == event]

    def commands_of(self, actor: str) -> list[tuple[str, str]]:
        return [(one["cmd"], one["outcome"]) for one in self.audit("command") if one["actor"] == actor]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedDaemon]:
    daemon = GuardedDaemon(tmp_path_factory.mktemp("d"))
    try:
        daemon.start("--config", str(daemon.config))
        yield daemon
    finally:
        daemon.end()


@contextlib.contextmanager
def raw_peer(kind: int, address: str, keys: CurveKeys | None = None) -> "Iterator[zmq.Socket[bytes]]":
    """A peer that uses nothing but pyzmq."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    if keys is not None:
        socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret.encode())
        socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server.encode())
    if kind == zmq.SUB:
        socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(address)
    try:
        yield socket
    finally:
        context.destroy(linger=0)


def one_line(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_both_clients_work_over_tcp_with_the_right_keys(guarded: GuardedDaemon) -> None:
    console, wall = guarded.key("console", "--control"), guarded.key("wall")
    assert guarded.over_tcp(console, "status", "--json").returncode == 0
    assert "Stage 1" in guarded.over_tcp(console, "next").stdout
    assert guarded.over_tcp(console, "restart", "ycsb").returncode == 0

    command = [sys.executable, "-m", "operator_clients.viewer", "--endpoint", guarded.address, "--key", str(wall)]
    with Terminal(command, width=120, height=40) as terminal:
        terminal.until("Stage 1")
    assert ("next", "ok") in guarded.commands_of("console")
    assert ("restart", "begun") in guarded.commands_of("console")
    assert ("snapshot", "ok") in guarded.commands_of("wall")


def test_a_peer_without_keys_gets_nothing_while_others_get_heartbeats(guarded: GuardedDaemon) -> None:
    frames, control = guarded.remote(guarded.key("witness"))[:2]
    ping = encode_command("ping", {}, command_id=new_id(), deadline_s=5, actor="nobody")
    with (
        raw_peer(zmq.SUB, frames) as null_frames,
        raw_peer(zmq.DEALER, control) as null_control,
        raw_peer(zmq.SUB, guarded.endpoint.frames) as local,
    ):
        # Whoever was turned away already has nobody to send to, and would wait for ever.
        with contextlib.suppress(zmq.Again):
            null_control.send_multipart([b"", ping], zmq.NOBLOCK)
        beats, deadline = 0, time.monotonic() + 10 * HEARTBEATS_S
        while beats < HEARTBEATS_S:
            assert time.monotonic() < deadline
            if local.poll(100):
                beats += local.recv_multipart()[0] == b"heartbeat"
        assert not null_frames.poll(0)
        assert not null_control.poll(0)

    def denied() -> list[dict[str, Any]]:
        return [one for one in guarded.audit("denied") if one["key"] is None]

    until(lambda: {one["domain"] for one in denied()} == {"frames", "control"}, "both to be written down")
    assert all("it has no key" in one["reason"] for one in denied())


def test_without_a_key_or_with_an_unknown_one_the_client_ends_with_one_line(guarded: GuardedDaemon) -> None:
    bare = run([str(BIN / "operatorctl"), "--endpoint", guarded.address, "status"], check=False)
    assert "--key" in one_line(bare, 3)

    known = read_key_file(str(guarded.key("known")))
    public, secret = (key.decode() for key in zmq.curve_keypair())
    file = guarded.directory / "stranger.key"
    file.touch(0o600)
    file.write_bytes(encode_key_file(known._replace(name="stranger", public=public, secret=secret)))
    assert "refuses the key 'stranger'" in one_line(guarded.over_tcp(file, "status"), 3)
    assert "refuses the key 'stranger'" in one_line(guarded.over_tcp(file, "events", "--follow"), 3)
    viewer = [str(BIN / "operator-viewer"), "--plain", "--endpoint", guarded.address, "--key", str(file)]
    assert "refuses the key 'stranger'" in one_line(run(viewer, check=False), 3)
    denied = [one for one in guarded.audit("denied") if one["key"] == public]
    assert denied
    assert denied[0] | {"at": 0} == {
        "at": 0,
        "event": "denied",
        "domain": "control",
        "address": "127.0.0.1",
        "mechanism": "CURVE",
        "key": public,
        "actor": None,
        "reason": "the key is not known",
    }


def test_a_read_key_looks_but_does_not_touch(guarded: GuardedDaemon) -> None:
    reader = guarded.key("reader")
    for command in ("status", "processes", "tickets"):
        assert guarded.over_tcp(reader, command).returncode == 0
    for command in ("fault --no-wait", "next", "workload start", "restart valkey-0"):
        assert "'reader' is a read key" in one_line(guarded.over_tcp(reader, *command.split()), 1)
    with Requester(guarded.remote(reader)) as requester, pytest.raises(Unauthorized):
        requester.command("shutdown")
    assert guarded.status()["faults"] == []
    refused = {cmd for cmd, outcome in guarded.commands_of("reader") if outcome == "unauthorized"}
    assert refused == {"fault", "next", "workload", "restart", "shutdown"}


def test_a_revoked_control_key_is_refused_at_its_next_command(guarded: GuardedDaemon) -> None:
    fired = guarded.key("fired", "--control")
    with Requester(guarded.remote(fired)) as requester:
        requester.command("next")
        guarded.revoke("fired")
        with pytest.raises(Unauthorized, match="'fired' is revoked"):
            requester.command("next")
        with pytest.raises(Unauthorized):
            requester.command("ping")
    assert "refuses the key 'fired'" in one_line(guarded.over_tcp(fired, "status"), 3)
    assert guarded.commands_of("fired") == [("next", "begun"), ("next", "ok"), ("next", "unauthorized")]
    log = (guarded.state_dir / "operatord.log").read_text()
    assert "refused next from fired" in log


def test_a_revoked_read_key_gets_nothing_more_and_the_others_resync_at_most_once(guarded: GuardedDaemon) -> None:
    leaver, stayer = guarded.key("leaver"), guarded.key("stayer")
    with (
        raw_peer(zmq.SUB, guarded.remote(leaver).frames, read_key_file(str(leaver))) as raw,
        Follower(guarded.remote(leaver)) as leaving,
        Follower(guarded.remote(stayer)) as staying,
        guarded.follower() as local,
    ):
        leaving.join(10)
        staying.join(10)
        assert raw.poll(5_000)
        guarded.revoke("leaver")
        revoked_at = time.time()
        events: list[Event] = []
        local_events: list[Event] = []
        with pytest.raises(DaemonUnreachable, match="refuses the key 'leaver'"):
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                leaving.poll(0.1)
                events += staying.poll(0.01)
                local_events += local.poll(0.01)
        until_at = time.monotonic() + HEARTBEATS_S
        while time.monotonic() < until_at:
            events += staying.poll(0.1)
            local_events += local.poll(0.01)

        def both_are_live() -> bool:
            events.extend(staying.poll(0.1))
            local_events.extend(local.poll(0.01))
            return staying.status == local.status == "live" and max(staying.age_s(), local.age_s()) < 2

        until(both_are_live, "the others to be live")
        # One resync is the price; a client that is back before the next frame does not even pay that.
        assert len(resyncs(events)) <= 1
        assert not resyncs(local_events)
        (put_out_at,) = [
            frame.header.wall_ts
            for frame in local.tail
            if frame.topic == "process.operatord.log" and str(frame.body["line"]).startswith("revoked: leaver;")
        ]
        assert put_out_at < revoked_at + 5
        last = 0.0
        while raw.poll(0):
            last = max(last, unpack(raw.recv_multipart()[1])[4])
        assert last < put_out_at + 1
    assert any(one["actor"] == "leaver" and one["domain"] == "frames" for one in guarded.audit("denied"))


def resyncs(events: list[Event]) -> list[str]:
    """Why; but for those of a daemon that was silent, as one is that gets no time."""
    reasons = [event.reason for event in events if isinstance(event, Resynced)]
    return [reason for reason in reasons if not reason.startswith("silent for ")]


def test_the_audit_log_tells_who_came_over_ipc_as_declared(guarded: GuardedDaemon) -> None:
    with Requester(guarded.endpoint, actor="mallory[1]") as requester:
        requester.command("previous")
    found = [one for one in guarded.audit("command") if one["actor"] == "mallory[1]"]
    assert [one["outcome"] for one in found] == ["begun", "ok"]
    assert all(one["declared"] and one["key"] is None for one in found)
    assert all(one["peer"] == f"uid {os.getuid()}, pid {os.getpid()}" for one in found)


def test_the_audit_log_tells_who_made_and_revoked_which_key(guarded: GuardedDaemon) -> None:
    public = read_key_file(str(guarded.key("short-lived"))).public
    guarded.revoke("short-lived")
    for event in ("key.created", "key.revoked"):
        told = next(one for one in guarded.audit(event) if one["name"] == "short-lived")
        assert (told["role"], told["key"]) == ("read", public)
        assert told["peer"].startswith(f"uid {os.getuid()}, pid ")


def test_keys_are_listed_without_their_secrets(guarded: GuardedDaemon) -> None:
    guarded.key("boss", "--control")
    guarded.key("guest")
    listed = json.loads(guarded.operatord("keys", "list", "--json").stdout)["keys"]
    assert {"boss": "control", "guest": "read"}.items() <= {one["name"]: one["role"] for one in listed}.items()
    assert all(set(one) == {"name", "role", "public", "created_at"} for one in listed)
    assert "NAME" in guarded.operatord("keys", "list").stdout


def test_status_says_where_it_listens(guarded: GuardedDaemon) -> None:
    assert guarded.status()["listen"] == guarded.address
    assert guarded.address in guarded.operatord("status").stdout


def test_a_port_that_is_taken_is_one_clear_error(guarded: GuardedDaemon, stopped_daemon: RealDaemon) -> None:
    done = stopped_daemon.start("--config", str(guarded.config), check=False)
    assert done.returncode == 1
    assert f"cannot listen at {guarded.address}" in done.stderr
    assert "[listen] tcp" in done.stderr
    assert "Traceback" not in done.stderr
    assert "while stopping" not in done.stderr


def test_an_address_that_is_everywhere_is_told_by_the_name_of_the_host(stopped_daemon: RealDaemon) -> None:
    config = stopped_daemon.runtime_dir.parent / "c.toml"
    config.write_text('[listen]\ntcp = "tcp://*:7411"\n')
    file = stopped_daemon.runtime_dir.parent / "x.key"
    new = [str(BIN / "operatord"), "keys", "new", "x", "--out", str(file), "--config", str(config)]
    told = run([*new, *stopped_daemon.directories], check=True).stderr
    assert f"--endpoint tcp://{socket.gethostname()}:7411 --key {file}" in told


def test_keys_can_be_made_without_a_daemon_but_no_file_is_overwritten(stopped_daemon: RealDaemon) -> None:
    file = stopped_daemon.runtime_dir.parent / "x.key"
    new = [str(BIN / "operatord"), "keys", "new", *stopped_daemon.directories, "--out", str(file)]
    first = run([*new, "first"], check=True)
    assert "[listen] tcp" in first.stderr
    content = file.read_bytes()
    again = run([*new, "second"], check=False)
    assert again.returncode == 1
    assert "not overwritten" in again.stderr
    assert file.read_bytes() == content
    listing = [str(BIN / "operatord"), "keys", "list", "--json", *stopped_daemon.directories]
    assert [one["name"] for one in json.loads(run(listing, check=True).stdout)["keys"]] == ["first"]
    file.unlink()
    assert run([*new, "first"], check=False).returncode == 1
    assert not file.exists()
