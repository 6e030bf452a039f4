import { describe, expect, it } from "vitest";
import { frame, frames, golden } from "../test/golden";
import { Malformed } from "./read";
import { apply, EMPTY, fromWire, WORKLOAD_WINDOW, type LiveState } from "./state";

const after = (state: LiveState, ...names: string[]) =>
  names.reduce((so, name) => {
    const { topic, body } = frame(name);
    return apply(so, topic, body);
  }, state);

describe("the reducer", () => {
  it.each(frames())("reads the golden message %s", (name) => {
    const [topic, , body] = golden(name);
    expect(() => apply(EMPTY, topic as string, body)).not.toThrow();
  });

  it("takes a golden snapshot whole", () => {
    const [reply] = golden("reply.snapshot") as [{ result: { state: Record<string, unknown[]> & { workload: { window: unknown[] } } } }];
    const wire = reply.result.state;
    const state = fromWire(wire);
    expect(state.nodes).toHaveLength(wire["nodes"]!.length);
    expect(state.processes.size).toBe(wire["processes"]!.length);
    expect(state.violations.size).toBe(wire["violations"]!.length);
    expect(state.tickets.size).toBe(wire["tickets"]!.length);
    expect(state.faults.size).toBe(wire["faults"]!.length);
    expect(state.actions.size).toBe(wire["actions"]!.length);
    expect(state.workload).toHaveLength(wire.workload.window.length);
    expect(state.demo).not.toBeUndefined();
  });

  it("adds a violation when it opens and removes it when it closes", () => {
    const open = after(EMPTY, "violation.opened");
    expect(open.violations.size).toBe(1);
    expect(after(open, "violation.closed").violations.size).toBe(0);
  });

  it("keeps tickets until they are resolved, with their diagnosis", () => {
    const open = after(EMPTY, "ticket.opened", "ticket.updated");
    expect(open.tickets.get(7)?.status).toBeDefined();
    const resolved = { ...frame("ticket.resolved").body, id: 7, status: "resolved" };
    expect(apply(open, "ticket.resolved", resolved).tickets.size).toBe(0);
  });

  it("keeps faults while they count down or are owed", () => {
    const counting = after(EMPTY, "fault.countdown");
    expect(counting.faults.size).toBe(1);
    const active = after(counting, "fault.injected");
    expect([...active.faults.values()][0]?.owed).toBe(true);
    expect(after(active, "fault.recovered").faults.size).toBe(0);
  });

  it("keeps actions until they are over", () => {
    const waiting = after(EMPTY, "action.proposed");
    expect(waiting.actions.size).toBe(1);
    const [id] = waiting.actions.keys();
    expect(apply(waiting, "action.finished", { ...frame("action.finished").body, id }).actions.size).toBe(0);
  });

  it("drops the tools of a fault when they have ended, and no other process", () => {
    const body = { name: "tool-1", state: "ready", kind: "tool" };
    const running = apply(EMPTY, "process.tool-1.state", body);
    expect(running.processes.size).toBe(1);
    expect(apply(running, "process.tool-1.state", { ...body, state: "stopped" }).processes.size).toBe(0);
    const worker = apply(EMPTY, "process.agent.state", { name: "agent", state: "stopped" });
    expect(worker.processes.size).toBe(1);
  });

  it("keeps the nodes that it knows when a look saw none", () => {
    const seen = after(EMPTY, "cluster.health");
    expect(seen.nodes).toHaveLength(1);
    const blind = after(seen, "cluster.health-unknown");
    expect(blind.cluster?.ok).toBeNull();
    expect(blind.nodes).toBe(seen.nodes);
  });

  it("keeps two minutes of samples, and begins anew with a new load", () => {
    const { body } = frame("workload.sample");
    let state = EMPTY;
    for (let elapsed = 0; elapsed < WORKLOAD_WINDOW + 5; elapsed += 1) state = apply(state, "workload.sample", { ...body, elapsed });
    expect(state.workload).toHaveLength(WORKLOAD_WINDOW);
    expect(state.workload[0]?.elapsed).toBe(5);
    expect(apply(state, "workload.sample", { ...body, elapsed: 1 }).workload).toHaveLength(1);
  });

  it("refuses a body that is not what its topic promises, and leaves the state as it was", () => {
    expect(() => apply(EMPTY, "workload.sample", { ops_per_sec: "many" })).toThrow(Malformed);
    expect(() => apply(EMPTY, "ticket.opened", null)).toThrow(Malformed);
    expect(apply(EMPTY, "something.new", { any: 1 })).toBe(EMPTY);
  });

  it("shares what did not change", () => {
    const before = after(EMPTY, "cluster.health", "ticket.opened");
    const next = after(before, "workload.sample");
    expect(next.tickets).toBe(before.tickets);
    expect(next.nodes).toBe(before.nodes);
  });
});
