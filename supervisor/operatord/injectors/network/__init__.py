"""Faults of the network, for servers that are isolated: see ``operatord.isolation``.

All of them act on the hub and on the namespaces, never on a process, so it does not matter to an undo whether the
target lives, or was started again meanwhile.
"""

from operatord.injectors.base import Injector
from operatord.injectors.network.bandwidth import Bandwidth
from operatord.injectors.network.latency import Latency
from operatord.injectors.network.loss import Loss
from operatord.injectors.network.partition import Partition
from operatord.isolation.network import IsolatedNetwork


def network_injectors(network: IsolatedNetwork) -> list[Injector]:
    """Every fault of the network. While ``network`` is not built they are in the catalogue, and say what is missing."""
    return [Partition(network), Loss(network), Bandwidth(network), Latency(network)]
