"""TiKV: three PDs and any number of stores, in containers of ours or attached to from outside.

``probe`` is the half that lives in workers: it asks PD (``pd``, ``directory``), each server's own port (``status``) and
Prometheus (``metrics``), keeps who is who (``roster``), and merges what they say (``views`` has the rule, ``health``
the observation). ``invariants`` is the table of what must hold, ``settings`` has every option with its default,
``logs`` and ``log_events`` read what the servers write. Nothing else in here is for callers outside.
"""
