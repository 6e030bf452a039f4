/** Reads records from JSON: missing fields take the default of docs/protocol.md, a wrong shape is refused. */

import { isRecord } from "../shared/api";
import type * as r from "./records";

/** A body that is not what its topic promises. It changes nothing, as in the daemon. */
export class Malformed extends Error {}

type Body = Record<string, unknown>;

export function body(value: unknown): Body {
  if (!isRecord(value)) throw new Malformed("not a map");
  return value;
}

function text(from: Body, key: string, otherwise?: string): string {
  const value = from[key];
  if (typeof value === "string") return value;
  if (value === undefined && otherwise !== undefined) return otherwise;
  throw new Malformed(`${key} is not text`);
}

function figure(from: Body, key: string, otherwise?: number): number {
  const value = from[key];
  if (typeof value === "number") return value;
  if (value === undefined && otherwise !== undefined) return otherwise;
  throw new Malformed(`${key} is not a number`);
}

function maybe(from: Body, key: string): number | null {
  const value = from[key];
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return value;
  throw new Malformed(`${key} is neither a number nor null`);
}

function textOrNull(from: Body, key: string): string | null {
  const value = from[key];
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return value;
  throw new Malformed(`${key} is neither text nor null`);
}

function flag(from: Body, key: string, otherwise = false): boolean {
  const value = from[key];
  if (typeof value === "boolean") return value;
  if (value === undefined) return otherwise;
  throw new Malformed(`${key} is not true or false`);
}

function flagOrNull(from: Body, key: string): boolean | null {
  const value = from[key];
  return value === undefined || value === null ? null : flag(from, key);
}

function list<T>(from: Body, key: string, read: (item: unknown) => T): T[] {
  const value = from[key];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Malformed(`${key} is not an array`);
  return value.map(read);
}

function map<T>(from: Body, key: string, read: (item: unknown) => T): Record<string, T> {
  const value = from[key];
  if (value === undefined || value === null) return {};
  return Object.fromEntries(Object.entries(body(value)).map(([name, item]) => [name, read(item)]));
}

const asText = (value: unknown): string => {
  if (typeof value !== "string") throw new Malformed("not text");
  return value;
};
const asNumber = (value: unknown): number => {
  if (typeof value !== "number") throw new Malformed("not a number");
  return value;
};
const asScalar = (value: unknown): r.Scalar =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;

export function node(value: unknown): r.ClusterNode {
  const from = body(value);
  return {
    id: text(from, "id"),
    role: text(from, "role"),
    group: text(from, "group"),
    address: text(from, "address"),
    state: text(from, "state") as r.NodeState,
    leader: flag(from, "leader"),
    signals: map(from, "signals", (signal) => asText(signal) as r.SignalState),
    detail: map(from, "detail", asScalar),
  };
}

export function clusterHealth(value: unknown): r.ClusterHealth {
  const from = body(value);
  return {
    subject: text(from, "subject"),
    ok: flagOrNull(from, "ok"),
    reason: text(from, "reason", ""),
    nodes: list(from, "nodes", node),
    observed_at: figure(from, "observed_at", 0),
  };
}

export function clusterEvent(value: unknown): r.ClusterEvent {
  const from = body(value);
  return {
    node: text(from, "node"),
    kind: text(from, "kind"),
    text: text(from, "text"),
    at: figure(from, "at"),
    held_back: figure(from, "held_back", 0),
  };
}

export function process(value: unknown): r.ProcessState {
  const from = body(value);
  return {
    name: text(from, "name"),
    state: text(from, "state") as r.ProcessState["state"],
    kind: text(from, "kind", "worker") as r.ProcessState["kind"],
    pid: maybe(from, "pid"),
    restarts: figure(from, "restarts", 0),
    exit_code: maybe(from, "exit_code"),
    signal: maybe(from, "signal"),
    next_start_in: maybe(from, "next_start_in"),
    cpu_percent: maybe(from, "cpu_percent"),
    rss: maybe(from, "rss"),
    since_at: figure(from, "since_at", 0),
    reason: text(from, "reason", ""),
    last_lines: list(from, "last_lines", asText),
  };
}

export function violation(value: unknown): r.Violation {
  const from = body(value);
  return {
    id: text(from, "id"),
    invariant: text(from, "invariant"),
    node: textOrNull(from, "node"),
    severity: text(from, "severity") as r.Severity,
    message: text(from, "message"),
    first_seen_at: figure(from, "first_seen_at"),
    last_seen_at: figure(from, "last_seen_at"),
    value: maybe(from, "value"),
    threshold: maybe(from, "threshold"),
    unit: text(from, "unit", ""),
  };
}

export function diagnosis(value: unknown): r.Diagnosis {
  const from = body(value);
  return {
    summary: text(from, "summary"),
    component: text(from, "component"),
    cause: text(from, "cause"),
    explanation: text(from, "explanation"),
    confidence: figure(from, "confidence"),
    source: text(from, "source"),
    timeline: list(from, "timeline", asText),
    evidence: list(from, "evidence", (item) => {
      const one = body(item);
      return { id: figure(one, "id"), kind: text(one, "kind"), text: text(one, "text") };
    }),
    cited: list(from, "cited", asNumber),
    alternatives: list(from, "alternatives", (item) => {
      const one = body(item);
      return {
        cause: text(one, "cause"),
        rejected_because: text(one, "rejected_because"),
        evidence: list(one, "evidence", asNumber),
      };
    }),
    blast_radius: text(from, "blast_radius", ""),
    actions: list(from, "actions", (item) => {
      const one = body(item);
      return {
        kind: text(one, "kind"),
        target: text(one, "target"),
        params: map(one, "params", asScalar),
        risk: text(one, "risk", "safe") as r.Risk,
        expected: text(one, "expected", ""),
        verify: text(one, "verify", ""),
      };
    }),
    would_change_my_mind: text(from, "would_change_my_mind", ""),
    usage: map(from, "usage", asScalar),
    remarks: list(from, "remarks", asText),
    preliminary: from["preliminary"] === true,
    hypotheses: list(from, "hypotheses", (item) => {
      const one = body(item);
      return {
        cause: text(one, "cause"),
        confidence: maybe(one, "confidence"),
        waits_for: text(one, "waits_for", ""),
        evidence: list(one, "evidence", asNumber),
      };
    }),
  };
}

export function ticket(value: unknown): r.Ticket {
  const from = body(value);
  return {
    id: figure(from, "id"),
    invariant: text(from, "invariant"),
    node: textOrNull(from, "node"),
    severity: text(from, "severity") as r.Severity,
    status: text(from, "status") as r.TicketStatus,
    message: text(from, "message"),
    opened_at: figure(from, "opened_at"),
    updated_at: figure(from, "updated_at"),
    resolved_at: maybe(from, "resolved_at"),
    occurrences: figure(from, "occurrences", 1),
    diagnosis: from["diagnosis"] === undefined || from["diagnosis"] === null ? null : diagnosis(from["diagnosis"]),
    notes: list(from, "notes", asText),
    reopened: figure(from, "reopened", 0),
  };
}

export function step(value: unknown): r.AgentStep {
  const from = body(value);
  return { ticket: figure(from, "ticket"), kind: text(from, "kind") as r.AgentStep["kind"], text: text(from, "text") };
}

export function ticketDiagnosis(value: unknown): { ticket: number; diagnosis: r.Diagnosis } {
  const from = body(value);
  return { ticket: figure(from, "ticket"), diagnosis: diagnosis(from["diagnosis"]) };
}

export function action(value: unknown): r.Action {
  const from = body(value);
  return {
    id: figure(from, "id"),
    ticket: maybe(from, "ticket"),
    kind: text(from, "kind"),
    target: text(from, "target"),
    status: text(from, "status") as r.ActionStatus,
    params: map(from, "params", asScalar),
    risk: text(from, "risk", "safe") as r.Risk,
    reason: text(from, "reason", ""),
    proposed_by: text(from, "proposed_by", ""),
    decided_by: text(from, "decided_by", ""),
    result: text(from, "result", ""),
    proposed_at: maybe(from, "proposed_at"),
    started_at: maybe(from, "started_at"),
    finished_at: maybe(from, "finished_at"),
    expires_at: maybe(from, "expires_at"),
    expected: text(from, "expected", ""),
    verify_within: maybe(from, "verify_within"),
  };
}

export function fault(value: unknown): r.Fault {
  const from = body(value);
  return {
    id: text(from, "id"),
    kind: text(from, "kind"),
    target: text(from, "target"),
    state: text(from, "state") as r.Fault["state"],
    role: text(from, "role", ""),
    params: map(from, "params", asScalar),
    owed: flag(from, "owed"),
    requested_at: maybe(from, "requested_at"),
    injected_at: maybe(from, "injected_at"),
    recovered_at: maybe(from, "recovered_at"),
    recovered_by: text(from, "recovered_by", ""),
    error: text(from, "error", ""),
    remaining: maybe(from, "remaining"),
  };
}

export function chapter(value: unknown): r.ChapterState {
  const from = body(value);
  return {
    index: figure(from, "index"),
    total: figure(from, "total"),
    title: text(from, "title"),
    narration: text(from, "narration"),
    key_hint: text(from, "key_hint", ""),
    busy: flag(from, "busy"),
    expectation_met: flagOrNull(from, "expectation_met"),
    entered_at: figure(from, "entered_at", 0),
  };
}

export function sample(value: unknown): r.WorkloadSample {
  const from = body(value);
  return {
    ops_per_sec: figure(from, "ops_per_sec"),
    errors_per_sec: figure(from, "errors_per_sec"),
    degraded: (() => {
      if (typeof from["degraded"] !== "boolean") throw new Malformed("degraded is not true or false");
      return from["degraded"];
    })(),
    elapsed: figure(from, "elapsed"),
    operations: figure(from, "operations"),
    baseline: maybe(from, "baseline"),
    threshold: maybe(from, "threshold"),
    errors: figure(from, "errors", 0),
    latency: map(from, "latency", (item) => {
      const one = body(item);
      return {
        count: figure(one, "count"),
        p50: maybe(one, "p50"),
        p90: maybe(one, "p90"),
        p95: maybe(one, "p95"),
        p99: maybe(one, "p99"),
        max: maybe(one, "max"),
      };
    }),
    sampled_at: figure(from, "sampled_at", 0),
  };
}

export function frame(value: unknown): r.Frame {
  const from = body(value);
  return { topic: text(from, "topic"), seq: figure(from, "seq"), at: text(from, "at", ""), body: body(from["body"]) };
}

/** Reads each item; those that cannot be read are left out, so that one odd record does not empty the page. */
export function readable<T>(value: unknown, read: (item: unknown) => T): T[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item) => {
    try {
      return [read(item)];
    } catch (error) {
      if (error instanceof Malformed) return [];
      throw error;
    }
  });
}
