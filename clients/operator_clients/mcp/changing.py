"""Tools that change the cluster; a server has them only when it was started with control rights.

There is no way here to override a guard rail: what the daemon refuses takes a person with ``fault --force``.
"""

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import ToolAnnotations
from pydantic import Field

from operator_clients.mcp.answers import ActionAnswer, FaultAnswer, RecoverAnswer, record, records
from operator_clients.mcp.daemon import Daemon
from operator_protocol.errors import DeadlineExceeded
from operator_protocol.models import Action, Fault, Scalar

NAMES = frozenset({"operator_fault", "operator_recover", "operator_approve", "operator_reject"})

_FAULT_S = 60.0
"""On top of the countdown: choosing the target, the guard, injecting."""
_RECOVER_S = 120.0
_MAX_COUNTDOWN_S = 60
_MAX_WAIT_S = 600.0
_OVER = ("succeeded", "failed", "rejected", "expired")
_BREAKS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)
_MENDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


def add(server: MCPServer[Any], daemon: Daemon) -> None:
    """Give ``server`` the tools of this area."""

    @server.tool(title="Inject a fault", annotations=_BREAKS)
    async def operator_fault(
        kind: Annotated[str, Field(description="of the catalogue: operator_faults")],
        target: Annotated[
            str | None, Field(description="a node, a role, or `random`; default: a random node of the usual role")
        ] = None,
        countdown: Annotated[
            int | None, Field(ge=0, le=_MAX_COUNTDOWN_S, description="seconds; default: as configured (3)")
        ] = None,
        for_s: Annotated[
            float | None, Field(gt=0, description="undo it by itself after so many seconds; default: it stays")
        ] = None,
        params: Annotated[dict[str, Scalar] | None, Field(description="of the kind, see its `params`")] = None,
    ) -> FaultAnswer:
        """Break something in the real cluster, and return when the fault is in force. Undo it with operator_recover.
        The daemon's guard rails hold: it refuses what would cost data or a quorum.
        """
        command = {"kind": kind, "target": target, "countdown": countdown, "for": for_s, "params": params or {}}
        done = await daemon.perform("fault", command, deadline_s=(countdown or 0) + _FAULT_S)
        return FaultAnswer(fault=record(Fault, done.get("fault")))

    @server.tool(title="Undo faults", annotations=_MENDS)
    async def operator_recover(
        id: Annotated[str | None, Field(description="of one fault; default: all that is owed")] = None,  # noqa: A002
    ) -> RecoverAnswer:
        """Undo a fault, or all of them, and return when the recovery is verified. A countdown is called off.
        Nothing to undo is a success.
        """
        done = await daemon.perform("recover", {"id": id}, deadline_s=_RECOVER_S)
        return RecoverAnswer(recovered=records(Fault, done.get("recovered")), message=str(done.get("message", "")))

    @server.tool(title="Approve an action", annotations=_BREAKS)
    async def operator_approve(
        id: Annotated[int, Field(ge=1, description="the action's number")],  # noqa: A002 (as on the wire)
        wait_s: Annotated[
            float, Field(gt=0, le=_MAX_WAIT_S, description="how long to wait for its end; it goes on after that")
        ] = 60.0,
    ) -> ActionAnswer:
        """Approve a proposed action: the daemon carries it out on the real cluster and verifies that the violation
        ends. Returns when the action is over, or after `wait_s` with `over` false; then look again: operator_actions.
        """
        try:
            done = await daemon.perform("approve", {"id": id}, deadline_s=wait_s)
        except DeadlineExceeded:
            done = await daemon.ask("action", {"id": id})
        return _answer(done)

    @server.tool(title="Reject an action", annotations=_MENDS)
    async def operator_reject(
        id: Annotated[int, Field(ge=1, description="the action's number")],  # noqa: A002 (as on the wire)
        reason: Annotated[str, Field(max_length=300, description="why not, for the audit log and the ticket")] = "",
    ) -> ActionAnswer:
        """Reject a proposed action: it is not done."""
        return _answer(await daemon.ask("reject", {"id": id, "reason": reason}))


def _answer(done: "dict[str, Any]") -> ActionAnswer:
    action = record(Action, done.get("action"))
    return ActionAnswer(action=action, over=action.status in _OVER, waits_for=str(done.get("waits_for") or ""))
