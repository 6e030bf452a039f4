"""Nodes and pods of a Kubernetes cluster: what the console's Kubernetes page shows.

``client`` asks the API server with the official client, ``objects`` says what is read of its answers, ``model`` what
goes to the browser, ``convert`` makes one of the other. ``reader`` keeps answers for ten seconds, ``router`` serves
them. The application mounts ``router.kubernetes_router(opening.cluster_reader(...))`` and needs nothing else.
"""
