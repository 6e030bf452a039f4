"""The migrations of the ticket database, by Alembic, for SQLite and PostgreSQL alike. Run by ``tickets.migrating``.

A new one: a module in ``versions`` whose ``revision`` is the next number, and ``SCHEMA_VERSION`` set to it. A migration
that was released is never changed. It writes its number into ``schema_version`` as well: versions of this program from
before there were migrations look there, and refuse a database that is newer than they are.
"""
