"""What Alembic runs: the migrations, on the connection that ``tickets.migrating`` hands over."""

from alembic import context

from operatord.coordination import schema as _coordination  # noqa: F401 - its tables are in the same file
from operatord.tickets.schema import Base

# SQLite can take back a change of tables too, once transactions are begun by us: see ``migrating``.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
