"""The load: a faithful YCSB core client for the embedded subject, a program of its own (``python -m operatord.ycsb``).

``generators`` and ``core`` say what is asked for, ``valkey`` how a record is stored, ``session`` and ``topology`` how
a cluster is reached, ``measurements`` and ``report`` what is printed. Nothing in here knows the daemon: the
``workers.ycsb`` tailer runs it as a child process and reads its lines. ``docs/workload.md`` has the formulae.
"""
