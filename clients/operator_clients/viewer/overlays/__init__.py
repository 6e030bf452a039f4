"""What lies over the panels until it is closed: one module per overlay, and what they have in common in ``overlay``."""
