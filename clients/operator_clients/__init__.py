"""Thin clients: they know the wire, never the daemon.

``ctl`` is for scripts, ``viewer`` for people in a terminal, ``web`` for browsers, ``mcp`` for AI agents, and
``experiment`` runs experiments for ``ctl``.
"""
