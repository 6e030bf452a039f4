"""What the servers' logs tell of the cluster gets on the bus, and a storm of it does not."""

from typing import Any

from operator_protocol.models import ClusterEvent
from operator_protocol.records import from_body
from operatord.workers.docker.notable import NotableLines

HEAD = "[2024/08/07 09:44:59.054 +00:00]"


def elected(region: int) -> str:
    return f'{HEAD} [INFO] [raft.rs:1] ["became leader at term 6"] [region_id={region}]'


class Bench:
    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[ClusterEvent] = []
        self.notable = NotableLines(self._publish, lambda: self.now)

    def _publish(self, topic: str, body: Any) -> None:
        assert topic == "cluster.event"
        self.told.append(from_body(ClusterEvent, body))


def test_a_notable_line_is_told_with_its_node_and_the_time_in_it() -> None:
    bench = Bench()
    bench.notable.take("tikv1", f'{HEAD} [INFO] [server.rs:1] ["TiKV is ready to serve"]')
    bench.notable.take("tikv1", "thread 'main' panicked at 'disk usage'")
    bench.notable.take("tikv1", elected(48))
    assert bench.told == [
        ClusterEvent("tikv1", "leader", "region 48 has a leader here, term 6", 1_723_023_899.054, region=48)
    ]


def test_of_a_storm_the_first_and_the_last_are_told_and_the_rest_is_counted() -> None:
    bench = Bench()
    for region in range(10_000):
        bench.notable.take("tikv1", elected(region))
    assert [one.region for one in bench.told] == [0]
    bench.now = 5.5
    bench.notable.release()
    assert (bench.told[-1].region, bench.told[-1].held_back) == (9_999, 9_998)
    bench.now = 60.0
    bench.notable.release()
    assert len(bench.told) == 2


def test_a_storm_of_one_node_and_kind_holds_back_no_other() -> None:
    bench = Bench()
    for region in range(1_000):
        bench.notable.take("tikv1", elected(region))
    bench.notable.take("tikv1", f'{HEAD} [WARN] [store.rs:1] ["disk usage Normal->AlmostFull"]')
    bench.notable.take("tikv2", elected(7))
    assert [(one.node, one.kind) for one in bench.told[1:]] == [("tikv1", "disk"), ("tikv2", "leader")]


def test_a_text_is_cut_and_obeyed_by_no_terminal() -> None:
    bench = Bench()
    bench.notable.take("tikv1", f'{HEAD} [FATAL] [lib.rs:1] ["\\u001b[2J{"stack " * 500}"]')
    assert len(bench.told[0].text) == 300
    assert bench.told[0].text.isprintable()
