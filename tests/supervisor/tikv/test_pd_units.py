"""PD's texts as numbers."""

import pytest

from operatord.subjects.tikv.pd.units import duration_s, size_bytes, timestamp


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("99.05GiB", 99.05 * 2**30),
        ("512B", 512.0),
        ("0B", 0.0),
        ("1.5TiB", 1.5 * 2**40),
        ("1024", 1024.0),
        ("10GB", 10 * 2.0**30),
    ],
)
def test_sizes(text: str, expected: float) -> None:
    assert size_bytes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m0s", 1800.0),
        ("1h2m3.5s", 3723.5),
        ("250ms", 0.25),
        ("0s", 0.0),
        ("0", 0.0),
        ("-5s", -5.0),
        ("1.5µs", 1.5e-6),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert duration_s(text) == pytest.approx(expected)


def test_times_have_nine_decimals_and_an_offset() -> None:
    assert timestamp("2024-08-07T09:44:59.123456789Z") == pytest.approx(1723023899.123456)
    assert timestamp("2024-08-07T17:44:59+08:00") == 1723023899.0


@pytest.mark.parametrize("text", ["", "GiB", "1.2.3MiB", "ten", "-1B", "1 XB"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        size_bytes(text)


@pytest.mark.parametrize("text", ["", "5", "s", "1h2", "1d", "1 h"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration_s(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2024-08-07T09:44:59"])
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"offset|isoformat"):
        timestamp(text)
