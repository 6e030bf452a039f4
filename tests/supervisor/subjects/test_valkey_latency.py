"""Latency between looks, from cumulative histograms and timed pings."""

import pytest

from operatord.subjects.valkey.latency import PING_WINDOW, LatencyTrack, Ping, histogram, p99, p99_between
from operatord.subjects.valkey.wire import Reply


def _reply(*buckets: int, command: str = "hset") -> Reply:
    return [command, ["calls", buckets[-1], "histogram_usec", list(buckets)]]


def test_the_histograms_of_several_commands_add_up_by_bucket() -> None:
    reply: Reply = [
        "hset",
        ["calls", 10, "histogram_usec", [1, 4, 8, 10]],
        "get",
        ["calls", 3, "histogram_usec", [8, 3]],
    ]
    assert histogram(reply) == {1: 4, 8: 9}
    assert histogram([]) == {}


def test_only_what_ran_between_two_looks_counts() -> None:
    before = histogram(_reply(1, 1_000_000))
    assert p99_between(before, histogram(_reply(1, 1_000_090, 16896, 1_000_100))) == 16.896
    assert p99_between(before, histogram(_reply(1, 1_000_100))) == 0.001


def test_too_few_operations_say_nothing() -> None:
    assert p99_between({}, {1: 20}) is None


def test_a_restarted_server_is_not_compared_with_its_predecessor() -> None:
    track = LatencyTrack()
    track.looked("first", _reply(1, 10_000), 0.001)
    track.looked("first", _reply(1, 10_000, 1056, 10_100), 0.001)
    assert track.commands_p99_ms == 1.056
    track.looked("second", _reply(1, 20_000), 0.001)
    assert track.commands_p99_ms is None


def test_one_hiccup_does_not_make_a_slow_node_but_many_slow_answers_do() -> None:
    track = LatencyTrack()
    track.pinged([Ping(0.0001)] * (PING_WINDOW - 1))
    track.pinged([Ping(0.5)])
    assert track.pings_p99_ms == 0.1
    track.pinged([Ping(0.014)] * 8)
    assert track.pings_p99_ms == 14.0


def test_a_few_pings_say_nothing_yet() -> None:
    track = LatencyTrack()
    track.pinged([Ping(0.5)] * (PING_WINDOW // 2 - 1))
    assert track.pings_p99_ms is None


def test_the_99th_percentile_is_by_nearest_rank() -> None:
    assert p99(range(1, 101)) == 99
    assert p99([7]) == 7
    assert p99([]) is None


def test_the_time_in_a_queue_for_a_processor_is_not_its_own() -> None:
    track = LatencyTrack()
    track.pinged([Ping(0.0001)] * PING_WINDOW)
    track.pinged([Ping(0.030, waited_s=0.0295)] * 8)
    assert track.pings_p99_ms == 30.0
    assert track.pings_own_p99_ms == pytest.approx(0.5)


def test_the_quickest_of_the_last_looks_tells_how_wide_the_line_is() -> None:
    track = LatencyTrack()
    for took_s in (0.002, *[0.021] * 7):
        assert track.asked_least_ms is None
        track.looked("one", _reply(1, 10), took_s)
    assert track.asked_least_ms == 2.0
    track.looked("one", _reply(1, 10), 0.022)
    assert track.asked_least_ms == 21.0
    track.looked("another", _reply(1, 10), 0.022)
    assert track.asked_least_ms is None
