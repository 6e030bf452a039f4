"""PD's texts for sizes, durations and times, as numbers.

PD rounds: a size comes back as ``99.05GiB``, so it is good to about half a percent and no better.
"""

import functools
import re
from datetime import datetime

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?) ?(?P<unit>[KMGTPE]?i?B)?", re.ASCII)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_FRACTION = re.compile(r"(\.\d{1,6})\d*")


@functools.lru_cache(maxsize=4096)
def size_bytes(text: str) -> float:
    """Bytes of ``99.05GiB``, ``512B`` or ``1024``; PD's ``GB`` is binary, too. Raises ``ValueError``."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a size: {text!r}")
    unit = match["unit"] or ""
    return float(match["number"]) * 1024.0 ** _POWERS[unit.rstrip("B").removesuffix("i")]


def duration_s(text: str) -> float:
    """Seconds of a Go duration: ``1h2m3.5s``, ``30m0s``, ``250ms``, ``0``, ``-5s``. Raises ``ValueError``."""
    sign, body = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if body == "0":
        return 0.0
    parts = _DURATION.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ValueError(f"not a duration: {text!r}")
    return sign * sum(float(number) * _SECONDS[unit] for number, unit in parts)


def timestamp(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time; Go writes up to nine decimals. Raises ``ValueError``."""
    moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    if moment.tzinfo is None:
        raise ValueError(f"a time without its offset: {text!r}")
    return moment.timestamp()
