"""What was spent today, kept in a file so that a restart does not begin a new day.

The cost of a call is booked before it is made, at the most that it may cost, and settled when the answer says how
much it was: a worker that is killed in between has spent too much on paper, never too little.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from operatord.clock import Clock
from operatord.workers.agent.settings import Prices

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        """All tokens that were read or written."""
        return self.input + self.output + self.cache_read + self.cache_write

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    def cost(self, prices: Prices) -> float:
        """In US dollars."""
        return (
            self.input * prices.input
            + self.output * prices.output
            + self.cache_read * prices.cache_read
            + self.cache_write * prices.cache_write
        ) / _MILLION


class Ledger:
    """The spending of the present day (UTC), with its ceiling."""

    def __init__(self, path: Path | None, ceiling_usd: float, *, wall: Clock = time.time) -> None:
        self._path = path
        self._ceiling_usd = ceiling_usd
        self._wall = wall
        self._day, self._usd, self._tokens = self._read()

    @property
    def spent_usd(self) -> float:
        """Today so far, what is booked included."""
        self._turn_day()
        return self._usd

    @property
    def tokens(self) -> int:
        """Today so far."""
        self._turn_day()
        return self._tokens

    def is_spent(self, next_usd: float = 0.0) -> bool:
        """True when ``next_usd`` more would be above the ceiling."""
        return self.spent_usd + next_usd > self._ceiling_usd

    def book(self, most_usd: float) -> Callable[[float, int], None]:
        """Book ``most_usd``; the result settles it with what it really was, and the tokens."""
        self._turn_day()
        self._usd += most_usd
        self._write()
        day = self._day

        def settle(usd: float, tokens: int) -> None:
            self._turn_day()
            if day == self._day:
                self._usd = max(0.0, self._usd - most_usd)
            self._usd += usd
            self._tokens += tokens
            self._write()

        return settle

    def _today(self) -> str:
        return datetime.fromtimestamp(self._wall(), UTC).strftime("%Y-%m-%d")

    def _turn_day(self) -> None:
        if self._day != self._today():
            self._day, self._usd, self._tokens = self._today(), 0.0, 0

    def _read(self) -> tuple[str, float, int]:
        if self._path is not None:
            # A file that cannot be read counts as nothing spent: the ceiling of the new day still holds.
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                kept = json.loads(self._path.read_text(encoding="utf-8"))
                if kept["day"] == self._today():
                    return str(kept["day"]), max(0.0, float(kept["usd"])), max(0, int(kept["tokens"]))
        return self._today(), 0.0, 0

    def _write(self) -> None:
        if self._path is None:
            return
        text = json.dumps({"day": self._day, "usd": round(self._usd, 6), "tokens": self._tokens})
        fresh = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
            fresh.replace(self._path)
