"""The faults that count down or are owed, and which of them are over."""

from collections import deque
from collections.abc import Callable, Collection

from operator_protocol.errors import NotFound
from operator_protocol.models import Fault
from operatord.faults.tools import Tools
from operatord.faults.undo_journal import Owed
from operatord.faults.workflow import FaultWorkflow

_HISTORY = 200


class Register:
    """Workflows by the id of their fault. ``on_over`` is called once for each that is over.

    ``lost`` are nodes that are down for reasons of their own: no recovery waits for them.
    """

    def __init__(self, tools: Tools, on_over: Callable[[Fault], None], lost: Collection[str] = ()) -> None:
        self._tools = tools
        self._on_over = on_over
        self._lost = frozenset(lost)
        self._workflows: dict[str, FaultWorkflow] = {}
        self._ended: deque[str] = deque(maxlen=_HISTORY)
        """Ids of faults that are over: recovering one of them again is no mistake."""

    def add(self, fault: Fault, owed: Owed | None = None) -> FaultWorkflow:
        """Begin a workflow; with ``owed`` take up one that an earlier daemon left."""
        workflow = FaultWorkflow(fault, self._tools, lambda: self.held(but=fault.id), owed)
        self._workflows[fault.id] = workflow
        return workflow

    def drop(self, fault_id: str) -> None:
        """Forget a fault that nobody has heard of yet."""
        self._workflows.pop(fault_id, None)

    def all(self) -> list[FaultWorkflow]:
        """All of them, oldest first."""
        return list(self._workflows.values())

    def has(self, fault_id: str) -> bool:
        """Whether it counts down or is owed."""
        return fault_id in self._workflows

    def find(self, fault_id: str | None) -> list[FaultWorkflow]:
        """The one of that id, none when it is over, all without an id. Raises ``NotFound`` for one that never was."""
        if fault_id is None:
            return self.all()
        if fault_id in self._workflows:
            return [self._workflows[fault_id]]
        if fault_id in self._ended:
            return []
        known = ", ".join(f"{fault.id} ({fault.kind} {fault.target})" for fault in self.owed())
        raise NotFound(f"no fault has the id {fault_id!r}", f"owed: {known}" if known else "nothing is owed")

    def owed(self) -> list[Fault]:
        """Faults that have to be undone, oldest first."""
        return [workflow.fault for workflow in self._workflows.values() if workflow.fault.owed]

    def counting_down(self) -> list[Fault]:
        """Faults that were asked for and are not injected yet."""
        return [workflow.fault for workflow in self._workflows.values() if not workflow.fault.owed]

    def holders(self) -> dict[str, Fault]:
        """The fault of each node that has one, or is about to have it."""
        return {workflow.fault.target: workflow.fault for workflow in self._workflows.values()}

    def held(self, but: str) -> frozenset[str]:
        """The nodes that faults other than ``but`` have taken down, or are just taking down, and those ``lost``."""
        return self._lost | {
            workflow.fault.target
            for fault_id, workflow in self._workflows.items()
            if fault_id != but and workflow.holds_target
        }

    def tidy(self) -> None:
        """Forget what is over."""
        for fault_id, workflow in list(self._workflows.items()):
            if workflow.over:
                del self._workflows[fault_id]
                self._ended.append(fault_id)
                self._on_over(workflow.fault)
