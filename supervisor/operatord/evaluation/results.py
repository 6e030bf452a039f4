"""Results on disk: SQLAlchemy on SQLite; of each run its campaign and its plan, of each trial what was seen.

Only ``operatord eval`` imports this; it takes a quarter of a second.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import JSON, Engine, ForeignKey, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from operator_protocol.errors import Conflict, NotFound, Unavailable
from operator_protocol.records import from_body, to_body
from operatord.clock import Clock
from operatord.evaluation.campaign import Campaign, parse_campaign
from operatord.evaluation.plan import Trial, make_plan
from operatord.evaluation.seen import Seen

SCHEMA_VERSION = 1
FILE_NAME = "evaluation.sqlite"


class _Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON}  # noqa: RUF012 - what SQLAlchemy reads


class _RunRow(_Base):
    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    began_at: Mapped[float]
    ended_at: Mapped[float | None]
    file: Mapped[str]
    campaign: Mapped[str]
    """The text of the file."""
    about: Mapped[dict[str, Any]]
    __table_args__ = ({"sqlite_autoincrement": True},)


class _ResultRow(_Base):
    __tablename__ = "results"

    run: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float]
    status: Mapped[str]
    seen: Mapped[dict[str, Any]]


class Run(NamedTuple):
    """One execution of a campaign."""

    id: int
    began_at: float
    ended_at: float | None
    file: str
    campaign: Campaign
    text: str
    about: dict[str, Any]
    """Version, host, models: what a reader of the figures must know."""
    kept: int
    """Results there are of it."""


Runs: TypeAlias = list[Run]


class Results:
    """The runs in one file."""

    def __init__(self, path: Path, *, wall: Clock = time.time) -> None:
        """Open or make it. Raises ``Conflict`` for one that a newer version wrote, ``Unavailable`` if it cannot be."""
        self._path = path
        self._wall = wall
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"{path.parent} cannot be made: {error.strerror}", "choose another with --db") from error
        self._engine: Engine = create_engine(f"sqlite:///{path}")
        with self._guarded(), self._engine.begin() as connection:
            found = connection.scalar(text("PRAGMA user_version")) or 0
            if found > SCHEMA_VERSION:
                raise Conflict(
                    f"the results in {path} have schema {found}, this version knows {SCHEMA_VERSION}",
                    "use the version that wrote them, or choose another file with --db",
                )
            _Base.metadata.create_all(connection)
            connection.execute(text(f"PRAGMA user_version = {SCHEMA_VERSION}"))

    def begin(self, file: str, text_of_it: str, about: dict[str, Any]) -> int:
        """A new run; its number."""
        with self._session() as session:
            row = _RunRow(began_at=self._wall(), ended_at=None, file=file, campaign=text_of_it, about=about)
            session.add(row)
            session.flush()
            return row.id

    def end(self, run: int) -> None:
        """All of it was tried."""
        with self._session() as session:
            _found(session, run).ended_at = self._wall()

    def keep(self, run: int, trial: Trial, seen: Seen) -> None:
        """What a trial showed; a trial that could not be run before may be kept again."""
        with self._session() as session:
            session.merge(
                _ResultRow(run=run, number=trial.number, at=self._wall(), status=seen.status, seen=to_body(seen))
            )

    def keeper(self, run: int) -> "RunKeeper":
        """For ``execute``."""
        return RunKeeper(self, run)

    def done(self, run: int) -> set[int]:
        """The numbers of the trials that were run."""
        query = select(_ResultRow.number).where(_ResultRow.run == run, _ResultRow.status == "ran")
        with self._session() as session:
            return set(session.scalars(query))

    def runs(self) -> Runs:
        """All runs, newest first."""
        with self._session() as session:
            return [_run(session, row) for row in session.scalars(select(_RunRow).order_by(_RunRow.id.desc()))]

    def run(self, run: int | None = None) -> Run:
        """One run, the newest without a number. Raises ``NotFound``."""
        with self._session() as session:
            number = run if run is not None else session.scalar(select(func.max(_RunRow.id)))
            if number is None:
                raise NotFound(f"there is no run in {self._path}", "operatord eval run CAMPAIGN.toml makes one")
            return _run(session, _found(session, number))

    def results(self, run: Run) -> list[tuple[Trial, Seen]]:
        """The trials of ``run`` that have a result, in their order."""
        plan = {trial.number: trial for trial in make_plan(run.campaign)}
        query = select(_ResultRow).where(_ResultRow.run == run.id).order_by(_ResultRow.number)
        with self._session() as session:
            return [(plan[row.number], from_body(Seen, row.seen)) for row in session.scalars(query)]

    def close(self) -> None:
        """Give the file back."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _session(self) -> Iterator[Session]:
        with self._guarded(), Session(self._engine) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            said = error.orig if isinstance(error, DBAPIError) else error
            raise Unavailable(f"the results in {self._path} failed: {said}", "choose another file with --db") from error


class RunKeeper:
    """Keeps the results of one run."""

    def __init__(self, results: Results, run: int) -> None:
        self._results = results
        self._run = run

    def done(self) -> set[int]:
        """The numbers of the trials that were run already."""
        return self._results.done(self._run)

    def keep(self, trial: Trial, seen: Seen) -> None:
        """Keep what a trial showed."""
        self._results.keep(self._run, trial, seen)


def _found(session: Session, run: int) -> _RunRow:
    row = session.get(_RunRow, run) if 0 < run < 1 << 63 else None
    if row is None:
        raise NotFound(f"there is no run {run}", "operatord eval show lists them")
    return row


def _run(session: Session, row: _RunRow) -> Run:
    kept = session.scalar(select(func.count()).select_from(_ResultRow).where(_ResultRow.run == row.id)) or 0
    return Run(
        row.id,
        row.began_at,
        row.ended_at,
        row.file,
        parse_campaign(row.campaign, row.file),
        row.campaign,
        row.about,
        kept,
    )
