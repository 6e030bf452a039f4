"""What the rules know about each subject: its decision table, and what to do about each cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from operatord.workers.agent import remedies, table, tikv_remedies, tikv_table
from operatord.workers.agent.causes import Cause
from operatord.workers.agent.remedies import Remedy
from operatord.workers.agent.table import Row


@dataclass(frozen=True, slots=True)
class Book:
    """The knowledge about one subject. Each cause of the table has its rivals, its remedy and its doubts."""

    table: tuple[Row, ...]
    rivals: Mapping[Cause, tuple[Cause, ...]]
    """What else could look like the cause."""
    remedies: Mapping[Cause, Remedy]
    doubts: Mapping[Cause, str]
    """What evidence, were it found, would make it another answer; ``{node}`` and ``{group}`` are filled in."""

    def rows(self, cause: Cause) -> Sequence[Row]:
        """The ways to arrive at ``cause``."""
        return [row for row in self.table if row.cause == cause]


VALKEY = Book(table.TABLE, table.RIVALS, remedies.REMEDIES, remedies.DOUBTS)
TIKV = Book(tikv_table.TABLE, tikv_table.RIVALS, tikv_remedies.REMEDIES, tikv_remedies.DOUBTS)
BOOKS: Mapping[str, Book] = {"valkey": VALKEY, "tikv": TIKV}


def book_of(subject: str) -> Book:
    """The book of ``subject``; for one that is not known, as in a dossier without looks, that of the embedded one."""
    return BOOKS.get(subject, VALKEY)
