"""The reader that knows only the specification notices what is lost on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bus_daemon import BusDaemon, violation
from tests.lossy_line import LossyLine
from tests.protocol import independent_reader
from tests.protocol.independent_reader import Reader

from operator_protocol.endpoint import Endpoint


@contextmanager
def reading(endpoint: Endpoint) -> Iterator[Reader]:
    reader = Reader(endpoint.frames, endpoint.control)
    reader.join()
    yield reader
    reader.context.destroy(linger=0)


def test_it_imports_nothing_of_ours_and_is_short() -> None:
    lines = Path(independent_reader.__file__).read_text().splitlines()
    assert not [line for line in lines if "operator" in line and "import" in line]
    assert len([line for line in lines if line.strip()]) <= 100


def test_it_joins_under_load_and_notices_a_lost_frame(bus: BusDaemon) -> None:
    bus.ask("flood", {"rate": 2_000})
    with LossyLine(bus.endpoint) as line, reading(line.endpoint) as reader:
        for _ in range(500):
            reader.step()
        assert reader.rejoined == []
        line.lose("violation.opened")
        bus.ask("say", {"topic": "violation.opened", "body": violation(1)})
        while not reader.rejoined:
            reader.step()
        assert reader.rejoined == ["gap"]
        assert list(reader.violations) == ["v1"]


def test_it_notices_a_restart_and_starts_over(bus: BusDaemon) -> None:
    with reading(bus.endpoint) as reader:
        bus.ask("say", {"topic": "violation.opened", "body": violation(1)})
        while not reader.violations:
            reader.step()
        bus.kill()
        bus.start()
        bus.ask("say", {"topic": "violation.opened", "body": violation(2)})
        while list(reader.violations) != ["v2"]:
            reader.step()
        assert set(reader.rejoined) <= {"restart", "silence"}
        assert reader.rejoined
