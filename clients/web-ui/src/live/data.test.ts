import { describe, expect, it } from "vitest";
import { frame as golden } from "../test/golden";
import { dataAge, nothingYet, receive, type LiveData } from "./data";
import { foremost, foremostWork } from "./story";

const T0 = Date.parse("2026-11-21T12:00:00Z");
const at = (seconds: number) => new Date(T0 + seconds * 1000).toISOString();

let seq = 0;
const frame = (topic: string, body: Record<string, unknown>, seconds: number) => ({ daemon: "d", topic, seq: (seq += 1), at: at(seconds), body });
const live = (extra: Record<string, unknown> = {}) => ({ daemon: "d", connection: "live", ageSeconds: 0, state: {}, tail: [], ...extra });

const fault = (state: string, extra: Record<string, unknown> = {}) => ({ id: "f1", kind: "kill", target: "valkey-1", state, owed: state !== "recovered", ...extra });
const violation = { id: "v1", invariant: "node_down", node: "valkey-1", severity: "critical", message: "it is down", first_seen_at: 1, last_seen_at: 2 };

function play(...events: [string, unknown][]): LiveData {
  let now = T0;
  return events.reduce((data, [event, payload]) => receive(data, event, payload, (now += 100)), nothingYet("d", T0));
}

describe("what the page knows", () => {
  it("marks the fault, its detection with the delay, and the recovery", () => {
    const data = play(
      ["snapshot", live()],
      ["frame", frame("fault.injected", fault("active", { injected_at: T0 / 1000 + 10 }), 10.05)],
      ["frame", frame("violation.opened", violation, 10.6)],
    );
    expect(data.story.marks.map((mark) => mark.kind)).toEqual(["fault", "detection"]);
    expect(data.story.marks[0]?.at).toBe(T0 + 10_000);
    expect(foremost(data.story)?.afterS).toBeCloseTo(0.6);
    const healed = receive(data, "frame", frame("fault.recovered", fault("recovered"), 20), T0);
    expect(healed.story.marks.map((mark) => mark.kind)).toEqual(["fault", "detection", "recovery"]);
    const closed = receive(healed, "frame", frame("violation.closed", violation, 21), T0);
    expect(foremost(closed.story)).toBeNull();
  });

  it("explains a detection that came before the word of the fault", () => {
    const data = play(
      ["snapshot", live()],
      ["frame", frame("violation.opened", violation, 10.1)],
      ["frame", frame("fault.injected", fault("active", { injected_at: T0 / 1000 + 10 }), 10.2)],
    );
    expect(foremost(data.story)?.afterS).toBeCloseTo(0.1);
    expect(data.story.marks.map((mark) => mark.kind)).toEqual(["fault", "detection"]);
  });

  it("remembers the steps, the diagnosis and the actions of a ticket", () => {
    const diagnosed = golden("agent.diagnosis");
    const proposed = golden("action.proposed");
    const data = play(
      ["snapshot", live()],
      ["frame", frame("agent.step", { ticket: 7, kind: "evidence", text: "looked" }, 1)],
      ["frame", frame(diagnosed.topic, diagnosed.body, 2)],
      ["frame", frame(proposed.topic, { ...proposed.body, ticket: 7 }, 3)],
    );
    const work = foremostWork(data.story, data.state.tickets);
    expect(work?.steps).toHaveLength(1);
    expect(work?.diagnosis?.cited).toEqual([1]);
    expect(work?.actions.size).toBe(1);
  });

  it("takes the story from the tail of a snapshot, and adds only what is new after a second one", () => {
    const tail = [frame("fault.injected", fault("active"), 1), frame("violation.opened", violation, 2)];
    const once = play(["snapshot", live({ tail, state: { violations: [violation] } })]);
    expect(once.story.marks).toHaveLength(2);
    const twice = receive(once, "snapshot", live({ tail: [...tail, frame("fault.recovered", fault("recovered"), 3)] }), T0);
    expect(twice.story.marks).toHaveLength(3);
    expect(twice.resyncs).toBe(1);
    expect(twice.story.detections.size).toBe(0);
  });

  it("passes over what it cannot read, and goes on", () => {
    const data = play(
      ["snapshot", live({ state: { nodes: [{ id: 1 }, golden("cluster.health").body] } })],
      ["frame", frame("cluster.health", { subject: 5 }, 1)],
      ["frame", "not a map"],
      ["nonsense", {}],
      ["frame", frame("demo.chapter", golden("demo.chapter").body, 2)],
    );
    expect(data.state.demo?.index).toBe(2);
    expect(data.link).toBe("open");
  });

  it("tells how old the data is once the daemon is lost, and that it is live again with its next frame", () => {
    const lost = play(["snapshot", live()], ["connection", { daemon: "d", connection: "lost", ageSeconds: 6, reason: "silent" }]);
    expect(dataAge(lost, lost.heardAt + 4_000)).toBeCloseTo(10);
    const beat = receive(lost, "heartbeat", { now: at(9) }, lost.heardAt + 5_000);
    expect(dataAge(beat, beat.heardAt)).toBeCloseTo(11);
    const back = receive(beat, "frame", frame("demo.chapter", golden("demo.chapter").body, 12), beat.heardAt + 1_000);
    expect(back.connection).toBe("live");
    expect(dataAge(back, back.heardAt + 500)).toBe(0);
  });

  it("ages by its own clock when the gateway itself is lost", () => {
    const data: LiveData = { ...play(["snapshot", live()]), link: "lost" };
    expect(dataAge(data, data.heardAt + 34_000)).toBe(34);
  });

  it("corrects for a clock that is wrong", () => {
    const data = receive(nothingYet("d", T0), "heartbeat", { now: at(120) }, T0);
    expect(data.clockOffsetMs).toBe(120_000);
  });
});
