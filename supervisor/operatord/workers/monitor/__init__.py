"""The monitor worker: looks at the subject and says what does not hold.

``worker`` observes, twice a second and at once when the daemon asks; ``tracker`` turns observations into violations
that open and close, with grace periods. Tickets are written by the daemon, not here.
"""
