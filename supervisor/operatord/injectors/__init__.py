"""Ways to disturb a server of this machine, whatever subject it belongs to: one module for each mechanism.

A subject lends its servers to them as a ``Scene``; the fault desk decides whether and when, and keeps the undo journal.
"""
