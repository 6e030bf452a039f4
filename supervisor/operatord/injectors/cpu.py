"""``cpu``: the server gets only a part of one core, by the bandwidth controller of the kernel's scheduler.

The server and what it forks go into a cgroup of our own with a quota for each period of 100 ms. So it runs as fast as
ever, and then not at all until the next period: what a busy neighbour, or a container's CPU limit, does to it.
"""

from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord.injectors import group as own
from operatord.injectors import in_group
from operatord.injectors.base import Memo, Scene
from operatord.injectors.cgroups import Cgroups
from operatord.injectors.offload import offload

CPU = "cpu"

PERIOD_US = 100_000
"""The kernel's default. A quota must be at least 1 ms, so one percent is the least there is."""

_PERCENT = FaultParam("percent", "processor time that it gets, of one core", 1.0, "%", minimum=1.0, maximum=100.0)
"""The default has to be less than what the server needs, or nobody notices: a Valkey primary takes about 4 % for its
third of 2,000 operations a second, its replica 1.3 %. With 2 % the p99 of a primary was 70 ms instead of under 1, and a
replica did not feel it; with 1 % the load halved."""


class CpuFault:
    """``Injector`` of ``cpu``."""

    def __init__(self, groups: Cgroups | None = None) -> None:
        self._groups = groups or Cgroups()

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            CPU,
            "the server, with what it forks, runs for a part of each tenth of a second only, and for the rest of it not"
            " at all",
            "moving it back to the cgroup that it was in and removing ours",
            [_PERCENT],
            needs="a cgroup with the cpu controller that may be written (root, or delegated)",
            missing=self._groups.missing("cpu"),
        )

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Raises ``Unavailable`` without a cgroup to put it in, ``Conflict`` when it does not run or is in one."""
        return in_group.memo_of(fault, self._groups.place("cpu", in_group.running(scene)))

    async def inject(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Returns when the server is under the limit, which holds from the next period on."""
        pid = in_group.running(scene)
        place = self._groups.place("cpu", pid)
        quota_us = round(in_group.number(fault, _PERCENT) / 100 * PERIOD_US)

        def limit() -> None:
            group = own.create(place, in_group.group_name(fault))
            own.limit_cpu(group, quota_us, PERIOD_US)
            own.adopt(group, pid)

        await offload(limit)

    async def undo(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Needs nothing of the server: whoever is in the group is moved back."""
        await in_group.dissolve(self._groups, memo)

    async def leftovers(self, fault: Fault, scene: Scene, memo: Memo) -> str:
        """The group, if it is still there."""
        return in_group.remains(memo)
