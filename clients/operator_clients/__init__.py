"""Thin clients: ``ctl`` for scripts, ``viewer`` for people in a terminal. They know the wire, never the daemon."""
