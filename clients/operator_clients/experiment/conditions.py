"""Conditions like ``workload.ops_per_sec >= 0.9 * baseline``: what they may say, and whether they hold.

A condition compares two products of numbers and quantities. A quantity is a path into what the daemon's frames say
(``quantities`` has the list); what is not known at the moment makes the comparison *unknown*, which is not true.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from operator_clients.experiment.quantities import check_path, unit_of
from operator_protocol.models import Scalar

Path = tuple[str, ...]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d[\d_]*(?:\.\d+)?)\s*(?P<unit>ms|s|ops/s|errors/s|KiB|MiB|GiB|%)?(?![\w/.])"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<path>[A-Za-z$][\w$-]*(?:\.(?:\*|[\w$-]+))*)"
    r"|(?P<operator>==|!=|<=|>=|<|>)"
    r"|(?P<times>\*))"
)
_WORDS: dict[str, Scalar] = {"true": True, "false": False}
_TIMES = {"ms": 1.0, "s": 1000.0}
_SIZES = {"KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class Reading(NamedTuple):
    """What a quantity is now; None with the reason when that is not known."""

    value: Scalar
    why: str = ""


Read = Callable[[Path], Reading]


class Literal(NamedTuple):
    """A value as it was written."""

    value: Scalar
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """One side of a condition: a value, a quantity, or numbers and quantities multiplied."""

    text: str
    factors: tuple[Literal | Path, ...]

    def value(self, read: Read) -> Reading:
        """What it comes to now."""
        readings = [self._factor(factor, read) for factor in self.factors]
        unknown = next((one for one in readings if one.value is None), None)
        if unknown is not None or len(readings) == 1:
            return unknown or readings[0]
        result = 1.0
        for one in readings:
            if not _is_number(one.value):
                return Reading(None, f"{one.value!r} is not a number")
            result *= float(one.value)  # type: ignore[arg-type]  # it is a number
        return Reading(result)

    @property
    def unit(self) -> str:
        """Of the first quantity in it."""
        return next((unit_of(factor) for factor in self.factors if not isinstance(factor, Literal)), "")

    @property
    def paths(self) -> list[Path]:
        """The quantities in it."""
        return [factor for factor in self.factors if not isinstance(factor, Literal)]

    def in_unit(self, unit: str) -> "Product":
        """With the written values in ``unit``. Raises ``ValueError`` for one that is of another kind."""
        factors = tuple(_in_unit(one, unit) if isinstance(one, Literal) else one for one in self.factors)
        return Product(self.text, factors)

    @staticmethod
    def _factor(factor: "Literal | Path", read: Read) -> Reading:
        return Reading(factor.value) if isinstance(factor, Literal) else read(factor)


class Verdict(NamedTuple):
    """How a condition stands: it holds, it does not, or (None) that is unknown, and ``why``."""

    holds: bool | None
    left: Scalar
    right: Scalar
    why: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """``left operator right``."""

    text: str
    left: Product
    operator: str
    right: Product

    def judge(self, read: Read) -> Verdict:
        """Compare what the two sides are now."""
        left, right = self.left.value(read), self.right.value(read)
        if left.value is None or right.value is None:
            return Verdict(None, left.value, right.value, left.why or right.why)
        if self.operator in ("==", "!="):
            same = _same(left.value, right.value)
            return Verdict(same == (self.operator == "=="), left.value, right.value)
        if not _is_number(left.value) or not _is_number(right.value):
            return Verdict(None, left.value, right.value, f"{self.operator} compares numbers")
        holds = _COMPARE[self.operator](float(left.value), float(right.value))
        return Verdict(holds, left.value, right.value)

    @property
    def paths(self) -> list[Path]:
        """The quantities on both sides."""
        return self.left.paths + self.right.paths

    @property
    def unit(self) -> str:
        """Of what is compared."""
        return self.left.unit or self.right.unit


def parse_condition(text: str) -> Condition:
    """Read a condition. Raises ``ValueError`` that says what is wrong with it."""
    tokens = list(_tokens(text))
    operators = [position for position, (kind, _) in enumerate(tokens) if kind == "operator"]
    if len(operators) != 1:
        raise ValueError(f'{text!r} is not a condition like "workload.ops_per_sec >= 0.9 * baseline"')
    middle = operators[0]
    left, right = _product(tokens[:middle], text), _product(tokens[middle + 1 :], text)
    if not left.paths and not right.paths:
        raise ValueError(f"{text!r} compares nothing that is measured")
    unit = left.unit or right.unit
    return Condition(" ".join(text.split()), left.in_unit(unit), str(tokens[middle][1]), right.in_unit(unit))


def parse_product(text: str, unit: str) -> Product:
    """Read one side of a condition, in ``unit``. Raises ``ValueError``."""
    return _product(list(_tokens(text)), text).in_unit(unit)


def _tokens(text: str) -> Iterator[tuple[str, Literal | Path | str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"{text!r}: {text[at:].strip()!r} is not understood")
        at = found.end()
        if found["number"]:
            yield "factor", Literal(float(found["number"].replace("_", "")), found["unit"] or "")
        elif found["text"]:
            yield "factor", Literal(found["text"][1:-1])
        elif found["path"]:
            yield "factor", _word(found["path"])
        else:
            yield ("operator", found["operator"]) if found["operator"] else ("times", "*")


def _word(word: str) -> "Literal | Path":
    if word in _WORDS:
        return Literal(_WORDS[word])
    path = tuple(word.split("."))
    check_path(path)
    return path


def _product(tokens: "list[tuple[str, Literal | Path | str]]", text: str) -> Product:
    kinds = [kind for kind, _ in tokens]
    if kinds != ["factor", "times"] * (len(kinds) // 2) + ["factor"]:
        raise ValueError(
            f"{text!r} is not a condition: a side is a value, a quantity, or a product like 0.9 * baseline"
        )
    factors = tuple(value for kind, value in tokens if kind == "factor" and not isinstance(value, str))
    return Product(" ".join(text.split()), factors)


def _in_unit(literal: Literal, unit: str) -> Literal:
    if not literal.unit or literal.unit == unit or not isinstance(literal.value, float):
        return literal
    if literal.unit == "%":
        return Literal(literal.value / 100)
    for scale in (_TIMES, _SIZES):
        base = "ms" if scale is _TIMES else "bytes"
        if literal.unit in scale and unit == base:
            return Literal(literal.value * scale[literal.unit], base)
    raise ValueError(f"{literal.value:g} {literal.unit} is compared with what is measured in {unit or 'plain numbers'}")


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(left: Scalar, right: Scalar) -> bool:
    return (
        type(left) is type(right) and left == right
        if isinstance(left, bool) or isinstance(right, bool)
        else left == right
    )
