"""Each fault of the network, measured by datagrams between three members of an isolated network and their host."""

import asyncio
import itertools
import math
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.isolated import Talker, abilities, require_isolation, require_part

from operator_protocol.errors import BadRequest, Conflict, Unavailable
from operator_protocol.models import Fault, Scalar
from operatord.injectors.base import Injector, Scene, Target
from operatord.injectors.network import network_injectors
from operatord.isolation.addresses import Subnet
from operatord.isolation.network import IsolatedNetwork
from operatord.processes.commands import ChildCommands

_MEMBERS = ["node-0", "node-1", "node-2"]


@dataclass
class Stage:
    """A network, somebody to talk on each of its hosts, and the injectors."""

    network: IsolatedNetwork
    talkers: dict[str, Talker]
    directory: Path

    def injector(self, kind: str) -> Injector:
        return next(one for one in network_injectors(self.network) if one.kind.name == kind)

    def scene(self, target: str = "node-0") -> Scene:
        found = {
            member: Target(
                member, self.talkers[member].address, (9999,), self.directory, namespace=self.namespace(member)
            )
            for member in _MEMBERS
        }
        return Scene(found.pop(target), tuple(found.values()))

    def namespace(self, member: str) -> str:
        return self.network.namespace(member)

    def inject(self, kind: str, params: dict[str, Scalar] | None = None, fault_id: str = "f1") -> Fault:
        fault = Fault(fault_id, kind, "node-0", params=params or {}, state="injecting")
        injector, scene = self.injector(kind), self.scene()

        async def do() -> None:
            memo = await injector.prepare(fault, scene)
            await injector.inject(fault, scene, memo)
            assert await injector.leftovers(fault, scene, memo) != ""

        asyncio.run(do())
        return fault

    def undo(self, fault: Fault) -> str:
        """Undo it twice, as after an interruption, and return what is left of it."""
        injector, scene = self.injector(fault.kind), self.scene()

        async def do() -> str:
            await injector.undo(fault, scene, {})
            await injector.undo(fault, scene, {})
            return await injector.leftovers(fault, scene, {})

        return asyncio.run(do())

    def heard(self) -> set[tuple[str, str]]:
        """Pairs of speaker and listener, of all that there are."""
        return {
            (speaker, listener)
            for speaker, listener in itertools.permutations(self.talkers, 2)
            if self.talkers[listener].hears(self.talkers[speaker])
        }

    def kernel(self) -> str:
        """Rules and queues of faults, as the commands of the system list them."""
        hub = self.network.names.hub
        rules = _told("nsenter", f"--net=/run/netns/{hub}", "nft", "list", "ruleset")
        queues = [_told("tc", "-n", namespace, "qdisc") for namespace in (hub, *map(self.namespace, _MEMBERS))]
        return rules + "".join(line for queue in queues for line in queue.splitlines() if "noqueue" not in line)


def _told(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


_EVERYBODY = {*itertools.permutations([*_MEMBERS, "host"], 2)}


@pytest.fixture(scope="module")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    require_isolation()
    directory = tmp_path_factory.mktemp("net")
    network = IsolatedNetwork(directory, ChildCommands(), wanted=True)
    talkers: dict[str, Talker] = {}
    try:
        hosts = asyncio.run(network.build(_MEMBERS))
        for member, address in zip(_MEMBERS, hosts, strict=True):
            talkers[member] = Talker(address, network.namespace(member))
        talkers["host"] = Talker(Subnet.around(hosts[0]).host)
        yield Stage(network, talkers, directory)
    finally:
        for talker in talkers.values():
            talker.close()
        asyncio.run(network.remove())


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """The stage, on which nothing may be left after the test."""
    yield shared_stage
    left = shared_stage.kernel()
    asyncio.run(shared_stage.network.clear_faults())
    assert left == ""


def _silenced(*pairs: tuple[str, str]) -> set[tuple[str, str]]:
    return _EVERYBODY - {*pairs}


_OUT = [("node-0", "node-1"), ("node-0", "node-2")]
_IN = [("node-1", "node-0"), ("node-2", "node-0")]


@pytest.mark.parametrize(
    ("params", "heard"),
    [
        ({}, _silenced(*_OUT, *_IN)),
        ({"from": "nodes", "direction": "out"}, _silenced(*_OUT)),
        ({"from": "nodes", "direction": "in"}, _silenced(*_IN)),
        ({"from": "node-2", "direction": "both"}, _silenced(("node-0", "node-2"), ("node-2", "node-0"))),
        ({"from": "node-1, node-2", "direction": "in"}, _silenced(*_IN)),
        ({"from": "all", "direction": "both"}, _silenced(*_OUT, *_IN, ("node-0", "host"), ("host", "node-0"))),
        ({"from": "all", "direction": "out"}, _silenced(*_OUT, ("node-0", "host"))),
    ],
    ids=["default", "out", "in", "one", "list", "all", "all-out"],
)
def test_a_partition_splits_exactly_as_declared_and_heals(
    stage: Stage, params: dict[str, Scalar], heard: set[tuple[str, str]]
) -> None:
    require_part("nft")
    fault = stage.inject("partition", params)
    assert stage.heard() == heard
    assert stage.undo(fault) == ""
    assert stage.heard() == _EVERYBODY


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"from": "node-9"}, "no other node 'node-9'"),
        ({"from": "node-0"}, "cut off from itself"),
        ({"from": ""}, "no other node ''"),
        ({"direction": "up"}, "direction must be one of"),
    ],
)
def test_a_partition_that_makes_no_sense_is_refused(stage: Stage, params: dict[str, Scalar], said: str) -> None:
    require_part("nft")
    with pytest.raises(BadRequest, match=said):
        stage.inject("partition", params)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_loss_of_thirty_percent_is_counted_in_its_direction_only(stage: Stage, direction: str) -> None:
    require_part("nft")
    target, host = stage.talkers["node-0"], stage.talkers["host"]
    lossy, whole = ((host, target), (target, host))[:: 1 if direction == "in" else -1]
    fault = stage.inject("loss", {"percent": 30, "direction": direction})
    sent = 4000
    before = [listener.heard(speaker)[0] for speaker, listener in (lossy, whole)]
    for speaker, listener in (lossy, whole):
        _send(speaker, listener, sent)
    came, all_came = (
        _settled(listener, speaker) - earlier
        for (speaker, listener), earlier in zip((lossy, whole), before, strict=True)
    )
    # The standard deviation of the share is 0.7 %.
    assert 0.66 < came / sent < 0.74
    assert all_came == sent
    assert stage.undo(fault) == ""
    before_healed = target.heard(host)[0]
    _send(host, target, 500)
    assert _settled(target, host) - before_healed == 500


@pytest.mark.parametrize(("percent", "said"), [(0, "0.01"), (101, "100"), ("much", "number"), (True, "number")])
def test_a_loss_out_of_bounds_is_refused(stage: Stage, percent: Scalar, said: str) -> None:
    require_part("nft")
    with pytest.raises(BadRequest, match=said):
        stage.inject("loss", {"percent": percent})


@pytest.mark.parametrize("direction", ["in", "out", pytest.param("both", marks=pytest.mark.soak)])
def test_a_bandwidth_is_reached_and_not_passed(stage: Stage, direction: str) -> None:
    require_part("tbf")
    rate = 200_000
    target, host = stage.talkers["node-0"], stage.talkers["host"]
    fault = stage.inject("bandwidth", {"rate": rate, "direction": direction})
    for way, speaker, listener in (("in", host, target), ("out", target, host)):
        if direction in (way, "both"):
            # What is counted is the content; a packet of 1,000 bytes has 42 of headers.
            assert _reaches(speaker, listener, 1.0, 0.8 * rate, below=1.0 * rate), way
        else:
            assert _reaches(speaker, listener, 1.0, 2 * rate), way
    assert stage.undo(fault) == ""
    assert _reaches(host, target, 0.3, 2 * rate)


def test_latency_is_measured_where_the_kernel_can_do_it_and_refused_where_it_cannot(stage: Stage) -> None:
    target, host = stage.talkers["node-0"], stage.talkers["host"]
    if lack := abilities().lacks["netem"]:
        assert stage.injector("latency").kind.missing == lack
        assert "sch_netem" in lack
        with pytest.raises(Unavailable, match="sch_netem"):
            stage.inject("latency", {"delay": 100})
        return
    fault = stage.inject("latency", {"delay": 200})
    before = host.heard(target)[0]
    began = time.monotonic()
    target.send(host, 1)
    while host.heard(target)[0] == before:
        assert time.monotonic() < began + 10
    assert time.monotonic() - began >= 0.2
    assert stage.undo(fault) == ""


def test_faults_beside_each_other_are_undone_one_by_one(stage: Stage) -> None:
    require_part("nft")
    partition = stage.inject("partition", fault_id="f1")
    loss = stage.inject("loss", {"percent": 100, "direction": "in"}, fault_id="f2")
    assert stage.undo(partition) == ""
    target, host = stage.talkers["node-0"], stage.talkers["host"]
    assert host.hears(target)
    assert not target.hears(host)
    assert stage.undo(loss) == ""
    assert target.hears(host)


def test_a_second_queue_on_the_same_link_is_refused(stage: Stage) -> None:
    require_part("tbf")
    first = stage.inject("bandwidth", {"direction": "in"}, fault_id="f1")
    with pytest.raises(Conflict, match="queue of another fault"):
        stage.inject("bandwidth", fault_id="f2")
    assert stage.undo(first) == ""


def test_without_isolation_the_faults_are_in_the_catalogue_and_say_what_is_missing(tmp_path: Path) -> None:
    network = IsolatedNetwork(tmp_path, ChildCommands())
    injectors = network_injectors(network)
    assert [one.kind.name for one in injectors] == ["partition", "loss", "bandwidth", "latency"]
    assert all(one.kind.missing == "start the daemon with --isolate" for one in injectors)
    target = Target("node-0", "127.0.0.1", (1,), tmp_path)

    async def refused(injector: Injector) -> None:
        fault = Fault("f1", injector.kind.name, "node-0", "injecting")
        with pytest.raises(Unavailable, match="--isolate"):
            await injector.prepare(fault, Scene(target))
        # Owed since an isolated run whose network is gone: nothing is left of it, whoever asks.
        await injector.undo(fault, Scene(target), {})
        assert await injector.leftovers(fault, Scene(target), {}) == ""

    for injector in injectors:
        asyncio.run(refused(injector))


def _send(speaker: Talker, listener: Talker, count: int) -> None:
    # In portions, so that no queue on the way overflows.
    for _ in range(count // 100):
        speaker.send(listener, 100)


def _settled(listener: Talker, speaker: Talker) -> int:
    """What has arrived when nothing arrives any more."""
    seen, since = listener.heard(speaker)[0], time.monotonic()
    while time.monotonic() - since < 0.2:
        if (now := listener.heard(speaker)[0]) != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.01)
    return seen


def _reaches(speaker: Talker, listener: Talker, seconds: float, least: float, below: float = math.inf) -> bool:
    """Whether it is reached in one of a few measurements: whoever does not get to speak sends little. ``below`` holds
    for each of them."""
    for _ in range(5):
        passed = _throughput(speaker, listener, seconds)
        assert passed < below
        if passed > least:
            return True
    return False


def _throughput(speaker: Talker, listener: Talker, seconds: float) -> float:
    """Bytes of content per second that arrive, offered more than any cap of these tests."""
    began = time.monotonic()
    start: tuple[float, int] | None = None
    while (now := time.monotonic()) - began < seconds + 0.3:
        speaker.send(listener, 40, 1000)
        if start is None and now - began >= 0.3:  # the bucket was full at first
            start = time.monotonic(), listener.heard(speaker)[1]
        time.sleep(0.01)
    assert start is not None
    passed, end = listener.heard(speaker)[1] - start[1], time.monotonic()
    _settled(listener, speaker)
    return passed / (end - start[0])
