"""The faults that take resources away from a server: processor, memory, disk."""

from operatord.injectors.base import Injector
from operatord.injectors.cpu import CpuFault
from operatord.injectors.disk import DiskFault
from operatord.injectors.limits import ResourceLimits
from operatord.injectors.memory import MemoryFault
from operatord.subjects.base import Servers


def resource_injectors(servers: Servers, limits: ResourceLimits) -> list[Injector]:
    """One for each; ``servers`` runs the process that holds memory."""
    return [CpuFault(), MemoryFault(servers, limits), DiskFault(limits)]
