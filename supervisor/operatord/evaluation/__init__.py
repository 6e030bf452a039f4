"""Measures the diagnosis: campaigns of faults on a real subject, what was seen, how good it was.

``campaign`` is the file, ``plan`` the trials that it makes, ``seen`` what a trial showed, ``score`` how good that was,
``summary`` the rates of many with their intervals, ``report`` and ``plot`` what people read. All of these are pure.
``execute`` runs a plan through whatever can run a trial (``execute.Runner``): ``live`` does, on an ``own_daemon``; what
it waits for is decided in ``waiting``, from what is in its ``recording``. ``results`` is where it is kept. What was
seen is kept, not the score: a better rule of scoring applies to old results too.
"""
