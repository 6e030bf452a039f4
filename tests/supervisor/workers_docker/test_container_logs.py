"""The lines of containers: taken apart, handed on in batches, thinned; and put on the bus by the daemon."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from operator_protocol.errors import BadRequest
from operatord.container_logs import ContainerLogs
from operatord.workers.docker.logs import LogFollower, parse

LINES = (
    'pd0-1        | [2026/11/21 09:38:24.321 +00:00] [INFO] ["a | b"]',
    "operatord-1 exited with code 0",
    "tikv0-1      | ",
    "tikv-odd-2   |   indented",
)


def test_a_line_names_its_service_and_what_compose_says_itself_does_not() -> None:
    assert [parse(line) for line in LINES] == [
        ("pd0", '[2026/11/21 09:38:24.321 +00:00] [INFO] ["a | b"]'),
        None,
        ("tikv0", ""),
        ("tikv-odd", "  indented"),
    ]


def followed(program: str, wanted: int) -> list[tuple[str, str, int]]:
    """What is handed on of what the program prints, up to so many lines."""

    async def main() -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        enough = asyncio.Event()

        async def hand(cmd: str, args: Mapping[str, Any]) -> None:
            assert cmd == "container_log"
            found.extend((service, line, dropped) for service, line, dropped in args["lines"])
            if sum(1 + dropped for _, _, dropped in found) >= wanted:
                enough.set()

        follower = LogFollower(lambda since: [sys.executable, "-c", program], hand, lambda: True, pause_s=0.0)
        following = asyncio.create_task(follower.follow())
        async with asyncio.timeout(30):
            await enough.wait()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return found

    return asyncio.run(main())


def test_lines_are_handed_on_in_order_and_a_command_that_ended_is_begun_again() -> None:
    found = followed("print('pd0-1  | one'); print('pd0-1  | two')", 4)
    assert [line for _, line, _ in found[:4]] == ["one", "two", "one", "two"]
    assert {(service, dropped) for service, _, dropped in found} == {("pd0", 0)}


def test_of_a_flood_the_last_lines_come_through_and_the_rest_is_counted() -> None:
    found = followed("import time\nfor n in range(5000): print(f'pd0-1 | {n}')\ntime.sleep(60)", 5000)
    assert found[0] == ("pd0", "0", 0)
    assert found[-1][1] == "4999"
    assert sum(1 + dropped for _, _, dropped in found) == 5000
    assert len(found) < 1000


@pytest.mark.parametrize("lines", [[["pd0"]], [["pd0", 1, 0]], ["x"], [["../pd0", "x", 0]]])
def test_what_is_no_line_of_a_container_does_not_get_on_the_bus(lines: list[object]) -> None:
    logs = ContainerLogs(lambda topic, body: pytest.fail(f"{topic}: {body}"))
    with pytest.raises(BadRequest):
        asyncio.run(logs.take({"lines": lines}))
