"""Which processes there are: who is meant by a name, and who may take one."""

from collections.abc import Iterator

from operator_protocol.errors import Conflict, NotFound
from operator_protocol.models import ProcessKind
from operatord.processes.lifecycle import LIVE
from operatord.processes.slots import Slot
from operatord.procfs import ProcessId

_FORK_SERVER = "forkserver"


class Roster:
    """Slots by name, in the order in which they were added."""

    def __init__(self) -> None:
        self._slots: dict[str, Slot] = {}

    def __iter__(self) -> Iterator[Slot]:
        return iter(list(self._slots.values()))

    def find(self, name: str) -> Slot | None:
        """The slot of that name, if there is one."""
        return self._slots.get(name)

    def get(self, name: str) -> Slot:
        """The slot of that name. Raises ``NotFound`` with the names there are."""
        slot = self._slots.get(name)
        if slot is None:
            raise NotFound(f"there is no process {name!r}", f"there are: {', '.join(self._slots)}")
        return slot

    def to_handle(self, name: str) -> Slot:
        """As ``get``, for one that is to be started or stopped. Raises ``Conflict`` for what the daemon needs."""
        slot = self.get(name)
        if slot.kind == "internal":
            raise Conflict(f"{name} belongs to the daemon", "it is started again by itself when it ends")
        return slot

    def speaker(self, name: str, pid: int | None) -> Slot | None:
        """Who says something of itself, as process ``pid`` if known; None for the word of an earlier incarnation."""
        slot = self._slots.get(name)
        if slot is None or slot.rule is None or slot.id is None or pid not in (None, slot.id.pid):
            return None
        return slot

    def process(self, name: str) -> ProcessId | None:
        """The process of that name while it runs."""
        slot = self._slots.get(name)
        return None if slot is None else slot.id

    def of_kind(self, *kinds: ProcessKind) -> list[Slot]:
        """All of these kinds."""
        return [slot for slot in self._slots.values() if slot.kind in kinds]

    def add(self, slot: Slot) -> None:
        """One more. Raises ``Conflict`` for a name that is taken."""
        if slot.name in self._slots or slot.name == _FORK_SERVER:
            raise Conflict(f"there is a process {slot.name} already")
        self.put(slot)

    def put(self, slot: Slot) -> None:
        """From now on this is who is meant by its name."""
        self._slots[slot.name] = slot

    def forget(self, name: str) -> None:
        """Nobody is called that any more."""
        self._slots.pop(name, None)

    def for_server(self, name: str, kind: ProcessKind = "server") -> Slot:
        """The slot that a server of that name may take, to be ``put``. Raises ``Conflict`` if somebody else has it."""
        slot = self._slots.get(name)
        if slot is None:
            return Slot(name, kind, None)
        if slot.kind != kind or slot.rule is not None:
            raise Conflict(f"{name} is the name of a {slot.kind}")
        if slot.id is not None or slot.phase in LIVE:
            raise Conflict(f"{name} runs already, as process {None if slot.id is None else slot.id.pid}")
        return slot
