"""The reader that the command line asks for."""

import time
from collections.abc import Callable
from pathlib import Path

from .reader import ClusterReader


def cluster_reader(
    kubeconfig: Path | None = None,
    context: str | None = None,
    *,
    mock: bool = False,
    clock: Callable[[], float] = time.time,
) -> ClusterReader:
    """Of the cluster that is configured, or with ``mock`` of one that is made up. Never raises, asks nothing yet.

    Without a configuration every answer says so until there is one.
    """
    if mock:
        from .mock import MockCluster

        return ClusterReader(MockCluster(clock), clock)
    # Here and not above: a gateway that shows made-up data needs no client.
    from .client import KubernetesClient

    return ClusterReader(KubernetesClient(kubeconfig, context, clock), clock)
