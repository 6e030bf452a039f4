"""``memory``: a process of ours shares a limit with the server and takes most of it.

Server and hog are put into a cgroup of our own. Once the hog holds what it was asked to, the limit of the group is
drawn down to what is used there plus ``headroom``: that is what the server can still grow by. Memory that it had before
stays charged to the cgroup where it was taken (the kernel does not move charges), so the server is not squeezed below
what it has, it is kept from getting more. Beyond the headroom the kernel first takes back page cache, while the server
waits, and then ends one of the two: the hog, or, with ``victim = server``, the server. For that the victim's
``oom_score_adj`` is raised, which takes no privilege, and neither does lowering it to what it was.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from operator_protocol.errors import DeadlineExceeded, Unavailable
from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord.clock import Clock
from operatord.injectors import group as own
from operatord.injectors import in_group, oom
from operatord.injectors.base import Memo, Scene
from operatord.injectors.cgroups import Cgroups
from operatord.injectors.family import command_lines, name_of, resident_bytes
from operatord.injectors.limits import ResourceLimits, Room, check_memory, memory_floor
from operatord.injectors.memory_hog import HOLDING
from operatord.injectors.offload import offload
from operatord.injectors.room import room_in_memory
from operatord.subjects.base import Servers

MEMORY = "memory"
PROGRAM = "operatord.injectors.memory_hog"

_MIB = 1024**2
_INTERPRETER_BYTES = 64 * _MIB
"""Python itself, generously; only for the limit while the hog grows."""

_HOLD_S = 25.0
"""Within this time the hog holds its memory; the kernel hands out about 2 GiB a second."""

_GONE_S = 2.0
_STEP_S = 0.02

_SIZE = FaultParam("size", "what is taken away", 256 * _MIB, "bytes", minimum=float(_MIB))
_HEADROOM = FaultParam("headroom", "what the server can still grow by", 32 * _MIB, "bytes", minimum=float(4 * _MIB))
_VICTIM = FaultParam(
    "victim", "whom the kernel ends when the server needs more than that", "hog", choices=["hog", "server"]
)


class MemoryFault:
    """``Injector`` of ``memory``. ``room`` tells what the host has, within the cgroups that it is given."""

    def __init__(
        self,
        servers: Servers,
        limits: ResourceLimits,
        groups: Cgroups | None = None,
        room: Callable[[list[Path]], Room] = room_in_memory,
        clock: Clock = time.monotonic,
    ) -> None:
        self._servers = servers
        self._limits = limits
        self._groups = groups or Cgroups()
        self._room = room
        self._clock = clock

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            MEMORY,
            "a process of ours takes memory in a cgroup that it shares with the server, so that the server can grow by"
            " no more than a little",
            "ending that process, moving the server back to the cgroup that it was in, and removing ours",
            [_SIZE, _HEADROOM, _VICTIM],
            needs="a cgroup with the memory controller that may be written (root, or delegated), and free memory",
            missing=self._groups.missing("memory"),
        )

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Raises ``Unavailable`` without a cgroup, or when that is more than may be taken; ``Conflict`` when the
        server does not run or is in the cgroup of another fault.
        """
        pid = in_group.running(scene)
        place = self._groups.place("memory", pid)
        await offload(lambda: self._check(fault, pid))
        return {**in_group.memo_of(fault, place), "hog": f"hog-{fault.target}", "oom_score_adj": oom.score_adj(pid)}

    async def inject(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Returns when the hog holds its memory and the limit is drawn down."""
        pid = in_group.running(scene)
        place = self._groups.place("memory", pid)
        room = await offload(lambda: self._check(fault, pid))
        size, headroom = int(in_group.number(fault, _SIZE)), int(in_group.number(fault, _HEADROOM))
        group, victim = in_group.group_of(fault, place), fault.params.get(_VICTIM.name, _VICTIM.default)

        def enclose() -> None:
            own.create(place, group.name)
            # Nothing that goes wrong while the hog grows takes more than this.
            own.limit_memory(group, (resident_bytes(pid) or 0) + size + headroom + _INTERPRETER_BYTES)
            own.adopt(group, pid)
            if victim == "server":
                oom.adjust(own.members(group), oom.FIRST_TO_GO)

        await offload(enclose)
        command = [sys.executable, "-m", PROGRAM, "--fault", fault.id, "--group", str(group)]
        command += ["--size", str(size), "--floor", str(memory_floor(room))]
        command += ["--oom-score-adj", str(oom.FIRST_TO_GO if victim == "hog" else 0)]
        await self._holding(await self._servers.launch(str(memo["hog"]), command, guarded=True))
        await offload(lambda: own.limit_memory(group, own.memory_usage(group) + headroom))

    async def undo(self, fault: Fault, scene: Scene, memo: Memo) -> None:
        """Needs nothing of the server, nor of the daemon that started the hog."""
        await self._servers.terminate(str(memo["hog"]))
        await offload(lambda: _end(fault.id))
        # Before they leave the group, by which they are known.
        await offload(lambda: oom.adjust(_marked(scene, memo), int(str(memo["oom_score_adj"]))))
        await in_group.dissolve(self._groups, memo)

    async def leftovers(self, fault: Fault, scene: Scene, memo: Memo) -> str:
        """The hog and the group."""
        hogs = await offload(lambda: [pid for pid, fault_id, _ in running_hogs() if fault_id == fault.id])
        left = [f"process {pid} still holds memory" for pid in hogs]
        left += [f"process {pid} is still the first that the kernel would end" for pid in _marked(scene, memo)]
        return ", ".join(filter(None, [*left, in_group.remains(memo)]))

    def _check(self, fault: Fault, pid: int) -> Room:
        room = self._room(self._groups.above("memory", pid))
        held = sum(size for _, fault_id, size in running_hogs() if fault_id != fault.id)
        check_memory(int(in_group.number(fault, _SIZE)), room, held, self._limits)
        return room

    async def _holding(self, hog: int) -> None:
        end = self._clock() + _HOLD_S
        while (name := name_of(hog)) != HOLDING:
            if not name or resident_bytes(hog) is None:
                raise Unavailable("the process that should hold the memory has ended", "its log says why")
            if self._clock() > end:
                raise DeadlineExceeded(f"the memory is not taken after {_HOLD_S:g} s", "ask for less")
            await asyncio.sleep(_STEP_S)


def running_hogs() -> list[tuple[int, str, int]]:
    """Pid, fault and size in bytes of each hog on this host, whoever started it."""
    found = []
    for pid, argv in command_lines():
        if PROGRAM in argv:
            options = dict(pairwise(argv))
            size = options.get("--size", "")
            found.append((pid, options.get("--fault", ""), int(size) if size.isdigit() else 0))
    return found


def _marked(scene: Scene, memo: Memo) -> list[int]:
    """Processes of the server that the kernel would end first, and that were not like that before."""
    suspects = own.members(Path(str(memo["group"])))
    if scene.target.pid is not None:
        suspects.add(scene.target.pid)
    return [pid for pid in sorted(suspects) if oom.score_adj(pid) == oom.FIRST_TO_GO != memo["oom_score_adj"]]


def _end(fault_id: str) -> None:
    """Kill the hogs of that fault, and see them gone. Raises ``Unavailable``."""
    end = time.monotonic() + _GONE_S
    while pids := [pid for pid, whose, _ in running_hogs() if whose == fault_id]:
        if time.monotonic() > end:
            raise Unavailable(f"process {pids[0]}, which holds memory, does not end after SIGKILL")
        for pid in pids:
            _kill(pid, fault_id)
        time.sleep(_STEP_S)


def _kill(pid: int, fault_id: str) -> None:
    """Never a process that has the pid by now: the descriptor is opened first, then it is looked at again."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if any(one == pid and whose == fault_id for one, whose, _ in running_hogs()):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise Unavailable(f"process {pid}, which holds memory, belongs to another user") from error
    finally:
        os.close(descriptor)
