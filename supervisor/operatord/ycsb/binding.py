"""What a database must offer to be loaded: four operations on records of named fields.

The names are YCSB's. An operation never raises for what the database does; it says how it went by a ``Status``.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Protocol


class Status(Enum):
    """How an operation ended, by YCSB's names (``Return=OK`` in the final block)."""

    OK = "OK"
    NOT_FOUND = "NOT_FOUND"
    """There is no such record."""
    ERROR = "ERROR"
    """The database refused; trying again would not help."""
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    """It was tried until the operation's time was over."""


class Binding(Protocol):
    """One client's way to the database."""

    async def read(self, key: str, fields: Sequence[str] | None) -> Status:
        """Read the given fields of a record, or all of them for None."""

    async def scan(self, start_key: str, count: int, fields: Sequence[str] | None) -> Status:
        """Read up to ``count`` records, in key order from ``start_key`` on."""

    async def update(self, key: str, values: Mapping[str, bytes]) -> Status:
        """Overwrite fields of a record."""

    async def insert(self, key: str, values: Mapping[str, bytes]) -> Status:
        """Write a whole record."""

    async def close(self) -> None:
        """Give connections back."""
