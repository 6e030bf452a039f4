"""Sizes as people write them, read and written in one place: ``64MiB``, ``1.5 GiB``, ``512k``, or bytes."""

import math
import re

from operator_protocol.errors import BadRequest

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_FACTOR: dict[str, int] = {"": 1, "b": 1} | {
    spelling: 1 << (10 * power)
    for power, letter in enumerate("kmgt", start=1)
    for spelling in (letter, f"{letter}b", f"{letter}ib")
}
"""Binary, whatever is written: who fills a disk with 64M does not mean 64,000,000."""
_WHOLE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([a-z]*)", re.ASCII)
_FORMS = "write 64MiB, 1.5GiB, 512KiB or plain bytes"


def parse_size(value: object, what: str = "size") -> int:
    """Bytes of ``value``: a number of bytes, or text such as ``64MiB``, ``64m``, ``1.5 GiB``.

    Below zero, not finite and everything else is a ``BadRequest`` that names ``what``.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return round(value)
    if isinstance(value, str):
        found = _WHOLE.fullmatch(value.strip().lower())
        if found and found[2] in _FACTOR:
            return round(float(found[1]) * _FACTOR[found[2]])
    raise BadRequest(f"{what}: {value!r} is not a size", _FORMS)


def format_size(count_bytes: float) -> str:
    """``count_bytes`` for a person: ``312 B``, ``64 MiB``, ``1.5 GiB``."""
    amount, unit = float(count_bytes), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f}".removesuffix(".0") + f" {_UNITS[unit]}"
