"""What people, scripts and agents who work on the same platform tell each other, kept for 24 hours.

``desk`` is the one way in: it takes messages, acknowledgements and signs of presence, and tells the bus. ``activity``
decides what a ``DEVOPS_*`` message makes of the operation that it tells of, without I/O. ``store`` is where all of it
lies, in the file of the tickets (it imports SQLAlchemy: nothing on the path of a start may import it eagerly);
``schema`` has its tables.
"""
