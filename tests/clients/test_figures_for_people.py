"""Durations and sizes as both clients show them."""

import pytest

from operator_clients.format import byte_size, date_and_time, duration, time_of_day


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.031, "31 ms"), (0.2, "0.2 s"), (59, "59 s"), (75, "1 min 15 s"), (7260, "2 h 01 min"), (float("inf"), "-")],
)
def test_durations_are_shown_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_have_binary_units() -> None:
    assert [byte_size(value) for value in (312, 2048, 5 << 20, 3 << 30)] == ["312 B", "2.0 KiB", "5.0 MiB", "3.0 GiB"]


@pytest.mark.parametrize("wall", [float("nan"), float("inf"), -1e300, 1e18])
def test_a_time_that_no_clock_shows_has_dashes(wall: float) -> None:
    assert (time_of_day(wall), date_and_time(wall)) == ("--:--:--", "---------- --:--:--")
