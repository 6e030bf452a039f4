"""What the faults that put a server into a cgroup of ours have in common."""

from pathlib import Path

from operator_protocol.errors import Conflict
from operator_protocol.models import Fault, FaultParam, Scalar
from operatord.injectors import group as own
from operatord.injectors.base import Memo, Scene
from operatord.injectors.cgroups import PREFIX, Cgroups, Place
from operatord.injectors.offload import offload


def group_name(fault: Fault) -> str:
    """Of the cgroup of a fault; by the id, so that nobody else has it."""
    return f"{PREFIX}{fault.kind}-{fault.id}"


def running(scene: Scene) -> int:
    """The pid of the target. Raises ``Conflict`` when it does not run."""
    if scene.target.pid is None:
        raise Conflict(f"{scene.target.id} does not run", "recover it first")
    return scene.target.pid


def number(fault: Fault, param: FaultParam) -> float:
    """A parameter of ``fault``; its default for a fault from before there was this parameter."""
    value = fault.params.get(param.name)
    if value is None:
        value = param.default
    return float(value or 0)


def memo_of(fault: Fault, place: Place) -> dict[str, Scalar]:
    """What takes the group apart again."""
    return {"group": str(group_of(fault, place)), "home": str(place.home)}


def group_of(fault: Fault, place: Place) -> Path:
    """Where the group of ``fault`` is made."""
    return place.parent / group_name(fault)


async def dissolve(groups: Cgroups, memo: Memo) -> None:
    """Move whoever is in the group back to where the target was, and remove it; gone is success."""
    group = Path(str(memo["group"]))

    def work() -> None:
        home = Path(str(memo["home"]))
        # The home may have gone meanwhile (a login session has one, and ends); then with us is as good as any.
        shelter = groups.shelter(group)
        own.dissolve(group, [home] if shelter is None else [home, shelter])

    await offload(work)


def remains(memo: Memo) -> str:
    """What is left of the group, in a few words; empty when nothing is."""
    return own.remains(Path(str(memo["group"])))
