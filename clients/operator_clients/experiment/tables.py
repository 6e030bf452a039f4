"""A table of the file, read key by key: each value checked, each mistake kept with its line instead of raised.

So one run over a file finds everything that is wrong with it.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from operator_clients import when
from operator_clients.experiment.conditions import Condition, parse_condition
from operator_protocol.models import Scalar
from operator_protocol.toml_lines import Lines, Path

T = TypeVar("T")

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")


class Problem(NamedTuple):
    """One thing that is wrong with a file."""

    line: int
    key: str
    """Dotted; empty when it is about the file."""
    message: str

    def told(self, file: str) -> str:
        """``FILE:LINE: KEY: MESSAGE``, as compilers write it."""
        return ": ".join(
            part for part in (f"{file}:{self.line}" if self.line else file, self.key, self.message) if part
        )


class Table:
    """One table and its place in the file."""

    def __init__(self, values: Mapping[str, object], path: Path, lines: Lines, problems: list[Problem]) -> None:
        self._values = values
        self._path = path
        self._lines = lines
        self._problems = problems
        self._known: list[str] = []

    @property
    def line(self) -> int:
        """Where it begins."""
        return self._lines.get(self._path, 0)

    def has(self, key: str) -> bool:
        """Whether the file has this key."""
        return key in self._values

    def text(self, key: str, default: str | None = None) -> str:
        """A text; required without a default."""
        value = self._take(key, required=default is None)
        if value is None:
            return default or ""
        if not isinstance(value, str):
            return self.wrong(key, f"is a text in quotes, not {_kind(value)}", "")
        if not value.strip():
            return self.wrong(key, "is empty", "")
        return value

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """One of these texts."""
        value = self.text(key)
        if value and value not in choices:
            return self.wrong(key, f"{value!r} is not one of {', '.join(choices)}{_close(value, choices)}", "")
        return value

    def name(self, key: str) -> str:
        """A name for others to refer to; empty without one."""
        value = self.text(key, "")
        if value and not NAME.match(value):
            return self.wrong(key, f"{value!r} is not a name: lower-case letters, digits, - and _", "")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self._take(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        return self.wrong(key, f"is true or false, not {_kind(value)}", default)

    def seconds(self, key: str, default: float = 0.0, *, required: bool = False) -> float:
        """A duration: a number of seconds, or a text like ``"500ms"`` or ``"1m30s"``."""
        found = self.limit(key, required=required)
        return default if found is None else found

    def limit(self, key: str, *, required: bool = False) -> float | None:
        """A duration, None without one."""
        value = self._take(key, required=required)
        if value is None:
            return None
        if isinstance(value, str):
            try:
                return when.seconds(value)
            except ValueError as error:
                return self.wrong(key, str(error), None)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            return self.wrong(key, f'is a duration like 2.5 or "1m30s", not {value!r}', None)
        return float(value)

    def rate(self, key: str, *, required: bool = False) -> float | None:
        """Operations per second, above zero."""
        value = self._take(key, required=required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            return self.wrong(key, f"is a rate above zero in operations per second, not {value!r}", None)
        return float(value)

    def count(self, key: str) -> int | None:
        """A whole number, zero included."""
        value = self._take(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value if isinstance(value, int) else None
        return self.wrong(key, f"is a whole number, not {value!r}", None)

    def scalars(self, key: str) -> dict[str, Scalar]:
        """A table of plain values."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            return self.wrong(key, f"is a table like {{ duty = 80 }}, not {_kind(value)}", {})
        found: dict[str, Scalar] = {}
        for name, one in value.items():
            if isinstance(one, str | int | float | bool):
                found[name] = one
            else:
                self._problem((key, name), f"is a plain value, not {_kind(one)}")
        return found

    def table(self, key: str) -> "Table | None":
        """A table inside this one; None without one."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            return self.wrong(key, f"is a table, written [{key}], not {_kind(value)}", None)
        return Table(value, (*self._path, key), self._lines, self._problems)

    def tables(self, key: str) -> "list[Table]":
        """A series of tables inside this one."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            return self.wrong(key, f"is a series of tables, each written [[{key}]]", [])
        return [Table(one, (*self._path, key, i), self._lines, self._problems) for i, one in enumerate(value)]

    def matches(self, key: str) -> dict[tuple[str, ...], tuple[str, ...]]:
        """Members of a body, nested ones with a dot: each a value, or a list of those it may have."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            return self.wrong(key, f'is a table like {{ node = "$target" }}, not {_kind(value)}', {})
        return dict(self._flat(value, (key,)))

    def _flat(self, value: Mapping[str, object], at: Path) -> Iterable[tuple[tuple[str, ...], tuple[str, ...]]]:
        for name, one in value.items():
            here = (*at, name)
            if isinstance(one, Mapping):
                yield from self._flat(one, here)
                continue
            options = one if isinstance(one, list) else [one]
            if not options or not all(isinstance(option, str | int | float | bool) for option in options):
                self._problem(here, f"is a plain value, or a list of them, not {_kind(one)}")
            else:
                yield tuple(str(part) for part in here[1:]), tuple(_as_text(option) for option in options)

    def conditions(self, key: str) -> "list[tuple[Condition, Table | None]]":
        """Conditions: one, or a list; each a text, or a table with the condition as ``that``."""
        value = self._take(key, required=True)
        if value is None:
            return []
        items = value if isinstance(value, list) else [value]
        if not items:
            self._problem((key,), "has no condition")
        found: list[tuple[Condition, Table | None]] = []
        for number, item in enumerate(items):
            at: Path = (key, number) if isinstance(value, list) else (key,)
            inner = Table(item, (*self._path, *at), self._lines, self._problems) if isinstance(item, Mapping) else None
            text = inner.text("that") if inner else item
            if not isinstance(text, str):
                self._problem(at, f"is a condition in quotes, not {_kind(text)}")
            elif text:
                found += [(one, inner) for one in self.parsed(at, text, parse_condition)]
        return found

    def parsed(self, at: Path, text: str, parse: Callable[[str], T]) -> list[T]:
        """What ``parse`` makes of a text; nothing, and a problem, when it raises ``ValueError``."""
        try:
            return [parse(text)]
        except ValueError as error:
            self._problem(at, str(error))
            return []

    def raw(self, key: str) -> object:
        """Whatever it is; None without it."""
        return self._take(key)

    def wrong(self, key: str, message: str, instead: T) -> T:
        """Note a problem with the value of ``key``, and go on with another one."""
        self._problem((key,), message)
        return instead

    def done(self) -> None:
        """All keys were asked for: whatever else is there is a mistake."""
        for key in self._values:
            if key not in self._known:
                known = ", ".join(self._known)
                self._problem((key,), f"is not known here{_close(key, self._known) or f'; there are {known}'}")

    def _take(self, key: str, *, required: bool = False) -> object:
        self._known.append(key)
        value = self._values.get(key)
        if value is None and required:
            self._problems.append(Problem(self.line, _dotted((*self._path, key)), "is missing"))
        return value

    def _problem(self, at: Path, message: str) -> None:
        path = (*self._path, *at)
        line = next((self._lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self._lines), 0)
        self._problems.append(Problem(line, _dotted(path), message))


def _dotted(path: Path) -> str:
    """``step[3].match.node``, counted from 1 as people do."""
    told = ""
    for part in path:
        told += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if told else part
    return told


def _close(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value!r}"
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, Mapping) else f"{value}"


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
