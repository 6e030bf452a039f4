"""Brings a ticket database to the schema of this version, at start, in one transaction.

Alembic takes a tenth of a second to import, so it is only for a database that is not there yet or not up to date.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from operator_protocol.errors import Conflict

SCHEMA_VERSION = 3
"""The number of the last migration."""
_FIRST = "0001"
_LOCK = 0x6F70_7469
"""Of PostgreSQL's advisory locks, the one that several daemons migrate under."""


class NewerSchema(Conflict):
    """The database was written by a newer version of this program."""


def migrate(connection: Connection, shown: str, remedy: str) -> bool:
    """Run what is missing on ``connection``, in the transaction that it is in; True if anything was.

    ``shown`` is the database for people. Raises ``NewerSchema`` with ``remedy`` for one that a newer version wrote,
    which is left as it is.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    found = _version(connection)
    if found > SCHEMA_VERSION:
        raise NewerSchema(
            f"the ticket database {shown} has schema {found}, this version knows {SCHEMA_VERSION}", remedy
        )
    if found == SCHEMA_VERSION:
        return False
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if found and not inspect(connection).has_table("alembic_version"):
        command.stamp(config, _FIRST)
    command.upgrade(config, "head")
    return True


def _version(connection: Connection) -> int:
    """The number of the schema; 0 for an empty database."""
    tables = inspect(connection)
    # Both tell it; a version of this program that forgets one of them must not make us believe an older one.
    numbers = [0]
    if tables.has_table("schema_version"):
        numbers.append(connection.scalar(text("SELECT max(version) FROM schema_version")) or 1)
    if tables.has_table("alembic_version"):
        told = connection.scalar(text("SELECT max(version_num) FROM alembic_version"))
        numbers.append(int(told) if told and told.isdigit() else 0)
    return max(numbers)
