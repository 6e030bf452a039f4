"""The daemon: supervises processes, carries the bus, breaks and repairs its subject, and tells the story.

``daemon`` assembles the parts, ``keeper`` outlives it, ``cli`` is the command line. ``docs/architecture.md`` has the
tour.
"""
