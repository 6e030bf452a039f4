"""What the golden messages say, in the types of this version; ``write_golden`` made the files from this, once.

Whoever adds a topic, a record, a command or an error adds a case here, and has ``write_golden`` write its file. A file
that is there is never written again: it is what peers in the field send and expect. A field that is added to a record
later is not in the files, and has to be readable without: leave the case as it is, the field takes its default.
"""

from dataclasses import replace
from typing import Any

from operator_protocol import errors, topics
from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError
from operator_protocol.frames import Header
from operator_protocol.models import (
    Action,
    ActionKind,
    AgentState,
    AgentStep,
    Alternative,
    ChapterState,
    ClusterEvent,
    ClusterHealth,
    CoordinationMessage,
    DevOpsActivity,
    DevOpsStep,
    Diagnosis,
    EvidenceItem,
    Expiry,
    Fault,
    FaultAnswer,
    FaultKind,
    FaultParam,
    Heartbeat,
    Hypothesis,
    InvariantKind,
    InvariantTable,
    LatencySummary,
    MessagePayload,
    Node,
    Presence,
    ProcessState,
    Recommendation,
    Ticket,
    TicketDiagnosis,
    TicketEvent,
    TicketRecord,
    Violation,
    WorkloadSample,
)
from operator_protocol.records import to_body
from operator_protocol.state import State

BOOT_ID = "9f3a61c04be72d58"
COMMAND_ID = "41c7d2a09be6f835"
ACTOR = "ann[4242]"
NONCE = "5be0127fa9c3d684"

NODE = Node(
    "valkey-1",
    "primary",
    "shard-1",
    "127.0.0.1:7001",
    "degraded",
    leader=True,
    signals={"process": "up", "probe": "down", "cluster": "unknown"},
    detail={"slots": 5462, "lag": 0.25, "version": "9.1.0", "loading": False, "link": None},
)
HEALTH = ClusterHealth("valkey", False, "valkey-1 does not answer", [NODE], 1790000000.5, 1234.75)
INVARIANT = InvariantKind("node_down", "critical", 0.5, "Bring the server back.")
VIOLATION = Violation(
    "v-17", "p99_latency", "valkey-1", "warning", "slow", 1790000001.5, 1790000004.25, 12.5, 5.0, "ms"
)
DIAGNOSIS = Diagnosis(
    summary="valkey-1 was killed",
    component="valkey-1",
    cause="process_killed",
    explanation="Its process ended by signal 9.",
    confidence=0.9,
    source="rules",
    timeline=["0.0 s: the process ended", "0.6 s: the node does not answer"],
    evidence=[EvidenceItem(1, "process", "ended by signal 9")],
    cited=[1],
    alternatives=[Alternative("network_partition", "the process is gone", [1])],
    blast_radius="shard-1",
    actions=[Recommendation("restart", "valkey-1", {"wait_s": 5}, "safe", "it is back", "it answers")],
    would_change_my_mind="a living process",
    usage={"input_tokens": 0},
    markdown="# valkey-1 was killed\n",
)
TICKET = Ticket(
    7,
    "node_down",
    "valkey-1",
    "critical",
    "diagnosed",
    "valkey-1 does not answer",
    1790000002.0,
    1790000003.0,
    None,
    2,
    DIAGNOSIS,
    ["seen before"],
)
RESOLVED = Ticket(
    8, "cluster_state", None, "critical", "resolved", "it is down", 1790000002.0, 1790000009.0, 1790000009.0
)
HELD = Ticket(
    9,
    "node_down",
    None,
    "warning",
    "held",
    "it is down",
    1790000002.0,
    1790000009.0,
    notes=["2026-09-21T14:13:29Z ann: looking at it"],
    reopened=1,
    host="db-1",
    cluster="valkey",
    boot=BOOT_ID,
)
TICKET_EVENT = TicketEvent(12, 1790000009.0, "ann", "status", {"event": "hold", "from": "diagnosed", "to": "held"})
TICKET_RECORD = TicketRecord(HELD, "v-17", [TICKET_EVENT])
ACTION = Action(
    3,
    7,
    "restart",
    "valkey-1",
    "succeeded",
    {"wait_s": 5},
    "disruptive",
    "it is down",
    "agent",
    "ann",
    "it is back",
    1790000003.0,
    1790000004.0,
    1790000005.0,
    1790000006.0,
)
PROPOSED = Action(
    4,
    7,
    "start_server",
    "valkey-1",
    "proposed",
    {"to": ""},
    "safe",
    "valkey-1 was killed",
    "rules",
    proposed_at=1790000003.0,
    expires_at=1790000303.0,
    expected="it follows its primary again",
    verify_within=30.0,
)
ACTION_KIND = ActionKind(
    "failover",
    "a replica takes the place of its primary",
    "disruptive",
    [FaultParam("to", "the replica", "")],
    30.0,
)
AGENT = AgentState(False, "execute", "disruptive", "by ann: look first", 120.0, 3, 10.0)
FAULT = Fault(
    "a1b2c3d4",
    "kill",
    "valkey-1",
    "active",
    "primary",
    {"countdown_s": 3.0, "for_s": None},
    owed=True,
    requested_at=1790000000.0,
    injected_at=1790000003.0,
)
COUNTDOWN = Fault("a1b2c3d4", "kill", "valkey-1", "countdown", "primary", requested_at=1790000000.0, remaining=3)
RECOVERED = Fault(
    "a1b2c3d4",
    "kill",
    "valkey-1",
    "recovered",
    "primary",
    {"countdown_s": 3.0},
    owed=False,
    requested_at=1790000000.0,
    injected_at=1790000003.0,
    recovered_at=1790000008.0,
    recovered_by="undo",
)
FAILED = Fault("a1b2c3d4", "kill", "valkey-1", "failed", "primary", owed=True, error="it did not come back")
KIND = FaultKind(
    "slow",
    "stopped and continued in a duty cycle",
    "SIGCONT",
    [
        FaultParam("percent", "share of the time for which it is stopped", 70, "%", 1.0, 95.0),
        FaultParam("direction", "which way", "both", choices=["in", "out", "both"]),
        FaultParam("exact", "without jitter", False),
        FaultParam("peer", "another node"),
    ],
    "root",
    "this daemon is not root; start it as root",
)
PROCESS = ProcessState(
    "monitor", "backoff", "worker", None, 3, None, 9, 0.8, None, None, 1790000000.0, "no sign of life for 3.0 s"
)
SERVER = ProcessState("valkey-1", "ready", "server", 4711, 0, None, None, None, 1.5, 9437184, 1790000000.0, "adopted")
MEASURED = ProcessState("agent", "ready", pid=4712, cpu_percent=0.5, rss=25165824, descriptors=14, threads=3)
TOOL = ProcessState("slow-valkey-2", "stopped", "tool", signal=15, since_at=1790000000.0)
GIVEN_UP = ProcessState(
    "exporter",
    "failed",
    "declared",
    restarts=9,
    exit_code=1,
    since_at=1790000000.0,
    reason="exited with 1; given up after 10 deaths",
    last_lines=["listening on :9090", "bind: address already in use"],
)
SAMPLE = WorkloadSample(
    1998.5,
    0.5,
    True,
    12.0,
    23970,
    2000.0,
    1000.0,
    6,
    {"READ": LatencySummary(999, 0.25, 0.5, 0.75, 1.5, 12.0), "UPDATE": LatencySummary(1000)},
    1790000012.0,
)
CHAPTER = ChapterState(2, 8, "Stage 2: Load Generation", "What you see is real.", "press n", True, False, 1790000000.0)
OVERDUE = replace(
    CHAPTER, busy=False, overdue=True, notes="Let the line settle first.", next_title="Stage 3: Fault Injection"
)
MESSAGE = CoordinationMessage(
    "msg-0a1b2c3d",
    "READY_FOR_REVIEW",
    "backend",
    "orchestrator",
    1790000000.5,
    MessagePayload("the store is done", "all tests pass; see the branch"),
)
ACKNOWLEDGED = replace(
    MESSAGE, acknowledged=True, ack_by="orchestrator", ack_timestamp=1790000030.5, ack_comment="looks good"
)
STEP_UPDATE = CoordinationMessage(
    "msg-4e5f6071",
    "DEVOPS_STEP_UPDATE",
    "devops",
    "all",
    1790000012.5,
    MessagePayload("apply", '{"activity_id": "deploy-7", "step": "apply", "status": "failed", "error": "no room"}'),
    requires_ack=False,
)
ACTIVITY = DevOpsActivity(
    "deploy-7",
    "Deploy web 2.1.0",
    "in_progress",
    1790000000.5,
    1790000012.5,
    steps=[
        DevOpsStep("pull", "completed", 1790000001.5, 1790000006.25),
        DevOpsStep("apply", "failed", 1790000007.5, 1790000012.5, "no room"),
        DevOpsStep("wait"),
    ],
)
FAILED_ACTIVITY = replace(ACTIVITY, status="failed", completed_at=1790000013.5, error="apply: no room")
PRESENCE = Presence("backend", 1790000000.5, 1790000060.5, "/src/backend", "s-17", stale=True)
HEARTBEAT = Heartbeat(4242, {"cluster.health": 17, "heartbeat": 60}, 61.5, 2, {"rejected": 1, "control.torn": 2})

FRAMES: dict[str, tuple[str, object]] = {
    "heartbeat": (topics.HEARTBEAT, HEARTBEAT),
    "process.state": (topics.process_state("monitor"), PROCESS),
    "process.state-server": (topics.process_state("valkey-1"), SERVER),
    "process.state-measured": (topics.process_state("agent"), MEASURED),
    "process.state-tool": (topics.process_state("slow-valkey-2"), TOOL),
    "process.state-failed": (topics.process_state("exporter"), GIVEN_UP),
    "process.log": (topics.process_log("agent"), {"stream": "stderr", "line": "Grüße, 世界", "dropped": 12}),
    "cluster.health": (topics.CLUSTER_HEALTH, HEALTH),
    "cluster.health-unknown": (topics.CLUSTER_HEALTH, ClusterHealth("valkey", None, "nobody answers")),
    "cluster.event": (
        topics.CLUSTER_EVENT,
        ClusterEvent("tikv1", "unreachable", "cannot reach store 5", 1790000002.5, None, 5, 12),
    ),
    "cluster.invariants": (topics.CLUSTER_INVARIANTS, InvariantTable("valkey", [INVARIANT])),
    "workload.sample": (topics.WORKLOAD_SAMPLE, SAMPLE),
    "violation.opened": (topics.VIOLATION_OPENED, VIOLATION),
    "violation.closed": (topics.VIOLATION_CLOSED, VIOLATION),
    "ticket.opened": (topics.TICKET_OPENED, TICKET),
    "ticket.updated": (topics.TICKET_UPDATED, TICKET),
    "ticket.resolved": (topics.TICKET_RESOLVED, RESOLVED),
    "agent.step": (topics.AGENT_STEP, AgentStep(7, "evidence", "the process ended")),
    "agent.diagnosis": (topics.AGENT_DIAGNOSIS, TicketDiagnosis(7, DIAGNOSIS)),
    "agent.diagnosis-remarks": (
        topics.AGENT_DIAGNOSIS,
        TicketDiagnosis(7, replace(DIAGNOSIS, remarks=["claude-sonnet-5-5 was asked and did not answer: overloaded"])),
    ),
    "agent.diagnosis-preliminary": (
        topics.AGENT_DIAGNOSIS,
        TicketDiagnosis(
            7,
            replace(
                DIAGNOSIS,
                preliminary=True,
                hypotheses=[
                    Hypothesis("process_paused", 0.62, "it goes on where it stopped", [1]),
                    Hypothesis("network_partition", None, "its peers reach it"),
                ],
            ),
        ),
    ),
    "agent.switch": (topics.AGENT_SWITCH, AGENT),
    "action.proposed": (topics.ACTION_PROPOSED, PROPOSED),
    "action.approved": (
        topics.ACTION_APPROVED,
        replace(PROPOSED, status="approved", decided_by="policy execute:safe", decided_at=1790000004.0),
    ),
    "action.rejected": (topics.ACTION_REJECTED, replace(PROPOSED, status="rejected", result="rejected by ann")),
    "action.expired": (topics.ACTION_EXPIRED, replace(PROPOSED, status="expired", result="nobody decided")),
    "action.started": (topics.ACTION_STARTED, replace(PROPOSED, status="running", started_at=1790000005.0)),
    "action.finished": (topics.ACTION_FINISHED, ACTION),
    "fault.countdown": (topics.FAULT_COUNTDOWN, COUNTDOWN),
    "fault.injected": (topics.FAULT_INJECTED, FAULT),
    "fault.recovering": (topics.FAULT_RECOVERING, FAULT),
    "fault.recovered": (topics.FAULT_RECOVERED, RECOVERED),
    "fault.failed": (topics.FAULT_FAILED, FAILED),
    "demo.chapter": (topics.DEMO_CHAPTER, CHAPTER),
    "demo.chapter-overdue": (topics.DEMO_CHAPTER, OVERDUE),
    "coordination.message": (topics.COORDINATION_MESSAGE, MESSAGE),
    "coordination.message-acknowledged": (topics.COORDINATION_MESSAGE, ACKNOWLEDGED),
    "coordination.expired": (topics.COORDINATION_EXPIRED, Expiry(1789913600.5)),
    "devops.activity": (topics.DEVOPS_ACTIVITY, ACTIVITY),
    "devops.activity-failed": (topics.DEVOPS_ACTIVITY, FAILED_ACTIVITY),
    "command.finished": (
        topics.COMMAND_FINISHED,
        {"id": COMMAND_ID, "cmd": "fault", "ok": True, "result": {"fault": to_body(FAULT)}},
    ),
    "command.finished-error": (
        topics.COMMAND_FINISHED,
        {
            "id": COMMAND_ID,
            "cmd": "fault",
            "ok": False,
            "error": {"code": "no_target", "message": "no replica", "hint": "", "retryable": False},
        },
    ),
    "join": (topics.join_echo(NONCE), {"nonce": NONCE}),
}
"""File name to topic and body: a record, or a map where there is no record of it."""

RECORDS: dict[str, object] = {
    "action": ACTION,
    "action-kind": ACTION_KIND,
    "agent-state": AGENT,
    "fault-kind": KIND,
    "fault-answer": FaultAnswer("valkey-1", False, "it is the last live copy of shard-1", "--force overrides"),
    "ticket-held": HELD,
    "ticket-event": TICKET_EVENT,
    "ticket-record": TICKET_RECORD,
    "presence": PRESENCE,
    "fault-kind-outage": FaultKind("kill", "SIGKILL", "starting it again", outage=True),
}
"""Records that no topic carries."""

HEADER = Header(1, BOOT_ID, 4242, 17, 1790000000.125, 1234.5, "monitor")

COMMANDS: dict[str, tuple[str, Body]] = {
    "ping": ("ping", {}),
    "hello": ("hello", {"version": 1, "nonce": NONCE, "client": "operator-viewer"}),
    "snapshot": ("snapshot", {}),
    "status": ("status", {}),
    "processes": ("processes", {}),
    "restart": ("restart", {"name": "monitor"}),
    "stop": ("stop", {"name": "monitor"}),
    "shutdown": ("shutdown", {}),
    "fault": ("fault", {"kind": "kill", "target": "primary", "countdown": 3.0, "for": "30s", "force": False}),
    "fault-params": ("fault", {"kind": "slow", "target": "valkey-1", "params": {"percent": 50, "period": "20ms"}}),
    "faults": ("faults", {}),
    "fault.check": ("fault.check", {"kind": "slow", "target": None, "force": False, "params": {"percent": 50}}),
    "recover": ("recover", {"id": "a1b2c3d4"}),
    "recover-all": ("recover", {"id": None}),
    "next": ("next", {}),
    "previous": ("previous", {}),
    "goto": ("goto", {"chapter": 3}),
    "goto-title": ("goto", {"chapter": "Load Generation"}),
    "tickets": ("tickets", {"status": "open", "limit": 10}),
    "ticket": ("ticket", {"id": 7}),
    "diagnose": ("diagnose", {"ticket": 7}),
    "tickets-page": (
        "tickets",
        {"status": None, "limit": 50, "since": 1790000000.5, "before": 8, "reopened": True, "everywhere": False},
    ),
    "ticket-history": ("ticket", {"id": 7, "history": True}),
    "export": ("export", {"status": "resolved", "limit": 20, "since": None, "before": 8, "reopened": False}),
    "hold": ("hold", {"id": 7, "note": "looking at it"}),
    "resolve": ("resolve", {"id": 7, "note": ""}),
    "reopen": ("reopen", {"id": 7, "note": "it was not over"}),
    "note": ("note", {"id": 7, "text": "the disk is fine"}),
    "actions": ("actions", {"status": "proposed", "limit": 10}),
    "action": ("action", {"id": 3}),
    "approve": ("approve", {"id": 3}),
    "reject": ("reject", {"id": 3, "reason": "not now"}),
    "act": ("act", {"kind": "failover", "target": "valkey-1", "params": {"to": "valkey-4"}, "ticket": 7}),
    "act-dry": ("act", {"kind": "start_server", "target": "valkey-1", "dry_run": True}),
    "agent": ("agent", {"switch": "off", "reason": "look first"}),
    "workload": ("workload", {"action": "start", "rate": 2500.0}),
    "publish": (
        "publish",
        {
            "type": "READY_FOR_REVIEW",
            "payload": {"subject": "the store is done", "description": "all tests pass; see the branch"},
            "from": "backend",
            "to": "orchestrator",
            "requires_ack": True,
        },
    ),
    "messages": (
        "messages",
        {
            "to": "orchestrator",
            "from": None,
            "type": "READY_FOR_REVIEW",
            "pending_only": True,
            "limit": 100,
            "since": 1790000000.5,
        },
    ),
    "ack": ("ack", {"id": "msg-0a1b2c3d", "by": "orchestrator", "comment": "looks good"}),
    "notifications": ("notifications", {"to": "orchestrator", "limit": 100}),
    "devops": ("devops", {"limit": 10, "hours": 24.0}),
    "activity": ("activity", {"id": "deploy-7"}),
    "presence": ("presence", {}),
    "presence.register": (
        "presence.register",
        {"role": "backend", "worktree_path": "/src/backend", "session_id": "s-17"},
    ),
    "presence.deregister": ("presence.deregister", {"role": "backend"}),
    "presence.heartbeat": ("presence.heartbeat", {"role": "backend"}),
}

STATE = State()
STATE.cluster = HEALTH
STATE.nodes = {NODE.id: NODE}
STATE.processes = {PROCESS.name: PROCESS}
STATE.violations = {VIOLATION.id: VIOLATION}
STATE.tickets = {TICKET.id: TICKET}
STATE.faults = {FAULT.id: FAULT}
STATE.demo = CHAPTER
STATE.workload.append(SAMPLE)
STATE.version = {"operatord": "0.1.0", "subject": "valkey"}

_WORKLOAD = {"running": True, "rate": 2000.0, "command": "YCSB workload A", "sample": to_body(SAMPLE)}
_COUNTS = {"accepted": 40, "repeated": 1, "refused": {"torn": 2}}

RESULTS: dict[str, Body] = {
    "accepted": {"accepted": True, "id": COMMAND_ID},
    "ping": {"boot_id": BOOT_ID, "wall_ts": 1790000000.125},
    "hello": {"boot_id": BOOT_ID, "version": "0.1.0"},
    "snapshot": {
        "boot_id": BOOT_ID,
        "seq": 4242,
        "topic_seqs": {"cluster.health": 17, "heartbeat": 60},
        "state": STATE.to_wire(),
        "tails": [[topics.FAULT_INJECTED, list(HEADER), to_body(FAULT)]],
    },
    "status": {
        "version": "0.1.0",
        "subject": "valkey",
        "boot_id": BOOT_ID,
        "pid": 4242,
        "uptime": 61.5,
        "runtime_dir": "/run/operatord",
        "state_dir": "/var/lib/operatord",
        "listen": None,
        "health": to_body(HEALTH),
        "processes": [to_body(PROCESS)],
        "workload": _WORKLOAD,
        "demo": to_body(CHAPTER),
        "faults": [to_body(FAULT)],
        "violations": [to_body(VIOLATION)],
        "tickets_open": 1,
        "counters": {"ingest": _COUNTS, "control": _COUNTS, "rejected": 1, "lines": 0},
    },
    "processes": {"processes": [to_body(PROCESS), to_body(SERVER)]},
    "restart": {"process": to_body(PROCESS)},
    "stop": {"process": to_body(PROCESS)},
    "shutdown": {},
    "fault": {"fault": to_body(FAULT)},
    "faults": {"kinds": [to_body(KIND)], "owed": [to_body(FAULT)]},
    "fault.check": {"answers": [to_body(FaultAnswer("valkey-1", True))], "default_role": "primary"},
    "recover": {"recovered": [to_body(RECOVERED)], "message": "recovered kill on valkey-1"},
    "next": {"chapter": to_body(CHAPTER)},
    "previous": {"chapter": to_body(CHAPTER)},
    "goto": {"chapter": to_body(CHAPTER)},
    "tickets": {"tickets": [to_body(TICKET)]},
    "ticket": {"ticket": to_body(TICKET)},
    "diagnose": {"ticket": to_body(TICKET)},
    "export": {"records": [to_body(TICKET_RECORD)], "next": 7},
    "hold": {"ticket": to_body(HELD)},
    "resolve": {"ticket": to_body(RESOLVED), "message": "its violation is still open"},
    "reopen": {"ticket": to_body(HELD)},
    "note": {"ticket": to_body(HELD)},
    "actions": {"actions": [to_body(ACTION)], "kinds": [to_body(ACTION_KIND)], "agent": to_body(AGENT)},
    "action": {"action": to_body(ACTION), "waits_for": ""},
    "approve": {"action": to_body(ACTION)},
    "reject": {"action": to_body(replace(PROPOSED, status="rejected", result="rejected by ann"))},
    "act": {"action": to_body(ACTION), "would": ""},
    "agent": {"agent": to_body(AGENT), "pending": [to_body(PROPOSED)]},
    "workload": _WORKLOAD,
    "publish": {"message": to_body(STEP_UPDATE), "activity": to_body(ACTIVITY)},
    "messages": {"messages": [to_body(STEP_UPDATE), to_body(ACKNOWLEDGED)]},
    "ack": {"message": to_body(ACKNOWLEDGED)},
    "notifications": {"messages": [to_body(MESSAGE)]},
    "devops": {"current": to_body(ACTIVITY), "recent": [to_body(FAILED_ACTIVITY)]},
    "activity": {"activity": to_body(ACTIVITY)},
    "presence": {"present": [to_body(PRESENCE)]},
    "presence.register": {"presence": to_body(PRESENCE)},
    "presence.deregister": {"presence": None},
    "presence.heartbeat": {"presence": to_body(PRESENCE)},
}
"""Results of commands by name; that of a long command is in ``command.finished`` as well."""

ERRORS: dict[str, OperatorError] = {
    cls.code: cls("it cannot be done", "do something else")
    for cls in (
        errors.BadRequest,
        errors.UnknownCommand,
        errors.Unauthorized,
        errors.VersionMismatch,
        errors.NotFound,
        errors.Conflict,
        errors.NoTarget,
        errors.Unavailable,
        errors.DeadlineExceeded,
        errors.InternalError,
    )
}


def command_map(cmd: str, args: Body) -> Body:
    """The map of a command, as the specification has it."""
    return {"v": 1, "id": COMMAND_ID, "cmd": cmd, "args": args, "deadline": 10.0, "actor": ACTOR}


def reply_map(result: Body | None, error: OperatorError | None = None) -> Body:
    """The map of a reply, as the specification has it."""
    outcome: dict[str, Any] = (
        {"ok": True, "result": result} if error is None else {"ok": False, "error": error.to_wire()}
    )
    return {"v": 1, "id": COMMAND_ID} | outcome


def body_of(said: object) -> Body:
    """The map of a case's body."""
    return dict(said) if isinstance(said, dict) else to_body(said)
