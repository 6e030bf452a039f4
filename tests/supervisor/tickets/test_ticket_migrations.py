"""Databases of earlier versions are brought up to date without loss, or left exactly as they were."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from operator_protocol.models import Ticket
from operatord.tickets import migrating
from operatord.tickets.db import NewerSchema, TicketDB
from operatord.tickets.desk import TicketDesk
from operatord.tickets.migrating import SCHEMA_VERSION
from operatord.tickets.schema import Base

SCHEMA_1 = (Path(__file__).parent / "schema_1.sql").read_text(encoding="utf-8")
"""What the first released version wrote, as ``iterdump`` gives it."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA_1)
    connection.close()
    return path


def test_a_file_of_the_first_version_keeps_every_ticket_and_every_word(old: Path) -> None:
    db = TicketDB(old)
    resolved, held, diagnosing = (db.record(number) for number in (1, 2, 3))
    assert db.message == ""
    assert (resolved.ticket.status, resolved.ticket.occurrences, resolved.violation) == ("resolved", 2, "v-1")
    assert resolved.ticket.diagnosis is not None
    assert [item.text for item in resolved.ticket.diagnosis.evidence] == [
        "ended by signal 9",
        "10 Oct — “no last words”",
    ]
    assert resolved.ticket.diagnosis.markdown == "# valkey-1 was killed\n"
    assert resolved.ticket.notes == ["2026-09-21T14:13:29Z ended while it was not being watched"]
    assert (held.ticket.status, held.ticket.node, held.ticket.opened_at) == ("held", None, 1790000012.25)
    assert diagnosing.ticket.message == "slow: it's 12.5 ms"
    (taken_over,) = resolved.history
    assert (taken_over.what, taken_over.data["diagnosis"]["cause"]) == ("taken_over", "process_killed")
    (listed,) = db.page("resolved").tickets
    assert listed.diagnosis is not None
    assert (listed.diagnosis.summary, listed.diagnosis.evidence) == ("valkey-1 was killed", [])
    desk = TicketDesk(db, lambda _topic, _body: None)
    assert [one.status for one in desk.resume()] == ["held", "open"]
    assert db.add(Ticket(0, "i", None, "info", "open", "m", 1.0, 1.0), "v").id == 4
    db.close()


def test_a_migration_that_dies_half_way_leaves_the_file_as_it_was(old: Path) -> None:
    before = sqlite3.connect(old).execute("SELECT sql FROM sqlite_master").fetchall()
    dies = (
        "import os, sys\n"
        "from alembic import op\n"
        "from operatord.tickets.db import TicketDB\n"
        "import sqlalchemy.event as event\n"
        "from sqlalchemy.engine import Engine\n"
        "@event.listens_for(Engine, 'before_cursor_execute')\n"
        "def kill(connection, cursor, statement, *more):\n"
        "    if 'TRIGGER' in statement: os._exit(9)\n"
        "from pathlib import Path\n"
        "TicketDB(Path(sys.argv[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", dies, str(old)], check=False).returncode == 9
    assert sqlite3.connect(old).execute("SELECT sql FROM sqlite_master").fetchall() == before
    db = TicketDB(old)
    assert db.count() == 3
    db.close()


@pytest.mark.parametrize(
    "newer", ["UPDATE schema_version SET version = 99", "UPDATE alembic_version SET version_num = '0099'"]
)
def test_a_database_of_a_newer_version_is_refused_in_one_line_and_not_touched(tmp_path: Path, newer: str) -> None:
    path = tmp_path / "tickets.sqlite"
    TicketDB(path).close()
    connection = sqlite3.connect(path)
    connection.execute(newer)
    connection.commit()
    before = list(connection.iterdump())
    with pytest.raises(NewerSchema, match=f"schema 99, this version knows {SCHEMA_VERSION}") as refusal:
        TicketDB(path)
    assert "\n" not in str(refusal.value)
    assert list(connection.iterdump()) == before
    connection.close()
    assert [one.name for one in tmp_path.glob("*corrupt*")] == []


def test_the_migrations_end_at_the_tables_that_the_code_has(tmp_path: Path) -> None:
    TicketDB(tmp_path / "tickets.sqlite").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'tickets.sqlite'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == f"{SCHEMA_VERSION:04d}"


def test_the_history_in_the_file_cannot_be_changed(old: Path) -> None:
    TicketDB(old).close()
    connection = sqlite3.connect(old)
    for order in ("UPDATE ticket_events SET who = 'x'", "DELETE FROM ticket_events"):
        with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
            connection.execute(order)
    connection.close()


def test_a_database_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    TicketDB(tmp_path / "tickets.sqlite").close()
    code = (
        "import sys, pathlib; from operatord.tickets.db import TicketDB;"
        "TicketDB(pathlib.Path(sys.argv[1])); sys.exit('alembic' in sys.modules or 'psycopg' in sys.modules)"
    )
    opened = subprocess.run([sys.executable, "-c", code, str(tmp_path / "tickets.sqlite")], check=False)
    assert opened.returncode == 0
