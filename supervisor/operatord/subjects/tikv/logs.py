"""TiKV's and PD's log lines: ``[time] [LEVEL] [file:line] ["message"] [key=value] …``.

A message, key or value is quoted like a JSON string when it has a byte up to 0x20 or one of ``" = [ ]`` in it, so
brackets inside quotes are text. Hence a tokeniser, not a pattern.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime

_TIME = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d\.\d{1,6}) ([+-]\d\d:\d\d)", re.ASCII)
_EQUALS = None
"""The token of an ``=`` outside quotes; inside quotes it is text."""
LEVELS = ("FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, taken apart."""

    at: float
    """Wall clock, seconds since the epoch; the line's own offset is respected."""
    level: str
    source: str
    """``raft.rs:1228``."""
    message: str
    fields: dict[str, str] = field(default_factory=dict)

    def number(self, key: str) -> int | None:
        """A field as an integer; None when it is missing or none."""
        try:
            return int(self.fields[key])
        except (KeyError, ValueError):
            return None


def parse(line: str) -> LogLine | None:
    """The line, or None when it is not of this format (a panic's backtrace, the output of a wrapper)."""
    groups = _groups(line.rstrip("\r\n"))
    if groups is None or len(groups) < 4:
        return None
    stamp, level, source, message, *pairs = groups
    at = _seconds(_text(stamp))
    if at is None or _text(level) not in LEVELS:
        return None
    fields: dict[str, str] = {}
    for pair in pairs:
        key, value = _split(pair)
        fields[key] = value
    return LogLine(at, _text(level), _text(source), _text(message), fields)


def _groups(line: str) -> list[list[str | None]] | None:
    """Each bracket as the tokens in it: quoted ones decoded, ``=`` outside quotes a token of its own."""
    found: list[list[str | None]] = []
    position = 0
    while position < len(line):
        if line[position] == " ":
            position += 1
            continue
        if line[position] != "[":
            return None
        group = _group(line, position + 1)
        if group is None:
            return None
        tokens, position = group
        found.append(tokens)
    return found


def _group(line: str, position: int) -> tuple[list[str | None], int] | None:
    tokens: list[str | None] = []
    plain = position
    while position < len(line):
        char = line[position]
        if char == '"' and position == plain:
            end = _closing_quote(line, position)
            if end is None:
                return None
            tokens.append(_unquoted(line[position : end + 1]))
            position = plain = end + 1
        elif char in "=]":
            if position > plain:
                tokens.append(line[plain:position])
            if char == "]":
                return tokens, position + 1
            tokens.append(_EQUALS)
            position = plain = position + 1
        else:
            position += 1
    return None


def _closing_quote(line: str, opening: int) -> int | None:
    position = opening + 1
    while position < len(line):
        if line[position] == "\\":
            position += 2
        elif line[position] == '"':
            return position
        else:
            position += 1
    return None


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        # Bytes that JSON has no escape for are written as \xNN by some versions: better raw than lost.
        return text[1:-1]


def _split(tokens: list[str | None]) -> tuple[str, str]:
    if _EQUALS not in tokens:
        return _text(tokens), ""
    at = tokens.index(_EQUALS)
    return _text(tokens[:at]), _text(tokens[at + 1 :])


def _text(tokens: list[str | None]) -> str:
    return "".join("=" if token is _EQUALS else token for token in tokens)


def _seconds(stamp: str) -> float | None:
    match = _TIME.fullmatch(stamp)
    if match is None:
        return None
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        return datetime.fromisoformat(
            f"{year}-{month}-{day}T{hour}:{minute}:{second.ljust(9, '0')}{offset}"
        ).timestamp()
    except ValueError:
        return None
