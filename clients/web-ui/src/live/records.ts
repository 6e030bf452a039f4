/** The records of docs/protocol.md that the pages show, as JSON: times in seconds, names in snake_case. */

export type Scalar = string | number | boolean | null;
export type SignalState = "up" | "down" | "unknown";
export type NodeState = "up" | "degraded" | "down" | "unknown";
export type Severity = "info" | "warning" | "critical";
export type Risk = "read" | "safe" | "disruptive" | "destructive";

export interface ClusterNode {
  id: string;
  role: string;
  group: string;
  address: string;
  state: NodeState;
  leader: boolean;
  signals: Record<string, SignalState>;
  detail: Record<string, Scalar>;
}

export interface ClusterHealth {
  subject: string;
  ok: boolean | null;
  reason: string;
  nodes: ClusterNode[];
  observed_at: number;
}

export interface ClusterEvent {
  node: string;
  kind: string;
  text: string;
  at: number;
  held_back: number;
}

export interface ProcessState {
  name: string;
  state: "stopped" | "starting" | "ready" | "stopping" | "backoff" | "failed";
  kind: "worker" | "server" | "client" | "declared" | "internal" | "tool";
  pid: number | null;
  restarts: number;
  exit_code: number | null;
  signal: number | null;
  next_start_in: number | null;
  cpu_percent: number | null;
  rss: number | null;
  since_at: number;
  reason: string;
  last_lines: string[];
}

export interface Violation {
  id: string;
  invariant: string;
  node: string | null;
  severity: Severity;
  message: string;
  first_seen_at: number;
  last_seen_at: number;
  value: number | null;
  threshold: number | null;
  unit: string;
}

export interface EvidenceItem {
  id: number;
  kind: string;
  text: string;
}

export interface Alternative {
  cause: string;
  rejected_because: string;
  evidence: number[];
}

export interface Recommendation {
  kind: string;
  target: string;
  params: Record<string, Scalar>;
  risk: Risk;
  expected: string;
  verify: string;
}

export interface Hypothesis {
  cause: string;
  confidence: number | null;
  waits_for: string;
  evidence: number[];
}

export interface Diagnosis {
  summary: string;
  component: string;
  cause: string;
  explanation: string;
  confidence: number;
  source: string;
  timeline: string[];
  evidence: EvidenceItem[];
  cited: number[];
  alternatives: Alternative[];
  blast_radius: string;
  actions: Recommendation[];
  would_change_my_mind: string;
  usage: Record<string, Scalar>;
  remarks: string[];
  preliminary: boolean;
  hypotheses: Hypothesis[];
}

export type TicketStatus = "open" | "diagnosing" | "diagnosed" | "acting" | "resolved" | "escalated" | "held";

export interface Ticket {
  id: number;
  invariant: string;
  node: string | null;
  severity: Severity;
  status: TicketStatus;
  message: string;
  opened_at: number;
  updated_at: number;
  resolved_at: number | null;
  occurrences: number;
  diagnosis: Diagnosis | null;
  notes: string[];
  reopened: number;
}

export interface AgentStep {
  ticket: number;
  kind: "evidence" | "thought" | "tool" | "result";
  text: string;
}

export type ActionStatus = "proposed" | "approved" | "rejected" | "expired" | "running" | "succeeded" | "failed";

export interface Action {
  id: number;
  ticket: number | null;
  kind: string;
  target: string;
  status: ActionStatus;
  params: Record<string, Scalar>;
  risk: Risk;
  reason: string;
  proposed_by: string;
  decided_by: string;
  result: string;
  proposed_at: number | null;
  started_at: number | null;
  finished_at: number | null;
  expires_at: number | null;
  expected: string;
  verify_within: number | null;
}

export interface Fault {
  id: string;
  kind: string;
  target: string;
  state: "countdown" | "injecting" | "active" | "recovering" | "recovered" | "failed";
  role: string;
  params: Record<string, Scalar>;
  owed: boolean;
  requested_at: number | null;
  injected_at: number | null;
  recovered_at: number | null;
  recovered_by: string;
  error: string;
  remaining: number | null;
}

export interface FaultParam {
  name: string;
  meaning: string;
  default: Scalar;
  unit: string;
  minimum: number | null;
  maximum: number | null;
  choices: string[];
}

export interface FaultKind {
  name: string;
  description: string;
  undone_by: string;
  params: FaultParam[];
  needs: string;
  missing: string;
  outage: boolean;
}

export interface ChapterState {
  index: number;
  total: number;
  title: string;
  narration: string;
  key_hint: string;
  busy: boolean;
  expectation_met: boolean | null;
  entered_at: number;
}

export interface LatencySummary {
  count: number;
  p50: number | null;
  p90: number | null;
  p95: number | null;
  p99: number | null;
  max: number | null;
}

export interface WorkloadSample {
  ops_per_sec: number;
  errors_per_sec: number;
  degraded: boolean;
  elapsed: number;
  operations: number;
  baseline: number | null;
  threshold: number | null;
  errors: number;
  latency: Record<string, LatencySummary>;
  sampled_at: number;
}

/** One frame of the bus, as the gateway's stream carries it. */
export interface Frame {
  topic: string;
  seq: number;
  /** ISO 8601, the daemon's wall clock. */
  at: string;
  body: Record<string, unknown>;
}
