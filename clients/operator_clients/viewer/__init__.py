"""The terminal dashboard: five panels on one screen, and the keys that drive the demo.

``cli`` is the entry point; it chooses between ``app`` (a terminal) and ``plain`` (a pipe, a dumb terminal). Both feed
a ``Session``, which turns events of the bus into a ``Story``. From there to the screen everything is pure: ``panels``
draw Rich renderables from a ``View``, ``compose`` lays them out on a ``Canvas``, ``diff`` says which cells changed,
and ``screen`` writes those and nothing else. Keys come from one table, ``keymap``; what they move is an ``Interaction``
(focus, zoom, scrolling, filter) or one of the ``overlays``. Nobody outside this package imports it.
"""
