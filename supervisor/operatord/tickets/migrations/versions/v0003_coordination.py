"""Coordination messages, the DevOps activities that they tell of, and who takes part."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; in a database that several hosts share they stay empty."""
    op.create_table(
        "coordination_messages",
        sa.Column("number", _BIG, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("sender", sa.String, nullable=False),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("requires_ack", sa.Boolean, nullable=False),
        sa.Column("acknowledged", sa.Boolean, nullable=False),
        sa.Column("ack_by", sa.String),
        sa.Column("ack_at", sa.Double),
        sa.Column("ack_comment", sa.String),
        sa.Column("notified", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("coordination_messages_by_id", "coordination_messages", ["id"], unique=True)
    op.create_index("coordination_messages_by_recipient", "coordination_messages", ["recipient", "number"])
    op.create_index("coordination_messages_by_type", "coordination_messages", ["type", "number"])
    op.create_index("coordination_messages_by_time", "coordination_messages", ["at"])
    op.create_table(
        "devops_activities",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_index("devops_activities_by_start", "devops_activities", ["started_at"])
    op.create_index("devops_activities_by_update", "devops_activities", ["updated_at"])
    op.create_table(
        "coordination_presence",
        sa.Column("role", sa.String, primary_key=True),
        sa.Column("registered_at", sa.Double, nullable=False),
        sa.Column("last_heartbeat", sa.Double, nullable=False),
        sa.Column("worktree_path", sa.String),
        sa.Column("session_id", sa.String),
    )
    op.execute(sa.text("UPDATE schema_version SET version = 3"))
