"""The embedded subject: a real Valkey Cluster of three shards, each a primary and a replica, on this machine.

``control`` is the half that lives in the daemon, ``probe`` the half that lives in workers; nothing else in here is for
callers outside. ``settings`` has every option with its default. What was measured, and why the cluster is formed the
way it is, stands in ``docs/subjects/valkey.md``.
"""
