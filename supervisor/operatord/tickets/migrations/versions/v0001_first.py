"""Tickets as the first versions kept them; they made these tables themselves, so their files are taken as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    version = op.create_table("schema_version", sa.Column("version", sa.Integer, primary_key=True))
    op.bulk_insert(version, [{"version": 1}])
    op.create_table(
        "tickets",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("invariant", sa.String, nullable=False),
        sa.Column("node", sa.String),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("resolved_at", sa.Double),
        sa.Column("occurrences", sa.Integer, nullable=False),
        sa.Column("diagnosis", sa.JSON),
        sa.Column("notes", sa.JSON, nullable=False),
        sa.Column("violation_id", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("tickets_by_status", "tickets", ["status", "id"])
    op.create_index("tickets_by_key", "tickets", ["invariant", "node", "id"])
