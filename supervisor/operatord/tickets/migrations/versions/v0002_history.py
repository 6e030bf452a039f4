"""The history of each ticket, which is only ever added to; where a ticket is from; shared databases."""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_HEAVY = ("evidence", "markdown")
_REFUSAL = "the history of a ticket is only ever added to"


def upgrade() -> None:
    """Add the tables and columns; begin each ticket's history with what it says now."""
    _add_columns()
    _make_tables()
    _begin_histories()
    _protect()
    op.execute(sa.text("UPDATE schema_version SET version = 2"))


def _add_columns() -> None:
    def text(name: str) -> "sa.Column[str]":
        return sa.Column(name, sa.String, nullable=False, server_default="")

    columns: list[sa.Column[Any]] = [
        sa.Column("reopened", sa.Integer, nullable=False, server_default="0"),
        sa.Column("brief", sa.JSON),
        *map(text, ("host", "cluster", "boot")),
        sa.Column("store", sa.String),
        sa.Column("number", _BIG),
    ]
    for column in columns:
        op.add_column("tickets", column)
    op.create_index("tickets_by_update", "tickets", ["updated_at"])
    # SQLite adds no constraint to a table that is there, and to copy the table would lose the count of its ids.
    op.create_index("tickets_by_store", "tickets", ["store", "number"], unique=True)


def _make_tables() -> None:
    op.create_table(
        "stores",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("cluster", sa.String, nullable=False),
        sa.Column("sent", _BIG, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        row = {"id": secrets.token_hex(16)}
        op.execute(sa.text("INSERT INTO stores VALUES (:id, '', '', 0)").bindparams(**row))
    op.create_table(
        "ticket_events",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("ticket", _BIG, sa.ForeignKey("tickets.id"), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("store", sa.String),
        sa.Column("number", _BIG),
        sqlite_autoincrement=True,
    )
    op.create_index("ticket_events_by_ticket", "ticket_events", ["ticket", "id"])
    op.create_index("ticket_events_by_store", "ticket_events", ["store", "number"], unique=True)


def _begin_histories() -> None:
    tickets = sa.table(
        "tickets",
        *(sa.column(name) for name in ("id", "invariant", "node", "severity", "status", "message", "updated_at")),
        sa.column("opened_at"),
        sa.column("resolved_at"),
        sa.column("occurrences"),
        sa.column("diagnosis", sa.JSON),
        sa.column("brief", sa.JSON),
        sa.column("notes", sa.JSON),
    )
    events = sa.table(
        "ticket_events",
        *(sa.column(name) for name in ("ticket", "at", "who", "what")),
        sa.column("data", sa.JSON),
    )
    bind = op.get_bind()
    for ticket_id in list(bind.scalars(sa.select(tickets.c.id).order_by(tickets.c.id))):
        row = bind.execute(sa.select(tickets).where(tickets.c.id == ticket_id)).mappings().one()
        data = {name: row[name] for name in row if name not in ("id", "brief")}
        bind.execute(
            sa.insert(events).values(
                ticket=ticket_id, at=row["updated_at"], who="operatord", what="taken_over", data=data
            )
        )
        if isinstance(row["diagnosis"], dict):
            brief = {name: value for name, value in row["diagnosis"].items() if name not in _HEAVY}
            bind.execute(sa.update(tickets).where(tickets.c.id == ticket_id).values(brief=brief))


def _protect() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                sa.text(
                    f"CREATE TRIGGER ticket_events_no_{verb.lower()} BEFORE {verb} ON ticket_events "
                    f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
                )
            )
        return
    op.execute(
        sa.text(
            "CREATE FUNCTION ticket_events_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER ticket_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ticket_events "
            "FOR EACH STATEMENT EXECUTE FUNCTION ticket_events_refuse()"
        )
    )
