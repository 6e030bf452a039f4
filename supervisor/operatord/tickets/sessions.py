"""Transactions on a database of ours: the one place that opens them, and makes our errors of what SQLAlchemy raises."""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from operator_protocol.errors import Unavailable

WRITES = "operatord_writes"
"""Execution option of a transaction that will write: SQLite takes its lock at the beginning then."""


class Sessions:
    """Reads and writes through an engine."""

    def __init__(self, engine: Engine, shown: str, remedy: str) -> None:
        """``shown`` is the database for people, ``remedy`` what to do when it fails."""
        self.engine = engine
        self.shown = shown
        self.remedy = remedy

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that reads. Raises ``Unavailable`` with the database's own words."""
        with self._session(self.engine) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that writes: all of it, or nothing. Raises ``Unavailable``."""
        with self._session(self.engine.execution_options(**{WRITES: True})) as session:
            yield session

    def close(self) -> None:
        """Give the database back; SQLite folds its write-ahead log into the file."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        try:
            with Session(engine) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            raise Unavailable(f"the ticket database {self.shown} failed: {reason(error)}", self.remedy) from error


def reason(error: SQLAlchemyError) -> str:
    """The first line of what the database itself said."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    return said.splitlines()[0] if said else type(error).__name__
