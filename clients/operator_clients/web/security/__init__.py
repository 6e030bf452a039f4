"""Who may ask the gateway, and for what: pure checks (``hosts``, ``rates``, ``binding``), the token, and the guard.

``guard`` stands before everything else and lets through what the checks allow. All of it refuses before a body is read.
"""
