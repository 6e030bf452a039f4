"""Faults, and the promise that none outlives its experiment.

``targets`` and ``guard`` are pure decisions: whom to break, and whether that is allowed. ``undo_journal`` remembers on
disk what is owed. ``workflow`` takes one fault from its countdown to its verified recovery, ``desk`` keeps all of
them and is the only door for the daemon's commands and for the demo; ``recovery`` pays what is owed when no
daemon runs. Nothing here knows Valkey or TiKV: a fault is done and undone through ``SubjectControl``.
"""
