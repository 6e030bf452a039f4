"""Commands from clients: one handler for each, typed arguments, typed errors, no global lock.

``server`` owns the socket and knows no command; ``registry`` says what a command is; the handlers are grouped by what
they are about: ``looking``, ``processes``, ``faults``, ``story``, ``tickets``, ``actions``, ``workload``. ``context``
is what they may touch of the daemon.
"""
