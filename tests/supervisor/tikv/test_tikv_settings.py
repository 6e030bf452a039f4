"""Options of the looking half: what is read, and what is refused by name."""

import pytest

from operator_protocol.errors import BadRequest
from operator_protocol.models import Scalar
from operatord.subjects.tikv import invariants
from operatord.subjects.tikv.settings import Settings, addresses, split_address, urls


def test_defaults_travel_whole() -> None:
    assert Settings.read(Settings().to_options()) == Settings()
    assert Settings.read({"p99_ms": 5, "pd": "http://a:2379"}).p99_ms == 5.0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"p99": 1}, "has no option 'p99'"),
        ({"p99_ms": "fast"}, "p99_ms must be a number"),
        ({"p99_ms": True}, "p99_ms must be a number"),
        ({"p99_ms": float("nan")}, r"p99_ms is nan; it must be at least 0\.001"),
        ({"raft_log_lag": 1.5}, "raft_log_lag must be a whole number"),
        ({"low_space_share": 2}, "it must be 0 to 1"),
        ({"pd": 2379}, "pd must be a text"),
        ({"status": "tikv0"}, "not an address by name: 'tikv0'"),
        ({"data": "tikv0=host:port"}, "not an address by name"),
        ({"pd": "http://"}, "'http://' is no URL of a server"),
        ({"pd": "ftp://a:21"}, "is no URL of a server"),
        ({"pd": "http://a:port"}, "is no URL"),
        ({"pd": "http://a:99999"}, "is no URL"),
        ({"pd": "http://a:1/pd/api/v1"}, "more than a host and a port"),
        ({"pd": " , "}, "names no PD"),
        ({"pd": "http://a:1,https://b:1"}, "mixes http and https"),
        ({"pd": "http://a:1", "tls_cert": "c.pem"}, "pd says http, and"),
        ({"pd": "a:1", "tls_key": "k.pem"}, "tls_key is set without tls_cert"),
        ({"prometheus": "a:9090"}, "prometheus: 'a:9090' is no URL"),
    ],
)
def test_what_is_wrong_is_named(options: dict[str, Scalar], complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        Settings.read(options)


def test_lists_and_addresses_are_read_as_people_write_them() -> None:
    assert urls(" http://a:1/, b:2,, https://c, http://[::1]:5 ") == (
        "http://a:1", "http://b:2", "https://c:2379", "http://[::1]:5",
    )  # fmt: skip
    assert urls("a", secure=True) == ("https://a:2379",)
    assert addresses("tikv0=a:1, tikv1=[::1]:2") == {"tikv0": ("a", 1), "tikv1": ("::1", 2)}
    assert split_address("nowhere") == ("nowhere", 0)


def test_every_invariant_has_a_name_of_its_own_a_grace_period_and_a_runbook() -> None:
    table = invariants.of(Settings())
    names = [one.name for one in table]
    assert len(set(names)) == len(names)
    assert set(names) >= {
        "store_down", "store_disconnected", "store_offline_stuck", "pd_member_unhealthy", "no_pd_leader",
        "quorum_margin", "p99_latency", "low_space", "miss_peer_regions", "down_peer_regions", "leader_imbalance",
        "raft_log_lag", "scheduler_stuck", "stale_metrics",
    }  # fmt: skip
    assert all(len(one.runbook) > 40 and one.grace_s >= 0 for one in table)
    assert [one.name for one in table if one.on_unknown == "explains"] == ["no_pd_leader", "engine_lost"]
