"""Options, the server program, ports and ``cluster.json``."""

import contextlib
import itertools
import json
import os
import platform
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest, Unavailable
from operator_protocol.models import Scalar
from operatord.subjects.valkey.binary import server_program
from operatord.subjects.valkey.formation import key_slot
from operatord.subjects.valkey.layout import Layout, PortClaim, plan, slot_range
from operatord.subjects.valkey.settings import Settings

_HOST = "127.0.0.1"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"p99": 3}, "p99"),
        ({"p99_ms": "fast"}, "p99_ms"),
        ({"base_port": 7000.5}, "base_port"),
        ({"base_port": 65000}, "base_port"),
        ({"memory_bytes": 0}, "memory_bytes"),
        ({"silence_s": True}, "silence_s"),
    ],
)
def test_an_option_that_is_wrong_is_refused_by_name(options: dict[str, Scalar], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        Settings.read(options)


def test_options_travel_with_their_defaults() -> None:
    options = Settings.read({"p99_ms": 20}).to_options()
    assert options["p99_ms"] == 20.0
    assert options["cluster_node_timeout_ms"] == 1000
    assert Settings.read(options) == Settings.read({"p99_ms": 20})


def test_the_wheel_brings_a_server_for_this_machine() -> None:
    assert os.access(server_program(), os.X_OK)


def test_a_machine_without_a_server_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unavailable, match="no valkey-server") as raised:
        server_program()
    assert "operatord[daemon]" in raised.value.hint


def test_a_server_on_the_path_serves_where_the_wheel_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_program() == program


def test_free_ports_stay_clear_of_those_that_the_kernel_gives_to_clients(tmp_path: Path) -> None:
    layout = plan(tmp_path, _HOST, 0, 1000)
    start = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = layout.ports + layout.bus_ports
    assert len(set(ports)) == 12
    assert max(ports) < start or start < 12_000


def test_ports_that_another_daemon_claims_are_left_alone_though_nobody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed = plan(tmp_path, _HOST, 0, 1000)
    claim = PortClaim(claimed)
    monkeypatch.setattr(random, "randrange", _aim_at((claimed.ports[0] - 10_000) // 12))
    assert plan(tmp_path, _HOST, 0, 1000).ports[0] != claimed.ports[0]
    claim.release()
    monkeypatch.setattr(random, "randrange", _aim_at((claimed.ports[0] - 10_000) // 12))
    assert plan(tmp_path, _HOST, 0, 1000).ports == claimed.ports


def _aim_at(first: int) -> Callable[[int], int]:
    """Chance that begins with ``first`` and goes on with what follows it."""
    numbers = itertools.count(first)
    return lambda stop: next(numbers) % stop


def _free_base(directory: Path) -> int:
    """A base port whose twelve ports are free now; others may take one at any moment."""
    for _ in range(20):
        base = plan(directory, _HOST, 0, 1000).ports[0]
        with contextlib.suppress(Unavailable):
            plan(directory, _HOST, base, 1000)
            return base
    raise AssertionError("no free ports")


def test_configured_ports_have_their_bus_ports_ten_thousand_above(tmp_path: Path) -> None:
    base = _free_base(tmp_path)
    layout = plan(tmp_path, _HOST, base, 1000)
    assert layout.ports == tuple(range(base, base + 6))
    assert layout.bus_ports == tuple(range(base + 10_000, base + 10_006))


@pytest.mark.parametrize("bus", [False, True])
def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path, bus: bool) -> None:
    base = _free_base(tmp_path)
    taken = base + (10_000 if bus else 0)
    with socket.create_server((_HOST, taken)), pytest.raises(Unavailable) as raised:
        plan(tmp_path, _HOST, base, 1000)
    assert f"port {taken} on {_HOST} is taken" in raised.value.message
    assert ("bus" in raised.value.message) == bus
    assert "base_port = 0" in raised.value.hint


def test_the_layout_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    layout = plan(tmp_path, _HOST, 0, 1500)
    layout.save()
    assert Layout.load(tmp_path) == layout
    layout.forget()
    assert Layout.load(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": "x"}', json.dumps({"ports": [1], "bus_ports": [2]})])
def test_a_layout_that_cannot_be_read_is_no_layout(tmp_path: Path, content: str) -> None:
    (tmp_path / "cluster.json").write_text(content)
    assert Layout.load(tmp_path) is None


def test_data_directories_that_cannot_be_made_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    layout = plan(tmp_path / "file", _HOST, 0, 1000)
    with pytest.raises(Unavailable, match="file"):
        layout.wipe()


def test_slots_are_cut_as_the_command_line_client_of_valkey_does() -> None:
    assert [slot_range(shard) for shard in range(3)] == [(0, 5460), (5461, 10922), (10923, 16383)]


def test_the_slot_of_a_key_is_that_of_the_cluster_specification() -> None:
    assert key_slot("123456789") == 0x31C3
    assert key_slot("foo") == 12182
