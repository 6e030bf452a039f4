/** What is true now, and the one reducer that frames change it by: the rules of docs/protocol.md, "State". */

import * as read from "./read";
import type * as r from "./records";
import { isRecord } from "../shared/api";

/** Samples kept, one a second. */
export const WORKLOAD_WINDOW = 120;

/** Collections by id. Never changed in place: what did not change is the same object. */
export interface LiveState {
  cluster: r.ClusterHealth | null;
  nodes: readonly r.ClusterNode[];
  processes: ReadonlyMap<string, r.ProcessState>;
  violations: ReadonlyMap<string, r.Violation>;
  tickets: ReadonlyMap<number, r.Ticket>;
  faults: ReadonlyMap<string, r.Fault>;
  actions: ReadonlyMap<number, r.Action>;
  demo: r.ChapterState | null;
  workload: readonly r.WorkloadSample[];
  version: Readonly<Record<string, string>>;
}

export const EMPTY: LiveState = {
  cluster: null,
  nodes: [],
  processes: new Map(),
  violations: new Map(),
  tickets: new Map(),
  faults: new Map(),
  actions: new Map(),
  demo: null,
  workload: [],
  version: {},
};

/** Rebuilds a state from the `state` member of a snapshot. */
export function fromWire(wire: unknown): LiveState {
  const from = isRecord(wire) ? wire : {};
  const workload = isRecord(from["workload"]) ? from["workload"] : {};
  return {
    cluster: read.readable([from["cluster"]], read.clusterHealth)[0] ?? null,
    nodes: read.readable(from["nodes"], read.node),
    processes: keyed(read.readable(from["processes"], read.process), (one) => one.name),
    violations: keyed(read.readable(from["violations"], read.violation), (one) => one.id),
    tickets: keyed(read.readable(from["tickets"], read.ticket), (one) => one.id),
    faults: keyed(read.readable(from["faults"], read.fault), (one) => one.id),
    actions: keyed(read.readable(from["actions"], read.action), (one) => one.id),
    demo: read.readable([from["demo"]], read.chapter)[0] ?? null,
    workload: read.readable(workload["window"], read.sample).slice(-WORKLOAD_WINDOW),
    version: isRecord(from["version"]) ? (from["version"] as Record<string, string>) : {},
  };
}

/** Applies one frame. Topics that carry no state change nothing; a malformed body raises `Malformed`. */
export function apply(state: LiveState, topic: string, body: unknown): LiveState {
  if (topic.startsWith("process.") && topic.endsWith(".state")) {
    const process = read.process(body);
    const gone = process.kind === "tool" && (process.state === "stopped" || process.state === "failed");
    return { ...state, processes: changed(state.processes, process.name, gone ? null : process) };
  }
  switch (topic) {
    case "cluster.health": {
      const health = read.clusterHealth(body);
      return { ...state, cluster: health, nodes: health.nodes.length > 0 ? health.nodes : state.nodes };
    }
    case "workload.sample": {
      const sample = read.sample(body);
      const last = state.workload.at(-1);
      const kept = last && sample.elapsed < last.elapsed ? [] : state.workload.slice(-(WORKLOAD_WINDOW - 1));
      return { ...state, workload: [...kept, sample] };
    }
    case "violation.opened": {
      const violation = read.violation(body);
      return { ...state, violations: changed(state.violations, violation.id, violation) };
    }
    case "violation.closed":
      return { ...state, violations: changed(state.violations, read.violation(body).id, null) };
    case "ticket.opened":
    case "ticket.updated":
    case "ticket.resolved": {
      const ticket = read.ticket(body);
      return { ...state, tickets: changed(state.tickets, ticket.id, ticket.status === "resolved" ? null : ticket) };
    }
    case "fault.countdown":
    case "fault.injected":
    case "fault.recovering":
    case "fault.recovered":
    case "fault.failed": {
      const fault = read.fault(body);
      return { ...state, faults: changed(state.faults, fault.id, fault.owed || fault.state === "countdown" ? fault : null) };
    }
    case "action.proposed":
    case "action.approved":
    case "action.rejected":
    case "action.expired":
    case "action.started":
    case "action.finished": {
      const action = read.action(body);
      const over = !["proposed", "approved", "running"].includes(action.status);
      return { ...state, actions: changed(state.actions, action.id, over ? null : action) };
    }
    case "demo.chapter":
      return { ...state, demo: read.chapter(body) };
    default:
      return state;
  }
}

function keyed<K, T>(records: T[], key: (record: T) => K): Map<K, T> {
  return new Map(records.map((record) => [key(record), record]));
}

function changed<K, T>(collection: ReadonlyMap<K, T>, key: K, value: T | null): ReadonlyMap<K, T> {
  if (value === null && !collection.has(key)) return collection;
  const next = new Map(collection);
  if (value === null) next.delete(key);
  else next.set(key, value);
  return next;
}
