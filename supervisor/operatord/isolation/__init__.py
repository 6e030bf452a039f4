"""A network of our own for the servers of a subject: each in a network namespace, bridged in a hub, joined to the host.

Built by the subject's control half, removed by whoever comes first: the daemon as it stops, its keeper, the next start,
``operatord recover``. Nothing here is remembered in a file: the names follow from the state directory.
"""
