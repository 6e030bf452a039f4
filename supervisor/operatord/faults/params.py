"""The parameters of a fault: what was given, checked against the catalogue and completed with its defaults.

A client may give a value in its own type or as text, as a person types it: ``70``, ``"70"``, ``"70%"``; ``"2s"`` for
what is measured in seconds or milliseconds, ``"64MiB"`` for bytes. Only this side knows which type a parameter has.
"""

import math
from collections.abc import Mapping

from operator_protocol.errors import BadRequest
from operator_protocol.models import ActionKind, FaultKind, FaultParam, Scalar
from operatord.durations import parse_duration
from operatord.sizes import format_size, parse_size

_PER_SECOND = {"s": 1.0, "ms": 1000.0}
_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")


def complete(
    kind: FaultKind | ActionKind, given: Mapping[str, Scalar], *, see: str = "operatorctl faults"
) -> dict[str, Scalar]:
    """All parameters of ``kind``, with what was ``given`` in the type and the unit of the catalogue.

    An action has parameters of the same form as a fault. ``see`` is the command that shows the catalogue.
    Raises ``BadRequest`` naming the parameter, its range and its unit.
    """
    known = {param.name: param for param in kind.params}
    for name in given:
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            raise BadRequest(f"{kind.name} has no parameter {name!r}", f"{there}; see: {see}")
    return {
        name: param.default if given.get(name) is None else _read(kind, param, given[name])
        for name, param in known.items()
    }


def describe_range(param: FaultParam) -> str:
    """What may be given, for a person: ``1 to 95 %``, ``at least 10 ms``, ``one of in, out, both``."""
    if param.choices:
        return f"one of {', '.join(param.choices)}"
    low, high = (None if end is None else _shown(end, param.unit) for end in (param.minimum, param.maximum))
    unit = "" if not param.unit or is_size(param.unit) else f" {param.unit}"
    if low is not None and high is not None:
        return f"{low} to {high}{unit}"
    if low is not None:
        return f"at least {low}{unit}"
    if high is not None:
        return f"at most {high}{unit}"
    if param.default is None:
        return "anything"
    return {bool: "true or false", str: "text"}.get(type(param.default), "a number")


def describe_default(param: FaultParam) -> str:
    """The default, for a person: ``70 %``, ``64 MiB``, ``none``."""
    default = param.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int | float):
        unit = "" if is_size(param.unit) else f" {param.unit}"
        return (_shown(default, param.unit) + unit).rstrip()
    return default or "none"


def is_size(unit: str) -> bool:
    """``bytes``, or bytes in a time: shown and read in powers of 1,024."""
    return unit in ("bytes", "bytes/s")


def _read(kind: FaultKind | ActionKind, param: FaultParam, value: Scalar) -> Scalar:
    try:
        read = _typed(param, value)
    except (ValueError, OverflowError, BadRequest):
        read = None
    if read is None or not _allowed(param, read):
        raise BadRequest(
            f"{kind.name}: {param.name} is {describe_range(param)}, not {value!r}",
            f"{param.name}: {param.meaning} (default {describe_default(param)})",
        )
    return read


def _typed(param: FaultParam, value: Scalar) -> Scalar:
    """``value`` in the type of the parameter; None, ``ValueError`` or ``BadRequest`` when it is not of that type."""
    default = param.default
    if isinstance(default, bool):
        return _truth(value)
    if isinstance(default, str):
        return value if isinstance(value, str) else None
    if default is not None:
        number = _number(value, param.unit)
        if isinstance(default, int):
            return int(number) if number is not None and number.is_integer() else None
        return number
    return value


def _truth(value: Scalar) -> bool | None:
    if isinstance(value, str):
        return True if value.lower() in _YES else False if value.lower() in _NO else None
    return value if isinstance(value, bool) else None


def _number(value: Scalar, unit: str) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = _from_text(value.strip(), unit)
    return float(value) if math.isfinite(value) else None


def _from_text(text: str, unit: str) -> float:
    if is_size(unit):
        return parse_size(text.removesuffix(unit.removeprefix("bytes")))
    try:
        return float(text)
    except ValueError:
        pass
    if unit in _PER_SECOND:
        # Rounded, or 20 ms as 0.02 s would come back as 20.000000000000004.
        return round(parse_duration(text) * _PER_SECOND[unit], 6)
    return float(text.removesuffix(unit) if unit else text)


def _allowed(param: FaultParam, value: Scalar) -> bool:
    if param.choices and value not in param.choices:
        return False
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    above = param.minimum is None or value >= param.minimum
    return above and (param.maximum is None or value <= param.maximum)


def _shown(number: float, unit: str) -> str:
    """A number of the catalogue; sizes bring their own unit along."""
    if is_size(unit):
        return format_size(number) + unit.removeprefix("bytes")
    return f"{number:,g}" if abs(number) < 1e6 else f"{number:,.0f}"
