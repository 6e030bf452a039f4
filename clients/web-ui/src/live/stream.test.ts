import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LiveData } from "./data";
import { Stream, type Source } from "./stream";

class FakeSource implements Source {
  readyState = 1;
  closed = false;
  onopen = null;
  onerror: ((event: Event) => void) | null = null;
  readonly #listeners = new Map<string, (event: MessageEvent) => void>();
  constructor(readonly url: string) {}
  addEventListener(type: string, listener: (event: MessageEvent) => void): void {
    this.#listeners.set(type, listener);
  }
  close(): void {
    this.closed = true;
  }
  say(type: string, payload: unknown): void {
    this.#listeners.get(type)?.({ data: JSON.stringify(payload) } as MessageEvent);
  }
  fail(readyState: number): void {
    this.readyState = readyState;
    this.onerror?.(new Event("error"));
  }
}

const snapshot = { daemon: "d", connection: "live", ageSeconds: 0, state: {}, tail: [] };

describe("the stream", () => {
  let sources: FakeSource[];
  let seen: LiveData[];
  let changed: string[];
  let stream: Stream;
  const last = () => seen.at(-1);

  beforeEach(() => {
    vi.useFakeTimers();
    sources = [];
    seen = [];
    changed = [];
    stream = new Stream({
      daemon: "a b",
      onData: (data) => seen.push(data),
      onChanged: (what) => changed.push(what),
      open: (url) => {
        const source = new FakeSource(url);
        sources.push(source);
        return source;
      },
    });
  });
  afterEach(() => {
    stream.close();
    vi.useRealTimers();
  });

  it("asks for its daemon and draws many frames at once", () => {
    expect(sources[0]?.url).toBe("/api/stream?daemon=a%20b");
    sources[0]?.say("snapshot", snapshot);
    const before = seen.length;
    for (let seq = 1; seq <= 500; seq += 1) sources[0]?.say("frame", { topic: "heartbeat", seq, at: "", body: {} });
    expect(seen.length).toBe(before);
    vi.advanceTimersByTime(150);
    expect(seen.length).toBe(before + 1);
  });

  it("says that the connection is lost after twelve silent seconds, and opens another", () => {
    sources[0]?.say("snapshot", snapshot);
    vi.advanceTimersByTime(11_000);
    sources[0]?.say("heartbeat", { now: "" });
    vi.advanceTimersByTime(11_500);
    expect(last()?.link).toBe("open");
    vi.advanceTimersByTime(1_500);
    expect(last()?.link).toBe("lost");
    vi.advanceTimersByTime(1_000);
    expect(sources).toHaveLength(2);
    expect(sources[0]?.closed).toBe(true);
    sources[1]?.say("snapshot", snapshot);
    expect(last()?.link).toBe("open");
    expect(changed).toEqual(["*"]);
  });

  it("says at once that a connection broke, and leaves the next try to the browser", () => {
    sources[0]?.say("snapshot", snapshot);
    sources[0]?.fail(0);
    expect(last()?.link).toBe("lost");
    vi.advanceTimersByTime(5_000);
    expect(sources).toHaveLength(1);
    sources[0]?.say("connection", { daemon: "d", connection: "live", ageSeconds: 0 });
    expect(last()?.link).toBe("open");
  });

  it("tries again by itself, less and less often, after an answer that is no stream", () => {
    sources[0]?.fail(2);
    vi.advanceTimersByTime(500);
    expect(sources).toHaveLength(2);
    sources[1]?.fail(2);
    vi.advanceTimersByTime(500);
    expect(sources).toHaveLength(2);
    vi.advanceTimersByTime(500);
    expect(sources).toHaveLength(3);
  });

  it("[US-09] passes on what has changed, and hears nothing of a source that was given up", () => {
    sources[0]?.say("changed", { what: "devops" });
    expect(changed).toEqual(["devops"]);
    stream.close();
    const before = seen.length;
    sources[0]?.say("snapshot", snapshot);
    expect(seen.length).toBe(before);
  });
});
