"""All kinds, by name."""

from collections.abc import Mapping

from operatord.subjects.tikv.faults.base import TiKVFault
from operatord.subjects.tikv.faults.disk import Disk
from operatord.subjects.tikv.faults.evict_leader import EvictLeader
from operatord.subjects.tikv.faults.grpc_pause import GrpcPause
from operatord.subjects.tikv.faults.partition import Partition
from operatord.subjects.tikv.faults.shaping import BANDWIDTH, LATENCY, Loss, Queue
from operatord.subjects.tikv.faults.slow import Slow
from operatord.subjects.tikv.faults.states import KINDS, StateFault


def all_faults() -> Mapping[str, TiKVFault]:
    """In the order in which they are shown."""
    faults: list[TiKVFault] = [
        *(StateFault(kind) for kind in KINDS),
        Slow(),
        Partition(),
        Queue(LATENCY),
        Queue(BANDWIDTH),
        Loss(),
        GrpcPause(),
        EvictLeader(),
        Disk(),
    ]
    return {fault.kind.name: fault for fault in faults}
