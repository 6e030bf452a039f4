"""A Kubernetes API server with a population of its own: a stand-in for what the console reads.

``objects`` writes nodes, pods, events and figures as a real API server prints them, ``population`` decides how many
there are and in what state, ``api`` serves them over HTTP with pages and with faults that can be switched on.
"""
