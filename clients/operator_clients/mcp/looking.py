"""Tools that only look: status, nodes, tickets, the load, events, the catalogues of faults and actions."""

from collections.abc import Mapping
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import ToolAnnotations
from pydantic import Field

from operator_clients.ctl.describe import describe
from operator_clients.ctl.ticket_markdown import history_lines
from operator_clients.mcp.answers import (
    ActionsAnswer,
    BusEvent,
    Cluster,
    EventsAnswer,
    FaultsAnswer,
    NodesAnswer,
    Process,
    Second,
    StatusAnswer,
    TicketAnswer,
    TicketsAnswer,
    WorkloadAnswer,
    WorkloadNow,
    cut,
    fitting,
    in_short,
    record,
    records,
    shortened,
)
from operator_clients.mcp.daemon import Daemon
from operator_protocol.errors import BadRequest
from operator_protocol.journal import is_log
from operator_protocol.models import (
    Action,
    ActionKind,
    ActionStatus,
    AgentState,
    ChapterState,
    ClusterHealth,
    Fault,
    FaultKind,
    ProcessState,
    Ticket,
    TicketStatus,
    Violation,
    WorkloadSample,
)
from operator_protocol.state import WORKLOAD_WINDOW
from operator_protocol.topics import HEARTBEAT, matches

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_MAX_LISTED = 100
_MAX_EVENTS = 500
_EVENT_CHARS = 400
_MAX_HISTORY = 100


def add(server: MCPServer[Any], daemon: Daemon) -> None:
    """Give ``server`` the tools of this area."""

    @server.tool(title="Status", annotations=READS)
    async def operator_status() -> StatusAnswer:
        """One page of everything: is the cluster healthy, is the load degraded, which invariants do not hold, which
        faults are in force, which actions wait for a decision. Begin here.
        """
        return _status(await daemon.ask("status"))

    @server.tool(title="Nodes", annotations=READS)
    async def operator_nodes() -> NodesAnswer:
        """All members of the cluster with role, group, state, the independent signs of life, and their figures."""
        health = (await daemon.ask("status")).get("health")
        nodes = record(ClusterHealth, health).nodes if health else []
        kept, left_out = fitting(nodes)
        return NodesAnswer(cluster=_cluster(health), nodes=kept, left_out=left_out)

    @server.tool(title="Tickets", annotations=READS)
    async def operator_tickets(
        status: Annotated[TicketStatus | None, Field(description="only those with this status")] = None,
        limit: Annotated[int, Field(ge=1, le=_MAX_LISTED, description="at most so many")] = 20,
        before: Annotated[int | None, Field(ge=1, description="go on from here: `next` of the page before")] = None,
    ) -> TicketsAnswer:
        """Tickets, newest first: one for each invariant and node that violated it, with a diagnosis in short."""
        listed = await daemon.ask("tickets", {"status": status, "limit": limit, "before": before})
        kept, left_out = fitting([in_short(ticket) for ticket in records(Ticket, listed.get("tickets"))])
        return TicketsAnswer(tickets=kept, next=kept[-1].id if left_out else listed.get("next"))

    @server.tool(title="Ticket and diagnosis", annotations=READS)
    async def operator_ticket(
        id: Annotated[int, Field(ge=1, description="the ticket's number")],  # noqa: A002 (as on the wire)
        history: Annotated[bool, Field(description="with what was said of it, step by step")] = False,
    ) -> TicketAnswer:
        """One ticket with its diagnosis: cause, explanation, the evidence it cites, what else it could have been and
        why not, and the actions that are recommended. What actions became of them: operator_actions.
        """
        found = await daemon.ask("ticket", {"id": id, "history": history})
        ticket, left_out = shortened(record(Ticket, found.get("ticket")))
        said = [cut(line.removeprefix("- ")) for line in history_lines(found) if line.startswith("- ")]
        return TicketAnswer(ticket=ticket, evidence_left_out=left_out, history=said[-_MAX_HISTORY:])

    @server.tool(title="Workload", annotations=READS)
    async def operator_workload(
        seconds: Annotated[int, Field(ge=1, le=WORKLOAD_WINDOW, description="how far to look back")] = 30,
    ) -> WorkloadAnswer:
        """The load on the cluster: throughput, errors, latency by operation, baseline and threshold, and what it was
        in the last seconds.
        """
        status, snapshot = await daemon.ask("status"), await daemon.ask("snapshot")
        load = _map(_map(snapshot.get("state")).get("workload"))
        window = records(WorkloadSample, load.get("window"))[-seconds:]
        return WorkloadAnswer(
            workload=_workload(status.get("workload")),
            seconds=[
                Second(
                    at=one.sampled_at,
                    ops_per_sec=one.ops_per_sec,
                    errors_per_sec=one.errors_per_sec,
                    degraded=one.degraded,
                )
                for one in window
            ],
        )

    @server.tool(title="Events", annotations=READS)
    async def operator_events(
        topics: Annotated[
            list[str] | None,
            Field(
                description="whole topics (fault.injected, process.monitor.log), or families that end in a dot "
                "(violation., ticket., agent., action., fault., demo., process.); default: all but logs"
            ),
        ] = None,
        after: Annotated[float | None, Field(description="only those later than this, seconds since the epoch")] = None,
        limit: Annotated[int, Field(ge=1, le=_MAX_EVENTS, description="at most so many, the newest")] = 50,
    ) -> EventsAnswer:
        """What happened lately, a line for each: violations, tickets, the steps of the agent, actions, faults,
        processes that died, what the servers' logs tell.
        """
        for topic in topics or ():
            if not topic.strip("."):
                raise BadRequest(f"{topic!r} is not a topic", "a whole topic like fault.injected, or a family: fault.")
        found = [
            event
            for event in map(_event, (await daemon.ask("snapshot")).get("tails") or [])
            if _wanted(event.topic, topics) and event.at > (after or 0.0)
        ]
        newest, _ = fitting(found[: -limit - 1 : -1])
        return EventsAnswer(events=newest[::-1], left_out=len(found) - len(newest))

    @server.tool(title="Fault catalogue", annotations=READS)
    async def operator_faults() -> FaultsAnswer:
        """The kinds of fault that this daemon can inject, with their parameters, and the faults that are in force."""
        catalogue = await daemon.ask("faults")
        return FaultsAnswer(
            kinds=records(FaultKind, catalogue.get("kinds")), owed=records(Fault, catalogue.get("owed"))
        )

    @server.tool(title="Actions", annotations=READS)
    async def operator_actions(
        status: Annotated[ActionStatus | None, Field(description="only those with this status")] = None,
        limit: Annotated[int, Field(ge=1, le=_MAX_LISTED, description="at most so many")] = 20,
    ) -> ActionsAnswer:
        """What the agent proposes or did to mend the cluster, newest first, and the kinds of action there are.
        Those with status `proposed` wait for a decision.
        """
        listed = await daemon.ask("actions", {"status": status, "limit": limit})
        kept, left_out = fitting(records(Action, listed.get("actions")))
        return ActionsAnswer(
            actions=kept,
            kinds=records(ActionKind, listed.get("kinds")),
            agent=record(AgentState, listed.get("agent")),
            left_out=left_out,
        )


def _status(status: Mapping[str, Any]) -> StatusAnswer:
    health = status.get("health")
    nodes = record(ClusterHealth, health).nodes if health else []
    processes = records(ProcessState, status.get("processes"))
    return StatusAnswer(
        version=str(status.get("version", "")),
        subject=str(status.get("subject", "")),
        uptime_s=float(status.get("uptime") or 0.0),
        cluster=_cluster(health),
        nodes_not_up=fitting([node for node in nodes if node.state != "up"])[0],
        workload=_workload(status.get("workload")),
        violations=fitting(records(Violation, status.get("violations")))[0],
        tickets_open=int(status.get("tickets_open") or 0),
        faults=records(Fault, status.get("faults")),
        actions=fitting(records(Action, status.get("actions")))[0],
        agent=record(AgentState, status.get("agent")),
        chapter=record(ChapterState, status["demo"]) if status.get("demo") else None,
        processes_not_ready=[
            Process(name=one.name, kind=one.kind, state=one.state, restarts=one.restarts, reason=one.reason)
            for one in processes
            if one.state != "ready"
        ],
    )


def _cluster(health: object) -> Cluster:
    if not health:
        return Cluster(ok=None, reason="nothing was observed yet", nodes_up=0, nodes_total=0, observed_at=0.0)
    seen = record(ClusterHealth, health)
    return Cluster(
        ok=seen.ok,
        reason=seen.reason,
        nodes_up=sum(node.state == "up" for node in seen.nodes),
        nodes_total=len(seen.nodes),
        observed_at=seen.observed_at,
    )


def _workload(load: object) -> WorkloadNow:
    told = _map(load)
    sample = told.get("sample")
    return WorkloadNow(
        running=bool(told.get("running")),
        rate=told.get("rate"),
        sample=record(WorkloadSample, sample) if sample else None,
    )


def _event(frame: list[Any]) -> BusEvent:
    topic, header, body = frame
    return BusEvent(seq=header[2], at=header[4], topic=topic, text=cut(describe(topic, body), _EVENT_CHARS))


def _wanted(topic: str, topics: list[str] | None) -> bool:
    return matches(topic, topics) if topics else topic != HEARTBEAT and not is_log(topic)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
