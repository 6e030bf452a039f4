"""What is forked: ``monitor`` looks, ``agent`` diagnoses, ``ycsb`` tails the load.

``runtime`` is what every worker runs in. Workers know subjects and tickets' models; they reach the daemon only
through their ``WorkerContext``.
"""
