"""The bus: what workers and the daemon say, stamped, forwarded, remembered and written down.

``broker`` owns the frames socket; ``memory`` is the state and the tails that a joining client gets; ``journal`` is
the file; ``ingest`` is the two-way line to the workers. Only the daemon's assembly and ``control`` may call in here.
"""
