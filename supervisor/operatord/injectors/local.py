"""The injectors that need nothing but the process itself: they can be used on any server of this machine."""

from operatord.injectors.base import Injector
from operatord.injectors.slow import SlowFault
from operatord.subjects.base import Servers


def local_injectors(servers: Servers) -> list[Injector]:
    """All of them; ``servers`` runs what drives them."""
    return [SlowFault(servers)]
