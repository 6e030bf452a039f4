"""The ``operatord`` command: what must work without a daemon.

``main`` is the entry point; each subcommand has a module of its own, imported when it is called.
"""

from operatord.cli.main import main

__all__ = ["main"]
