"""Declared processes: the ones that users add in ``[process.NAME]`` of the configuration.

``sections`` is what may stand there, ``naming`` and ``host`` refuse what cannot work before anything starts, ``specs``
turns a section into what the process table takes, ``probes`` finds out when such a process is ready, and ``starter``
is what the daemon uses: it starts them in the order of their dependencies and stops them in the reverse one.
Restarts, output, groups and control are those of every other process in ``operatord.processes``.
"""
