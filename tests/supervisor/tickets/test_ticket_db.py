"""The ticket database: sound after anything, and nothing is ever deleted."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from operator_protocol.models import Ticket
from operatord.tickets.db import NewerSchema, StoreUnwritable, TicketDB

WALL_S = 1_700_000_000.0
STAMP = "20231114T221320Z"


def ticket() -> Ticket:
    return Ticket(0, "node_down", "valkey-0", "critical", "open", "valkey-0 is down", 1.0, 1.0)


def with_one_ticket(path: Path) -> None:
    db = TicketDB(path)
    db.add(ticket(), "v-1")
    db.close()


def test_a_ticket_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    db = TicketDB(tmp_path / "deep" / "tickets.sqlite")
    stored = db.add(ticket(), "v-1")
    assert stored.id == 1
    assert db.get(1) == (stored, "v-1")
    assert db.message == ""
    db.close()


def test_the_database_is_in_wal_mode(tmp_path: Path) -> None:
    with_one_ticket(tmp_path / "tickets.sqlite")
    connection = sqlite3.connect(tmp_path / "tickets.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_number_that_was_given_is_never_given_again(tmp_path: Path) -> None:
    path = tmp_path / "tickets.sqlite"
    with_one_ticket(path)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM tickets")
    connection.commit()
    connection.close()
    db = TicketDB(path)
    assert db.add(ticket(), "v-2").id == 2
    db.close()


@pytest.mark.parametrize("damage", ["header", "pages", "text"])
def test_a_damaged_database_is_moved_aside_and_said_so(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "tickets.sqlite"
    with_one_ticket(path)
    whole = path.read_bytes()
    broken = {
        "header": b"\0" * 100 + whole[100:],
        "pages": whole[:4096] + os.urandom(len(whole) - 4096),
        "text": b"this was never a database\n" * 50,
    }[damage]
    path.write_bytes(broken)
    (tmp_path / "tickets.sqlite-wal").write_bytes(b"left behind")
    db = TicketDB(path, wall=lambda: WALL_S)
    assert db.count() == 0
    assert db.add(ticket(), "v-1").id == 1
    db.close()
    assert f"tickets.sqlite.corrupt-{STAMP}" in db.message
    assert (tmp_path / f"tickets.sqlite.corrupt-{STAMP}").read_bytes() == broken


def test_two_damaged_databases_in_one_second_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "tickets.sqlite"
    for content in (b"first " * 100, b"second " * 100):
        path.write_bytes(content)
        TicketDB(path, wall=lambda: WALL_S).close()
    kept = {one.read_bytes() for one in tmp_path.glob("tickets.sqlite.corrupt-*") if not one.name.endswith("wal")}
    assert kept == {b"first " * 100, b"second " * 100}


def test_an_empty_file_is_a_fresh_database(tmp_path: Path) -> None:
    path = tmp_path / "tickets.sqlite"
    path.touch()
    db = TicketDB(path)
    assert (db.count(), db.message) == (0, "")
    db.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "tickets.sqlite"
    with_one_ticket(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(NewerSchema, match="schema 99") as refusal:
        TicketDB(path)
    assert refusal.value.code == "conflict"
    assert "--state-dir" in refusal.value.hint
    assert list(tmp_path.glob("*corrupt*")) == []


@pytest.mark.parametrize("place", ["/proc/operatord-tickets/tickets.sqlite", "a-file/tickets.sqlite"])
def test_a_directory_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreUnwritable) as refusal:
        TicketDB(tmp_path / place)
    assert place.rsplit("/", 1)[0] in refusal.value.message
    assert "--state-dir" in refusal.value.hint


def test_a_directory_in_the_place_of_the_file_is_not_moved(tmp_path: Path) -> None:
    path = tmp_path / "tickets.sqlite"
    path.mkdir()
    with pytest.raises(StoreUnwritable):
        TicketDB(path)
    assert path.is_dir()


def test_the_desk_and_the_history_do_not_import_sqlalchemy() -> None:
    code = (
        "import sys, operatord.tickets.desk, operatord.tickets.history, operatord.tickets.dossier;"
        "sys.exit('sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
