"""The five panels, one module each: pure functions from a ``View`` and a size to a Rich renderable.

A panel does no I/O, keeps nothing, and fills exactly the size it is given.
"""
