"""Durations as people write them."""

import pytest

from operator_protocol.errors import BadRequest
from operatord.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("2m", 120.0),
        ("1m30s", 90.0),
        ("1h", 3600.0),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("45", 45.0),
        (" 7s ", 7.0),
        (12, 12.0),
        (0.25, 0.25),
        ("0", 0.0),
    ],
)
def test_a_duration_is_read_as_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-3", "-3s", "3 weeks", "nan", "inf", "1s2", None, True, [3], -1, float("nan")]
)
def test_anything_else_is_refused_and_named(text: object) -> None:
    with pytest.raises(BadRequest, match=r"^countdown: "):
        parse_duration(text, "countdown")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.21, "0.2 s"), (9.96, "10 s"), (59.4, "59 s"), (125, "2 min 5 s"), (120, "2 min"), (3780, "1 h 3 min")],
)
def test_a_duration_is_written_as_a_person_would(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
