"""The docker worker: the only process of the daemon that talks to a container engine.

It runs one compose project, does to its containers what the daemon asks, and tells of what happens to them the moment
the engine does. python-on-whales runs commands and waits for them, so it must never be imported by the daemon itself.
"""
