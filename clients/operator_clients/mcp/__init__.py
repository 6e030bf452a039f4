"""``operator-mcp``: what a daemon knows and does, as tools of the Model Context Protocol, for AI agents.

A thin client like the others: each tool is a command of the ``control`` socket, its result typed. ``cli`` runs it on
standard input and output; ``server.build`` is the same server for whoever brings a transport of his own. The modules of
tools are named after their area. ``mcp`` in an import is always the SDK, never this package.
"""
