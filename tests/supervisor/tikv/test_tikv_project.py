"""What a daemon starts: options, names, ports, and the record that outlives it. And what must not be broken at once."""

import asyncio
import dataclasses
import random
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from operator_protocol.errors import BadRequest, DeadlineExceeded, NotFound, Unavailable
from operator_protocol.models import Node, NodeState
from operatord.config import Config
from operatord.faults.guard import refusals
from operatord.subjects.base import GuardRules, Observation
from operatord.subjects.tikv import project as projects
from operatord.subjects.tikv import workload
from operatord.subjects.tikv.control import TiKVControl
from operatord.subjects.tikv.engine import NoEngine
from operatord.subjects.tikv.options import Options, split
from operatord.subjects.tikv.settings import Settings, addresses


def test_the_options_of_both_halves_stand_in_one_section() -> None:
    options, settings = split({"base_port": 21_000, "p99_ms": 50.0, "allow_faults_on": "7301234567890123456, 5"})
    assert (options.base_port, settings.p99_ms) == (21_000, 50.0)
    assert not set(Options().to_options()) & set(Settings().to_options())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("base_port", 80),
        ("base_port", 65_530),
        ("base_port", "x"),
        ("network", "10.0.0.0/8"),
        ("network", 5),
        ("start_timeout_s", 0.5),
        ("allow_faults_on", "all"),
        ("compose", "x"),
    ],
)
def test_a_wrong_option_is_named(key: str, value: str | float) -> None:
    with pytest.raises(BadRequest, match=key if key != "network" else "network|private"):
        split({key: value})


def test_two_daemons_have_projects_of_their_own_and_each_the_same_name_again(tmp_path: Path) -> None:
    first, again, second = (projects.plan(tmp_path / name, Options()) for name in ("a", "a", "b"))
    assert first.name == again.name != second.name
    assert first.instance != again.instance
    assert first.environment["OPERATOR_TIKV_NET"] != second.environment["OPERATOR_TIKV_NET"]
    ports = [value for key, value in first.environment.items() if key.endswith("_PORT")]
    assert len(set(ports)) == 11


def test_what_is_configured_is_taken(tmp_path: Path) -> None:
    project = projects.plan(tmp_path, Options(base_port=21_000, network="10.77.5.0/24", workload_rate=150.0))
    assert [(one.id, one.port) for one in project.members] == [
        (name, 21_000 + step) for step, name in enumerate(projects.NODES)
    ]
    assert addresses(project.data)["tikv2"] == ("127.0.0.1", 21_008)
    assert project.prometheus == "http://127.0.0.1:21009"
    assert project.environment["OPERATOR_YCSB_TARGET"] == "150"
    assert project.attachment("tikv1")["address"] == "10.77.5.21"


def test_the_record_is_read_back_and_gone_when_all_is_down(tmp_path: Path) -> None:
    assert projects.load(tmp_path) is None
    project = projects.plan(tmp_path, Options())
    project.save(tmp_path / "tikv")
    assert projects.load(tmp_path / "tikv") == project
    projects.forget(tmp_path / "tikv")
    assert projects.load(tmp_path / "tikv") is None
    assert list((tmp_path / "tikv").iterdir()) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_record_is_said_so_whatever_is_in_it(tmp_path: Path, seed: int) -> None:
    project = projects.plan(tmp_path, Options())
    project.save(tmp_path)
    file = tmp_path / projects.FILE
    rng = random.Random(seed)
    text = file.read_text()
    damaged = text[: rng.randrange(len(text) - 3)] if seed % 2 else rng.choice(["[]", "null", "{}", '{"name": 1}', "ü"])
    file.write_bytes(damaged.encode("latin-1"))
    with pytest.raises(Unavailable, match=r"project\.json"):
        projects.load(tmp_path)


def test_a_compose_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        projects.plan(tmp_path, Options(compose_file=str(tmp_path / "nowhere.yaml")))


def test_routes_are_read_from_the_kernels_table(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    assert projects.routed_networks(table) == [IPv4Network("192.168.0.0/24")]
    assert projects.routed_networks(tmp_path / "none") == []


def test_the_load_is_what_the_configuration_says(tmp_path: Path) -> None:
    project = projects.plan(tmp_path, Options())
    source = workload.of_project(tmp_path, project, Options(workload_name="b", workload_rate=500.0))
    assert source.line_format == "go-ycsb"
    assert source.description == "go-ycsb workload B, 8 threads, 500 ops/s"
    with pytest.raises(BadRequest, match=r"'e' for TiKV"):
        workload.of_project(tmp_path, project, Options(workload_name="e"))


def test_without_containers_nothing_is_known_and_nothing_stands(tmp_path: Path) -> None:
    control = TiKVControl(NoEngine(), tmp_path, {}, keep=False)
    assert (control.spec.members, control.instance, control.stands) == ([], "", False)
    with pytest.raises(NotFound):
        control.workload()


def test_a_control_that_was_not_started_knows_the_containers_of_the_record(tmp_path: Path) -> None:
    project = projects.plan(tmp_path, Options())
    project.save(tmp_path / projects.DIRECTORY)
    control = TiKVControl(NoEngine(), tmp_path, {"p99_ms": 20.0}, keep=True)
    assert control.stands
    assert control.instance == project.instance
    assert control.spec.members == project.members
    assert control.spec.options["prometheus"] == project.prometheus
    assert control.spec.options["p99_ms"] == 20.0


def test_no_option_is_lost_between_the_configuration_and_the_probe() -> None:
    Config.model_validate({"subject": {"tikv": {**Options().to_options(), **Settings().to_options()}}})


RULES = GuardRules("pd", losable={"tikv": 1})


def seen(**states: NodeState) -> Observation:
    well: NodeState = "up"
    nodes = []
    for name in projects.NODES:
        group = "pd" if name in projects.PDS else ""
        nodes.append(Node(name, "pd" if group else "tikv", group, "", states.get(name, well)))
    return Observation("tikv", True, "", nodes)


def refused(target: str, look: Observation, *owed: str) -> str:
    node = look.node(target)
    assert node is not None
    return "; ".join(refusals(node, look, RULES, owed))


def test_one_store_of_three_may_be_lost_and_no_second_one() -> None:
    assert refused("tikv0", seen()) == ""
    assert "tikv1 is lost already, and no more than 1 tikv" in refused("tikv0", seen(), "tikv1")
    assert "tikv2 is lost already" in refused("tikv0", seen(tikv2="degraded"))


def test_a_pd_and_a_store_may_be_lost_at_once_but_no_second_pd() -> None:
    assert refused("tikv0", seen(), "pd1") == ""
    assert refused("pd0", seen(), "tikv1") == ""
    assert "1 of 3 votes" in refused("pd0", seen(), "pd1")


def test_with_a_single_copy_no_store_may_be_lost() -> None:
    rules = dataclasses.replace(RULES, losable={"tikv": 0})
    look = seen()
    assert refusals(look.nodes[3], look, rules, ()) == [
        "no more than 0 tikv may be down at once: some data would have too few copies to serve"
    ]


def test_who_still_creates_containers_is_ended_before_they_are_taken_down(tmp_path: Path) -> None:
    """A stop in the middle of a start, and a start that took too long: the command line is still at it."""
    did: list[str] = []

    class Slow:
        async def open(self, spec: Mapping[str, Any]) -> None:
            did.append("open")

        async def ask(self, cmd: str, args: Mapping[str, Any], *, timeout_s: float = 40.0) -> Mapping[str, Any]:
            did.append(cmd)
            if cmd == "up" and did.count("up") == 1:
                raise DeadlineExceeded("fetching images takes its time")
            await asyncio.sleep(60.0 if cmd == "up" else 0.0)
            return {}

    async def main() -> None:
        control = TiKVControl(Slow(), tmp_path, {}, keep=False)
        with pytest.raises(DeadlineExceeded):
            await control.start(lambda _line: None)
        assert did[-3:] == ["up", "open", "down"]
        starting = asyncio.create_task(control.start(lambda _line: None))
        while did.count("up") < 2:
            await asyncio.sleep(0.01)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await control.stop()
        assert did[-3:] == ["up", "open", "down"]
        assert not control.stands

    asyncio.run(main())
