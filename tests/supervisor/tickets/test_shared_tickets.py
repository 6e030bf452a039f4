"""Tickets of several hosts in a real PostgreSQL: all of it arrives once, and whatever that server does hurts nobody."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from operator_protocol.errors import Unavailable
from operator_protocol.models import Diagnosis
from operatord.tickets.changes import Origin
from operatord.tickets.db import FILE_NAME, TicketDB
from operatord.tickets.desk import TicketDesk
from operatord.tickets.migrating import NewerSchema, migrate
from operatord.tickets.schema import Base
from operatord.tickets.shared import SharedTickets, shown

from .postgres_server import Postgres, running_postgres
from .ticket_cases import violation

DIAGNOSIS = Diagnosis("it was \0killed", "valkey-0", "process_killed", "NUL in a log: \0", 0.9, "rules")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def url(postgres: Postgres, request: pytest.FixtureRequest) -> str:
    name = f"t{abs(hash(request.node.name)) % 10**12}"
    return postgres.new_database(name)


class Host:
    """A daemon's part in it."""

    def __init__(self, directory: Path, url: str, name: str, *, read_s: float = 30.0) -> None:
        directory.mkdir(exist_ok=True)
        self.log: list[str] = []
        self.db = TicketDB(directory / FILE_NAME)
        origin = Origin(name, "valkey", f"boot-of-{name}")
        self.shared = SharedTickets(url, self.db, origin, self.log.append, read_s=read_s)
        self.desk = TicketDesk(
            self.db, lambda _topic, _body: self.shared.nudge(), lambda: 1_000.0, origin=origin, shared=self.shared
        )

    def close(self) -> None:
        self.shared.close()
        self.db.close()


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]
    finally:
        engine.dispose()


def eventually(what: Callable[[], bool], log: list[str]) -> None:
    until = time.monotonic() + 60.0
    while not what():
        assert time.monotonic() < until, log
        time.sleep(0.02)


def test_the_tickets_of_two_hosts_lie_in_one_database_under_numbers_of_their_own(url: str, tmp_path: Path) -> None:
    hosts = [Host(tmp_path / name, url, name) for name in ("db-1", "db-2")]
    for host in hosts:
        ticket = host.desk.opened(violation())
        host.desk.attach_diagnosis(ticket.id, DIAGNOSIS)
        host.desk.hold(ticket.id, "mine", who="ann")
        host.shared.send()
    found = rows(url, "SELECT id, number, host, cluster, boot, status FROM tickets ORDER BY id")
    assert found == [
        (1, 1, "db-1", "valkey", "boot-of-db-1", "held"),
        (2, 1, "db-2", "valkey", "boot-of-db-2", "held"),
    ]
    page = asyncio.run(hosts[0].desk.page_everywhere())
    assert [(one.host, one.id, one.status) for one in page.tickets] == [("db-2", 1, "held"), ("db-1", 1, "held")]
    # Nobody takes up, or resolves, what is another's.
    assert [one.host for one in hosts[0].desk.unresolved()] == ["db-1"]
    told = rows(url, "SELECT host, what, who FROM ticket_events e JOIN tickets t ON t.id = e.ticket ORDER BY e.id")
    assert told[:3] == [("db-1", "opened", "operatord"), ("db-1", "diagnosis", "agent"), ("db-1", "status", "ann")]
    for host in hosts:
        host.close()


def test_what_is_sent_again_arrives_once(url: str, tmp_path: Path) -> None:
    host = Host(tmp_path / "a", url, "db-1")
    for number in range(250):
        host.desk.opened(violation(number))
    assert host.shared.send() == 250
    assert host.shared.send() == 0
    host.close()
    again = Host(tmp_path / "a", url, "db-1")
    assert again.shared.send() == 0
    again.desk.closed(violation(249))
    assert again.shared.send() == 1
    assert rows(url, "SELECT status, occurrences FROM tickets") == [("resolved", 250)]
    assert rows(url, "SELECT count(*), count(DISTINCT number) FROM ticket_events") == [(251, 251)]
    again.close()


def test_the_shared_database_has_the_same_tables_and_its_history_cannot_be_changed_either(
    url: str, tmp_path: Path
) -> None:
    host = Host(tmp_path / "a", url, "db-1")
    host.desk.opened(violation())
    host.shared.send()
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    for order in ("UPDATE ticket_events SET who = 'x'", "DELETE FROM ticket_events", "TRUNCATE ticket_events"):
        with pytest.raises(DBAPIError, match="only ever added to"), engine.begin() as connection:
            connection.execute(text(order))
    engine.dispose()
    host.close()


def test_a_server_that_is_stopped_and_started_again_gets_everything_in_order(
    postgres: Postgres, url: str, tmp_path: Path
) -> None:
    host = Host(tmp_path / "a", url, "db-1", read_s=1.0)
    host.shared.start()
    ticket = host.desk.opened(violation())
    eventually(lambda: host.shared.in_step, host.log)
    postgres.stop()
    try:
        host.desk.note(ticket.id, "while it was away")
        eventually(lambda: any("kept here and sent later" in line for line in host.log), host.log)
        host.desk.closed(violation())
        with pytest.raises(Unavailable):
            asyncio.run(host.desk.page_everywhere())
        behind = host.desk.shared_status()
        assert behind is not None
        assert behind["unsent"] == 2
        assert str(behind["database"]).startswith("postgresql://")
        assert behind["error"]
        assert "hunter2" not in str(behind)
    finally:
        postgres.start()
    eventually(lambda: any("again" in line for line in host.log) and host.shared.in_step, host.log)
    assert rows(url, "SELECT what FROM ticket_events ORDER BY id") == [("opened",), ("note",), ("status",)]
    assert rows(url, "SELECT status FROM tickets") == [("resolved",)]
    assert [line for line in host.log if "hunter2" in line] == []
    assert len(host.log) == 2
    assert host.shared.status() == {"database": host.shared.shown, "unsent": 0, "error": ""}
    host.close()


def test_a_server_that_is_frozen_holds_up_neither_the_desk_nor_its_end(
    postgres: Postgres, url: str, tmp_path: Path
) -> None:
    host = Host(tmp_path / "a", url, "db-1", read_s=1.0)
    host.shared.start()
    host.desk.opened(violation(1))
    eventually(lambda: host.shared.in_step, host.log)
    with postgres.frozen():
        for number in range(2, 20):
            host.desk.opened(violation(number))
        with pytest.raises(Unavailable):
            asyncio.run(host.desk.page_everywhere())
        host.close()  # comes back although the thread cannot
    again = Host(tmp_path / "a", url, "db-1")
    again.shared.start()
    eventually(lambda: again.shared.in_step, again.log)
    assert rows(url, "SELECT occurrences FROM tickets") == [(19,)]
    assert rows(url, "SELECT count(*) FROM ticket_events") == [(19,)]
    again.close()


def test_a_shared_database_of_a_newer_version_is_left_alone_and_the_tickets_are_kept(url: str, tmp_path: Path) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        migrate(connection, "it", "")
        connection.execute(text("UPDATE schema_version SET version = 99"))
    engine.dispose()
    host = Host(tmp_path / "a", url, "db-1")
    host.desk.opened(violation())
    with pytest.raises(NewerSchema, match="schema 99") as refusal:
        host.shared.send()
    assert "update operatord" in refusal.value.hint
    assert "hunter2" not in str(refusal.value)
    assert rows(url, "SELECT count(*) FROM tickets") == [(0,)]
    assert rows(url, "SELECT count(*) FROM stores") == [(0,)]
    assert host.db.count() == 1
    host.close()


def test_a_file_that_is_an_older_copy_is_not_mixed_with_what_was_sent_of_the_newer_one(
    url: str, tmp_path: Path
) -> None:
    host = Host(tmp_path / "a", url, "db-1")
    host.desk.opened(violation(1))
    host.db.close()
    copy = (tmp_path / "a" / FILE_NAME).read_bytes()
    host.desk.opened(violation(2))
    host.shared.send()
    host.close()
    (tmp_path / "a" / FILE_NAME).write_bytes(copy)
    older = Host(tmp_path / "a", url, "db-1")
    with pytest.raises(Exception, match="which has only 1 itself"):
        older.shared.send()
    older.close()


def test_an_address_is_shown_without_what_is_secret() -> None:
    assert shown("postgresql+psycopg://ann:hunter2@db:5433/tickets?sslpassword=x") == "postgresql://db:5433/tickets"
