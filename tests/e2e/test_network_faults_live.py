"""The faults of the network on a real isolated cluster, measured from outside the daemon."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.isolated import Talker, abilities, require_isolation, require_part

from operatord.isolation.names import Names

from .network import fault_rules, subnet_of
from .real_daemon import RealDaemon, nodes_of, until

BURST_S = 0.02
"""The bucket of a narrow line holds what passes in this time."""


@pytest.fixture(scope="module")
def shared_isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    require_isolation()
    daemon = RealDaemon(tmp_path_factory.mktemp("d"))
    try:
        daemon.start("--isolate")
        yield daemon
    finally:
        daemon.end()


@pytest.fixture
def daemon(shared_isolated: RealDaemon) -> Iterator[RealDaemon]:
    """Healthy before, and nothing of a fault left after."""
    until(lambda: shared_isolated.status()["health"]["ok"], "the cluster to be healthy")
    yield shared_isolated
    shared_isolated.ctl("recover", check=True)
    assert fault_rules(Names.of(shared_isolated.state_dir)) == []
    assert shared_isolated.status()["faults"] == []


def _fault(daemon: RealDaemon, kind: str, target: str, *params: str) -> None:
    settings = [word for param in params for word in ("--set", param)]
    daemon.ctl("fault", kind, "--target", target, "--countdown", "0", *settings, check=True)


def _node(daemon: RealDaemon, name: str) -> dict[str, Any]:
    return daemon.nodes()[name]


def _well(daemon: RealDaemon) -> dict[str, dict[str, Any]]:
    """The nodes in a look that reached each of them."""
    return nodes_of(daemon.healthy_status())


def _of_role(daemon: RealDaemon, role: str) -> str:
    return str(next(node["id"] for node in _well(daemon).values() if node["role"] == role))


def _serving(daemon: RealDaemon, group: str, but: str) -> list[str]:
    nodes = daemon.nodes().values()
    return [node["id"] for node in nodes if node["group"] == group and node["leader"] and node["id"] != but]


def _connect(daemon: RealDaemon, name: str) -> socket.socket:
    host, _, port = str(_node(daemon, name)["address"]).partition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def _ask(connection: socket.socket, command: str) -> bytes:
    connection.sendall(f"{command}\r\n".encode())
    return connection.recv(65536)


def test_a_partitioned_primary_is_replaced_and_still_calls_itself_one(daemon: RealDaemon) -> None:
    require_part("nft")
    target = _of_role(daemon, "primary")
    group = _node(daemon, target)["group"]
    _fault(daemon, "partition", target)
    until(lambda: _serving(daemon, group, but=target), "the failover")
    with _connect(daemon, target) as connection:
        assert _ask(connection, "ROLE").startswith(b"*3\r\n$6\r\nmaster")
    assert [fault["kind"] for fault in daemon.status()["faults"]] == ["partition"]
    daemon.ctl("recover", check=True)
    assert _well(daemon)[target]["role"] == "replica"


def test_a_node_cut_off_from_everybody_is_down_for_the_clients_as_well(daemon: RealDaemon) -> None:
    require_part("nft")
    target = _of_role(daemon, "replica")
    _fault(daemon, "partition", target, "from=all")
    until(lambda: _node(daemon, target)["state"] == "down", "the node to be down")
    host, _, port = str(_node(daemon, target)["address"]).partition(":")
    with pytest.raises(OSError, match="timed out"):
        socket.create_connection((host, int(port)), timeout=0.5)
    daemon.ctl("recover", check=True)
    assert _well(daemon)[target]["state"] == "up"


def test_a_partition_from_one_node_leaves_the_node_in_the_cluster(daemon: RealDaemon) -> None:
    require_part("nft")
    target = _of_role(daemon, "replica")
    nodes = _well(daemon)
    group, host = nodes[target]["group"], str(nodes[target]["address"]).partition(":")[0]
    other = next(node["id"] for node in nodes.values() if node["role"] == "replica" and node["group"] != group)
    primary = next(node["id"] for node in nodes.values() if node["leader"] and node["group"] == group)
    _fault(daemon, "partition", target, f"from={other}")
    time.sleep(2.5)  # longer than it takes to be held for failed
    with _connect(daemon, primary) as connection:

        def is_in_the_cluster() -> bool:
            lines = _ask(connection, "CLUSTER NODES").splitlines()
            return b"fail" not in next(line for line in lines if host.encode() in line).split()[2]

        # A primary that got no time suspects for a moment whom it did not hear.
        until(is_in_the_cluster, "the target to be held for well by its primary")
    daemon.ctl("recover", check=True)


def test_a_loss_of_thirty_percent_is_counted_on_a_live_node_which_stays_in_the_cluster(daemon: RealDaemon) -> None:
    require_part("nft")
    target = _of_role(daemon, "replica")
    names = Names.of(daemon.state_dir)
    host, _, _ = str(_node(daemon, target)["address"]).partition(":")
    talkers = [Talker(host, names.namespace(target)), Talker(f"{subnet_of(host)}1")]
    inside, outside = talkers
    try:
        assert inside.hears(outside)
        already = inside.heard(outside)[0]
        _fault(daemon, "loss", target, "percent=30", "direction=in")
        for _ in range(40):
            outside.send(inside, 100)
        time.sleep(0.5)
        arrived = inside.heard(outside)[0] - already
    finally:
        for talker in talkers:
            talker.close()
    # The standard deviation of the share is 0.7 %.
    assert 0.66 < arrived / 4000 < 0.74
    assert _node(daemon, target)["role"] == "replica"
    daemon.ctl("recover", check=True)


def test_a_bandwidth_cap_is_reached_and_not_passed_by_a_large_answer(daemon: RealDaemon) -> None:
    require_part("tbf")
    target, rate, size = _of_role(daemon, "primary"), 400_000, 1_000_000
    with _connect(daemon, target) as connection:
        # Whatever the key's slot, the answer to an ECHO is as long as the question.
        answer = b"$%d\r\n" % size + b"x" * size + b"\r\n"
        question = b"*2\r\n$4\r\nECHO\r\n" + answer
        _fault(daemon, "bandwidth", target, f"rate={rate}", "direction=out")
        fastest = 0.0
        # What else the machine does can only make it slower: it is never too fast, and one of three is fast enough.
        for _ in range(3):
            began, came = time.monotonic(), 0
            connection.sendall(question)
            while came < len(answer):
                came += len(connection.recv(65536))
                assert time.monotonic() - began < 30
            # The bucket was full at first.
            passed = (came - BURST_S * rate) / (time.monotonic() - began)
            assert passed < 1.02 * rate
            fastest = max(fastest, passed)
            if fastest > 0.75 * rate:
                break
    assert fastest > 0.75 * rate
    daemon.ctl("recover", check=True)


def test_latency_is_measured_where_the_kernel_can_do_it_and_refused_where_it_cannot(daemon: RealDaemon) -> None:
    target = _of_role(daemon, "replica")
    if lack := abilities().lacks["netem"]:
        refused = daemon.ctl("fault", "latency", "--target", target, "--countdown", "0")
        assert refused.returncode == 1
        assert "netem" in refused.stderr
        assert lack in daemon.ctl("faults", "--json", check=True).stdout
        return
    _fault(daemon, "latency", target, "delay=100")
    with _connect(daemon, target) as connection:
        began = time.monotonic()
        assert _ask(connection, "PING") == b"+PONG\r\n"
        assert time.monotonic() - began >= 0.1
    daemon.ctl("recover", check=True)


def test_two_network_faults_on_different_nodes_are_undone_one_by_one(daemon: RealDaemon) -> None:
    require_part("nft")
    names = Names.of(daemon.state_dir)
    nodes = _well(daemon).values()
    first = next(node for node in nodes if node["role"] == "replica")
    second = next(node for node in nodes if node["role"] == "replica" and node["group"] != first["group"])
    _fault(daemon, "partition", first["id"])
    _fault(daemon, "loss", second["id"], "percent=1")
    by_kind = {fault["kind"]: fault["id"] for fault in daemon.status()["faults"]}
    assert set(by_kind) == {"partition", "loss"}
    daemon.ctl("recover", by_kind["partition"], check=True)
    assert [by_kind["loss"] in rule for rule in fault_rules(names)] == [True, True]
