"""What the rules know about each subject: its decision table, and what to do about each cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from operator_protocol.models import Risk
from operatord.workers.agent.rules import advice, tikv_remedies, tikv_table, valkey_remedies, valkey_table
from operatord.workers.agent.rules.causes import Cause
from operatord.workers.agent.rules.remedies import Remedy
from operatord.workers.agent.rules.rows import Row


@dataclass(frozen=True, slots=True)
class Book:
    """The knowledge about one subject. Each cause of the table has its rivals, its remedy and its doubts."""

    table: tuple[Row, ...]
    rivals: Mapping[Cause, tuple[Cause, ...]]
    """What else could look like the cause."""
    remedies: Mapping[Cause, Remedy]
    doubts: Mapping[Cause, str]
    """What evidence, were it found, would make it another answer; ``{node}`` and ``{group}`` are filled in."""
    advice: Mapping[str, Risk]
    """The actions that may be recommended."""

    def rows(self, cause: Cause) -> Sequence[Row]:
        """The ways to arrive at ``cause``."""
        return [row for row in self.table if row.cause == cause]


VALKEY = Book(valkey_table.TABLE, valkey_table.RIVALS, valkey_remedies.REMEDIES, valkey_remedies.DOUBTS, advice.VALKEY)
TIKV = Book(tikv_table.TABLE, tikv_table.RIVALS, tikv_remedies.REMEDIES, tikv_remedies.DOUBTS, advice.TIKV)
BOOKS: Mapping[str, Book] = {"valkey": VALKEY, "tikv": TIKV}


def book_of(subject: str) -> Book:
    """The book of ``subject``; for one that is not known, as in a dossier without looks, that of the embedded one."""
    return BOOKS.get(subject, VALKEY)
