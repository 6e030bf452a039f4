/**
 * What happened so far, as far as the page tells it: the memory that the state does not have.
 *
 * The state says what is true now. A story adds when a violation was detected and how long after the injection, what
 * the agent did step by step, which process came back, where the marks of the chart belong, and the recent lines.
 * Like the state it is never changed in place.
 */

import { duration } from "../shared/format";
import { lines, type LogLine } from "./chronicle";
import * as read from "./read";
import type * as r from "./records";
import type { LiveState } from "./state";

const LOG_LINES = 200;
const STEPS_PER_TICKET = 100;
const MARKS = 64;
const WORKS = 32;
/** A frame about an injection is no later than this, or the two clocks do not agree. */
const OVERTAKEN_MS = 2000;

export type MarkKind = "fault" | "detection" | "recovery";

/** Something to point at on the time axis. */
export interface Mark {
  kind: MarkKind;
  /** Epoch milliseconds. */
  at: number;
  label: string;
}

/** A violation that was found while we watched. */
export interface Detection {
  violation: r.Violation;
  /** Since the injection behind it; null when no fault explains it. */
  afterS: number | null;
  at: number;
}

/** What the agent did about one ticket. */
export interface Work {
  ticket: number;
  steps: readonly r.AgentStep[];
  diagnosis: r.Diagnosis | null;
  /** Also those that are over. */
  actions: ReadonlyMap<number, r.Action>;
}

export interface Story {
  log: readonly LogLine[];
  marks: readonly Mark[];
  /** Of violations that are still open, by id. */
  detections: ReadonlyMap<string, Detection>;
  /** By ticket, the one touched last at the end. */
  works: ReadonlyMap<number, Work>;
  /** When a process was back after it had died, by name. */
  returned: ReadonlyMap<string, number>;
  /** Faults in force by target, with the moment of their injection. */
  injections: ReadonlyMap<string, { fault: r.Fault; at: number }>;
  /** Of the last frame that was taken in. */
  lastAt: number;
}

export const NO_STORY: Story = {
  log: [],
  marks: [],
  detections: new Map(),
  works: new Map(),
  returned: new Map(),
  injections: new Map(),
  lastAt: 0,
};

/** Takes in one frame; `before` is the state as it was without it. Malformed bodies raise. */
export function see(story: Story, before: LiveState, frame: r.Frame): Story {
  const parsed = Date.parse(frame.at);
  const at = Number.isNaN(parsed) ? story.lastAt : parsed;
  const said = lines(before, frame, at);
  let next = remember({ ...story, lastAt: Math.max(at, story.lastAt) }, before, frame, at);
  if (said.length > 0) {
    const found = frame.topic === "violation.opened" ? next.detections.get(read.violation(frame.body).id) : undefined;
    const told = found && !story.detections.has(found.violation.id) ? said.map((line) => ({ ...line, text: sentence(found) })) : said;
    next = { ...next, log: [...next.log, ...told].slice(-LOG_LINES) };
  }
  return next;
}

/** Adds what a snapshot tells of what is going on. */
export function settle(story: Story, state: LiveState): Story {
  let next: Story = { ...story, detections: new Map([...story.detections].filter(([id]) => state.violations.has(id))) };
  const injections = new Map(next.injections);
  for (const fault of state.faults.values()) {
    if (fault.injected_at !== null && !injections.has(fault.target)) injections.set(fault.target, { fault, at: fault.injected_at * 1000 });
  }
  next = { ...next, injections };
  for (const ticket of state.tickets.values()) next = adopt(next, ticket);
  for (const action of state.actions.values()) next = act(next, action);
  return next;
}

/** The detection to show: the first that is still open and explained by a fault, else the first. */
export function foremost(story: Story): Detection | null {
  const found = [...story.detections.values()];
  return found.find((one) => one.afterS !== null) ?? found[0] ?? null;
}

/** The work to show: what is going on, else the first diagnosis of a ticket still open, else the last one. */
export function foremostWork(story: Story, tickets: ReadonlyMap<number, r.Ticket>): Work | null {
  const works = [...story.works.values()];
  const unfinished = works.filter((one) => one.diagnosis === null && tickets.has(one.ticket));
  if (unfinished.length > 0) return unfinished.at(-1) ?? null;
  const open = works.filter((one) => tickets.has(one.ticket)).sort((a, b) => a.ticket - b.ticket);
  return open[0] ?? works.at(-1) ?? null;
}

/** `DETECTED node_down valkey-1 0.2 s after the injection: valkey-1 does not answer`. */
function sentence(found: Detection): string {
  const what = `${found.violation.invariant}${found.violation.node ? ` ${found.violation.node}` : ""}`;
  const after = found.afterS === null ? "" : ` ${duration(found.afterS)} after the injection`;
  return `DETECTED ${what}${after}: ${found.violation.message}`;
}

function remember(story: Story, before: LiveState, frame: r.Frame, at: number): Story {
  const { topic, body } = frame;
  if (topic.startsWith("process.")) return topic.endsWith(".state") ? process(story, before, read.process(body), at) : story;
  if (topic === "violation.opened") return detect(story, read.violation(body), at);
  if (topic === "violation.closed") return { ...story, detections: without(story.detections, read.violation(body).id) };
  if (topic.startsWith("fault.")) return fault(story, read.fault(body), at);
  if (topic.startsWith("ticket.")) return adopt(story, read.ticket(body));
  if (topic === "agent.step") {
    const step = read.step(body);
    return work(story, step.ticket, (one) => ({ ...one, steps: [...one.steps, step].slice(-STEPS_PER_TICKET) }));
  }
  if (topic === "agent.diagnosis") {
    const told = read.ticketDiagnosis(body);
    return work(story, told.ticket, (one) => ({ ...one, diagnosis: told.diagnosis }));
  }
  if (topic.startsWith("action.")) return act(story, read.action(body));
  return story;
}

function process(story: Story, before: LiveState, now: r.ProcessState, at: number): Story {
  const was = before.processes.get(now.name);
  if (now.state !== "ready" || now.restarts === 0 || !was || was.state === "ready") return story;
  return { ...story, returned: new Map(story.returned).set(now.name, at) };
}

function detect(story: Story, violation: r.Violation, at: number): Story {
  if (story.detections.has(violation.id)) return story;
  const behind = (violation.node && story.injections.get(violation.node)) || [...story.injections.values()].at(-1);
  const afterS = behind ? Math.max(0, at - behind.at) / 1000 : null;
  const first = afterS !== null && ![...story.detections.values()].some((one) => one.afterS !== null);
  return {
    ...story,
    detections: new Map(story.detections).set(violation.id, { violation, afterS, at }),
    marks: first ? marked(story, "detection", at, `detected: ${violation.invariant}`) : story.marks,
  };
}

function fault(story: Story, said: r.Fault, at: number): Story {
  const known = story.injections.get(said.target);
  if (said.state === "active" && !known) {
    const told = said.injected_at === null ? at : said.injected_at * 1000;
    const moment = at - told >= 0 && at - told <= OVERTAKEN_MS ? told : at;
    const injections = new Map(story.injections).set(said.target, { fault: said, at: moment });
    return explain({ ...story, injections, marks: marked(story, "fault", moment, `fault: ${said.kind} ${said.target}`) }, said, moment, at);
  }
  if (said.state === "recovered" && known) {
    return {
      ...story,
      injections: without(story.injections, said.target),
      marks: marked(story, "recovery", at, `recovered: ${said.target}`),
    };
  }
  if (said.state === "failed" && !said.owed) return { ...story, injections: without(story.injections, said.target) };
  return story;
}

/** A monitor that is nudged by a death can be quicker than the word that the fault is in force. */
function explain(story: Story, said: r.Fault, injected: number, at: number): Story {
  let { detections, marks } = story;
  for (const [id, found] of detections) {
    if (found.afterS !== null || found.violation.node !== said.target || at - found.at >= OVERTAKEN_MS) continue;
    detections = new Map(detections).set(id, { ...found, afterS: Math.max(0, found.at - injected) / 1000 });
    marks = marked({ ...story, marks }, "detection", Math.max(found.at, injected), `detected: ${found.violation.invariant}`);
  }
  return { ...story, detections, marks };
}

function adopt(story: Story, ticket: r.Ticket): Story {
  if (ticket.diagnosis === null) return story;
  const { diagnosis } = ticket;
  return work(story, ticket.id, (one) => ({ ...one, diagnosis }));
}

function act(story: Story, action: r.Action): Story {
  if (action.ticket === null) return story;
  return work(story, action.ticket, (one) => ({ ...one, actions: new Map(one.actions).set(action.id, action) }));
}

function work(story: Story, ticket: number, change: (one: Work) => Work): Story {
  const works = new Map(story.works);
  const one = works.get(ticket) ?? { ticket, steps: [], diagnosis: null, actions: new Map<number, r.Action>() };
  works.delete(ticket);
  works.set(ticket, change(one));
  for (const oldest of works.keys()) {
    if (works.size <= WORKS) break;
    works.delete(oldest);
  }
  return { ...story, works };
}

function marked(story: Story, kind: MarkKind, at: number, label: string): readonly Mark[] {
  return [...story.marks, { kind, at, label }].slice(-MARKS);
}

function without<K, T>(collection: ReadonlyMap<K, T>, key: K): ReadonlyMap<K, T> {
  if (!collection.has(key)) return collection;
  const next = new Map(collection);
  next.delete(key);
  return next;
}
