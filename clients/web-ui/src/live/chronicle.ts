/** Frames turned into lines that a person wants to read: one for what changed, none for what was known. */

import type { Tone } from "../shared/StatusGlyph";
import { duration, number } from "../shared/format";
import * as read from "./read";
import type * as r from "./records";
import type { LiveState } from "./state";

export type LineKind = "node" | "event" | "violation" | "ticket" | "process" | "fault" | "action" | "workload" | "chapter";

export interface LogLine {
  /** Unique within the page. */
  key: string;
  /** Epoch milliseconds. */
  at: number;
  kind: LineKind;
  tone: Tone;
  text: string;
}

/** What `frame` tells that `before` does not know. Raises `Malformed`. */
export function lines(before: LiveState, frame: r.Frame, at: number): LogLine[] {
  const said = tell(before, frame.topic, frame.body);
  return said.map(([kind, tone, text], position) => ({ key: `${at}-${frame.seq}-${position}`, at, kind, tone, text }));
}

type Said = [LineKind, Tone, string];

function tell(before: LiveState, topic: string, body: unknown): Said[] {
  if (topic.startsWith("process.") && topic.endsWith(".state")) return process(before, read.process(body));
  if (topic.startsWith("action.")) return action(read.action(body));
  if (topic.startsWith("fault.")) return fault(read.fault(body));
  if (topic.startsWith("ticket.")) return ticket(before, read.ticket(body));
  switch (topic) {
    case "cluster.health":
      return health(before, read.clusterHealth(body));
    case "cluster.event": {
      const event = read.clusterEvent(body);
      const tone: Tone = event.kind === "fatal" ? "bad" : ["unreachable", "disk", "slow_query"].includes(event.kind) ? "warn" : "info";
      return [["event", tone, `${event.node}: ${event.text}${event.held_back ? ` (and ${event.held_back} more)` : ""}`]];
    }
    case "violation.opened": {
      const one = read.violation(body);
      return [["violation", one.severity === "critical" ? "bad" : "warn", `${about(one.invariant, one.node)}: ${one.message}`]];
    }
    case "violation.closed": {
      const one = read.violation(body);
      return [["violation", "good", `${about(one.invariant, one.node)} holds again (broken ${duration(one.last_seen_at - one.first_seen_at)})`]];
    }
    case "workload.sample":
      return sample(before, read.sample(body));
    case "demo.chapter": {
      const chapter = read.chapter(body);
      const was = before.demo;
      return was && was.index === chapter.index && was.title === chapter.title
        ? []
        : [["chapter", "info", `Chapter ${chapter.index + 1} of ${chapter.total}: ${chapter.title}`]];
    }
    default:
      return [];
  }
}

/** `node_down valkey-1`, or the invariant alone where no node is meant. */
export function about(invariant: string, node: string | null): string {
  return node ? `${invariant} ${node}` : invariant;
}

function health(before: LiveState, now: r.ClusterHealth): Said[] {
  const said: Said[] = [];
  const known = new Map(before.nodes.map((node) => [node.id, node]));
  for (const node of now.nodes) {
    const was = known.get(node.id);
    if (!was) continue;
    if (was.state !== node.state) {
      const tone: Tone = node.state === "up" ? "good" : node.state === "down" ? "bad" : "warn";
      said.push(["node", tone, `${node.id} ${was.state} → ${node.state}`]);
    }
    if (was.role !== node.role && was.role && node.role) said.push(["node", "info", `${node.id} ${was.role} → ${node.role}`]);
  }
  const ok = before.cluster ? before.cluster.ok : true;
  if (now.ok === null && ok !== null) said.push(["node", "warn", `${now.subject} could not be observed: ${now.reason}`]);
  else if (now.ok !== null && ok === null) said.push(["node", "info", `${now.subject} can be observed again`]);
  else if (now.ok === true && ok === false) said.push(["node", "good", `${now.subject} is healthy again`]);
  return said;
}

function process(before: LiveState, now: r.ProcessState): Said[] {
  const was = before.processes.get(now.name);
  if (!was || (was.state === now.state && was.restarts === now.restarts && was.pid === now.pid)) return [];
  const { name } = now;
  if (now.state === "ready") return [["process", "good", now.restarts ? `${name} is back (restart ${now.restarts})` : `${name} is ready`]];
  if (now.state === "backoff" || now.state === "failed") return [["process", "bad", `${name} ${ending(now)}`]];
  if (now.state === "stopped") {
    return was.state === "stopping" ? [["process", "plain", `${name} stopped`]] : [["process", now.exit_code === 0 ? "plain" : "bad", `${name} ${ending(now)}`]];
  }
  if (now.state === "starting" && now.restarts > was.restarts && was.state === "ready") {
    return [["process", "bad", `${name} ${ending(now)}, restarting`]];
  }
  return [];
}

const SIGNALS: Record<number, string> = { 1: "SIGHUP", 2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM" };

function ending(process: r.ProcessState): string {
  if (process.signal) return `ended by ${SIGNALS[process.signal] ?? `signal ${process.signal}`}`;
  if (process.exit_code !== null) return `ended with exit code ${process.exit_code}`;
  return process.reason ? `failed: ${process.reason}` : "ended";
}

function ticket(before: LiveState, now: r.Ticket): Said[] {
  if (before.tickets.get(now.id)?.status === now.status || now.status === "diagnosing") return [];
  const tone: Tone = now.status === "resolved" ? "good" : now.status === "escalated" ? "warn" : "info";
  return [["ticket", tone, `ticket #${now.id} ${now.status}: ${about(now.invariant, now.node)}`]];
}

const ACTION_TONE: Record<r.ActionStatus, Tone> = {
  proposed: "warn",
  approved: "info",
  running: "info",
  succeeded: "good",
  failed: "bad",
  rejected: "plain",
  expired: "plain",
};

function action(now: r.Action): Said[] {
  const told = now.result || (now.decided_by ? `by ${now.decided_by}` : "");
  return [["action", ACTION_TONE[now.status], `action ${now.id} ${now.kind} ${now.target} ${now.status}${told ? `: ${told}` : ""}`]];
}

function fault(now: r.Fault): Said[] {
  const what = `${now.kind} ${now.target}`;
  switch (now.state) {
    case "countdown":
      return now.remaining ? [["fault", "fault", `${what} in ${now.remaining}…`]] : [];
    case "active":
      return [["fault", "fault", `injected: ${what}`]];
    case "recovering":
      return [["fault", "info", `undoing: ${what}`]];
    case "recovered":
      return [["fault", "good", `recovered: ${what}${now.recovered_by ? ` (by ${now.recovered_by})` : ""}`]];
    case "failed":
      return [["fault", "bad", `fault not carried out: ${what} ${now.error}`.trimEnd()]];
    default:
      return [];
  }
}

function sample(before: LiveState, now: r.WorkloadSample): Said[] {
  const was = before.workload.at(-1);
  const ops = `${number(now.ops_per_sec)} ops/s`;
  if (!was) return [["workload", "info", `load is running: ${ops}`]];
  if (now.degraded && !was.degraded) return [["workload", "bad", `load degraded: ${ops}${now.baseline === null ? "" : ` of ${number(now.baseline)}`}`]];
  if (!now.degraded && was.degraded) return [["workload", "good", `load is back: ${ops}`]];
  return [];
}
