"""On which line of a TOML text each key stands: ``tomllib`` reads values, not places.

The text has been read by ``tomllib`` before, so this only has to find its way through what is known to be valid. A
place is the path to a value, as in the parsed document: ``("step", 2, "match", "node")``.
"""

import re

Path = tuple[str | int, ...]
Lines = dict[Path, int]

_KEY_PART = re.compile(r"\s*(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([A-Za-z0-9_-]+))\s*")
_BLANK = re.compile(r"(?:[\s,]|#[^\n]*)*")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"""+|\'\'\'.*?\'\'\'+|"(?:[^"\\]|\\.)*"|\'[^\']*\'', re.DOTALL)
_SCALAR = re.compile(r"[^\s,\]}#]+")


def lines_of(text: str) -> Lines:
    """The line, counted from 1, of each table, key and array element of a valid TOML document."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: Lines = {(): 1}
        self._tables: dict[Path, int] = {}
        """How many tables of an array there were so far."""

    def scan(self) -> Lines:
        table: Path = ()
        while self._skip(_BLANK):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
        return self._found

    def _header(self) -> Path:
        line, brackets = self._line(), 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        path = self._in_arrays(self._key(), line, last=brackets == 1)
        self._at += brackets
        if brackets == 2:
            number = self._tables.get(path, -1) + 1
            self._tables[path] = number
            self._found.setdefault(path, line)
            path = (*path, number)
        self._found[path] = line
        return path

    def _in_arrays(self, key: list[str], line: int, *, last: bool) -> Path:
        """``step.match`` below the third ``[[step]]`` is ``("step", 2, "match")``."""
        path: Path = ()
        for position, part in enumerate(key):
            path = (*path, part)
            if path in self._tables and (last or position < len(key) - 1):
                path = (*path, self._tables[path])
            if position < len(key) - 1:
                self._found.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for part in self._key():
            path = (*path, part)
            self._found.setdefault(path, line)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self) -> list[str]:
        parts = []
        while (found := _KEY_PART.match(self._text, self._at)) is not None:
            self._at = found.end()
            parts.append(next(group for group in found.groups() if group is not None))
            if not self._text.startswith(".", self._at):
                break
            self._at += 1
        return parts

    def _value(self, path: Path) -> None:
        self._skip(_BLANK)
        self._found.setdefault(path, self._line())
        opening = self._text[self._at : self._at + 1]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline(path)
        elif opening in ('"', "'"):
            self._skip(_STRING)
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        number = 0
        while self._skip(_BLANK) and not self._text.startswith("]", self._at):
            self._value((*path, number))
            number += 1
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while self._skip(_BLANK) and not self._text.startswith("}", self._at):
            self._pair(path)
        self._at += 1

    def _skip(self, pattern: "re.Pattern[str]") -> bool:
        """Go behind what matches; False at the end of the text."""
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1
