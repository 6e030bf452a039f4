"""Violation, ticket, diagnosis: what is on record and who may write it.

``desk`` is the one writer and lives in the daemon, ``changes`` says what each change makes of a ticket; ``db`` is where
tickets lie (it imports SQLAlchemy, a quarter of a second, so the daemon imports it off the path of a start);
``dossier`` is what the agent is handed, and the history that the daemon builds it from. Workers import ``dossier`` and
nothing else from here.
"""
