"""What the engine says reaches a probe that takes it, and bad words are refused."""

import asyncio

import pytest

from operator_protocol.errors import BadRequest
from operatord.subjects.base import SubjectProbe, SubjectSpec
from operatord.subjects.tikv.probe import TiKVProbe
from operatord.subjects.valkey.probe import ValkeyProbe
from operatord.workers.containers import tell_containers


def test_a_probe_of_containers_is_told_and_another_passes_it_over() -> None:
    async def main() -> None:
        tikv = TiKVProbe(SubjectSpec("tikv", [], {"pd": "http://127.0.0.1:1"}))
        valkey = ValkeyProbe(SubjectSpec("valkey", []))
        for probe in (tikv, valkey):
            assert_told(probe)
            await probe.close()

    asyncio.run(main())


def assert_told(probe: SubjectProbe) -> None:
    tell_containers(probe, {"states": {"tikv0": {"state": "exited", "exit_code": 137}}})
    for wrong in ({}, {"states": None}, {"states": {"tikv0": "exited"}}):
        with pytest.raises(BadRequest, match="a map of node ids to maps"):
            tell_containers(probe, wrong)
