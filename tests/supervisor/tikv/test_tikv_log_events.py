"""Notable lines of TiKV's log, and what is told of each."""

import pytest

from operatord.subjects.tikv.log_events import event_of, may_tell
from operatord.subjects.tikv.logs import parse

HEAD = "[2024/08/07 09:44:59.054 +00:00]"


@pytest.mark.parametrize(
    ("rest", "kind", "region", "store"),
    [
        ('[INFO] [raft.rs:1] ["starting a new election"] [region_id=4]', "election", 4, None),
        ('[INFO] [raft.rs:1] ["became pre-candidate at term 6"] [region_id=4]', "election", 4, None),
        ('[INFO] [raft.rs:1] ["became candidate at term 6"] [region_id=4]', "election", 4, None),
        ('[INFO] [raft.rs:1] ["became leader at term 6"] [region_id=48]', "leader", 48, None),
        (
            '[WARN] [peer.rs:1] ["leader missing longer than abnormal_leader_missing_duration"] [region_id=2]',
            "election",
            2,
            None,
        ),
        ('[INFO] [store.rs:1] ["broadcasting unreachable"] [unreachable_store_id=5]', "unreachable", None, 5),
        ('[WARN] [raft_client.rs:1] ["wait connect timeout"] [store_id=4] [addr=tikv1:20160]', "unreachable", None, 4),
        ('[WARN] [raft_client.rs:1] ["connection aborted"] [addr=tikv1:20160]', "unreachable", None, None),
        ('[INFO] [peer.rs:1] ["requesting snapshot"] [region_id=9]', "snapshot", 9, None),
        ("[INFO] [tracker.rs:1] [slow-query] [region_id=9] [total_lifetime=1.5s]", "slow_query", 9, None),
        ('[WARN] [store.rs:1] ["disk usage Normal->AlmostFull"]', "disk", None, None),
        ('[FATAL] [lib.rs:1] ["panic_mark_file exists"]', "fatal", None, None),
    ],
)
def test_a_notable_line_is_an_event(rest: str, kind: str, region: int | None, store: int | None) -> None:
    line = parse(f"{HEAD} {rest}")
    assert line is not None
    assert may_tell(f"{HEAD} {rest}")
    event = event_of(line)
    assert event is not None
    assert (event.kind, event.region, event.store, event.at) == (kind, region, store, line.at)
    assert event.text


def test_an_ordinary_line_is_none() -> None:
    text = f'{HEAD} [INFO] [server.rs:1] ["TiKV is ready to serve"] [thread_id=1]'
    assert not may_tell(text)
    line = parse(text)
    assert line is not None
    assert event_of(line) is None
